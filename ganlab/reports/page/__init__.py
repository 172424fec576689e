"""The web page of `ganlab compare --html`."""
