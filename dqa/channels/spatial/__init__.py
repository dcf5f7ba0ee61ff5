"""Spatial channel: where are things?"""
