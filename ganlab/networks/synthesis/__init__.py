"""Generators that map latents to samples, and discriminators with one score per sample."""
