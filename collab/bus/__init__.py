"""Frames between nodes: a hint for speed, never the truth."""
