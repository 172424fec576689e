"""A classifier and a segmenter whose outputs are used by scores."""
