"""A run's record on disk: run.json, metrics.csv, the run's state, loggers, and figures."""
