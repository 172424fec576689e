"""Sweeps: many planned runs, and the launchers that train them."""
