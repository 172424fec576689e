"""Checkpoints and graphs for other programs, and runs for Weights & Biases."""
