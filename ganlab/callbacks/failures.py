"""Logs errors of actions after a failed training, so that the failure itself is reported."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOG = logging.getLogger("ganlab")


@contextmanager
def logged_failure(what: str) -> Iterator[None]:
    """Log an exception of the `with` block, not raise it; `what` names what the block writes."""
    try:
        yield
    except Exception:
        _LOG.exception("after the run had failed, %s could not be written", what)
