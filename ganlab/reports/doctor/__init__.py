"""The doctor: problems of a run, found from its log."""
