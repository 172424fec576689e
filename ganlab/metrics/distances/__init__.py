"""Distances between generated and real samples."""
