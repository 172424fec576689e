"""Checks of a folder of pictures before training."""
