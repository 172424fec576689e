"""Scores of generated pictures against the very pictures that they should be."""
