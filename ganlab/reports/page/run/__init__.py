"""The web page of one run: `ganlab report`."""
