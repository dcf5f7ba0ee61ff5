"""Semantic channel: what is in the video?"""
