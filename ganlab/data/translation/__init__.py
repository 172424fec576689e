"""Data sets with two sides, which are pairs or unpaired."""
