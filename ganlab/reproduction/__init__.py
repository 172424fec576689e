"""`ganlab reproduce`: train a paper's recipe, and compare its score with the published score."""
