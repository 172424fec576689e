"""Separate scores for the quality and variety of samples; scores of modes and of copies."""
