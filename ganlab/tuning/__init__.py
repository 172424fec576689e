"""`ganlab tune`: a search for settings with Optuna."""
