"""Web pages in one file: `ganlab compare --html` of many runs, `ganlab report` of one run.

`write`, `data` and `groups` make the page of many runs, `run/` that of one; both use the rest.
"""
