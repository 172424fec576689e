"""Data sets of two sides: pairs, and two sets that nobody has paired."""
