"""Scores of class-conditional samples."""
