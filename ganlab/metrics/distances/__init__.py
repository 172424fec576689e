"""Distances between generated samples and real examples."""
