"""The run's record on disk: run.json, log, states, loggers, and pictures of them."""
