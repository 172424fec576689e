"""What is done about a run that has failed must not hide why it failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOG = logging.getLogger("ganlab")


@contextmanager
def logged_failure(what: str) -> Iterator[None]:
    """Log an exception raised within, and go on."""
    try:
        yield
    except Exception:
        _LOG.exception("after the run had failed, %s could not be written", what)
