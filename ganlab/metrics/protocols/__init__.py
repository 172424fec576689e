"""Protocols: the complete recipe by which scores are taken."""
