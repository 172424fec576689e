"""Protocols: the complete recipes by which scores are taken."""
