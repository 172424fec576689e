"""Comparison of runs: settings, scores and costs side by side."""
