"""Turns the overrides of a command line into a checked, plain configuration."""
