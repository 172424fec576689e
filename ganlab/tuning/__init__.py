"""`ganlab tune`: search for settings with Optuna."""
