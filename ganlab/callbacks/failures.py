"""Logs errors in writing files after a failed training, so that they do not hide the failure."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOG = logging.getLogger("ganlab")


@contextmanager
def logged_failure(what: str) -> Iterator[None]:
    """Log an exception of the `with` block instead of raising it.

    Args:
        what: what the block writes, for the message.
    """
    try:
        yield
    except Exception:
        _LOG.exception("after the run had failed, %s could not be written", what)
