"""Choices in and out: files of other tools, and our own."""
