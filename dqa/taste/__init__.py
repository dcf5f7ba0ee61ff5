"""Taste: what a user prefers, learned from choices between two evaluated clips, with its uncertainty."""
