"""The signals that end a run: Ctrl-C, a request to end, and a closed terminal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def handled_by(handler: Callable[[int, Any], object]) -> Iterator[None]:
    """Let `handler` handle SIGINT, SIGTERM and SIGHUP in the block.

    SIGHUP stays ignored if it is ignored, as under nohup. Outside the main thread, where Python
    allows no handlers, nothing changes.

    Args:
        handler: called with the signal's number and the stack frame.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        numbers.append(hangup)
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler_before in previous.items():
            signal.signal(number, handler_before)
