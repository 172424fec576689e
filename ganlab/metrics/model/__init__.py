"""Scores of the model itself: of its latents and its networks."""
