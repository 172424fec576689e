"""Feature extractors: the networks through which samples are compared."""
