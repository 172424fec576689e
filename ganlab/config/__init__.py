"""From the overrides of a command line to a checked, plain configuration."""
