"""Scores of generated pictures that have a target: a picture or class map for each of them."""
