"""Scores of the model itself, not of its samples."""
