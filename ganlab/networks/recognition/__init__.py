"""Classifiers and segmenters, whose outputs scores are computed on."""
