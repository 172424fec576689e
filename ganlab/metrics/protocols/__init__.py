"""Protocols: how scores are taken, completely."""
