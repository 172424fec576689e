"""A classifier and a segmenter whose outputs are used to compute scores."""
