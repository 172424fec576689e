"""Estimates of what a run will cost, before it starts."""
