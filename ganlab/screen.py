"""Output streams that raise no errors.

A pipe may be closed (`ganlab train … 2>&1 | head`), a terminal may be closed, the disk of a
redirected output may be full, and an encoding may lack characters.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any


class _Output(io.FileIO):
    """An output file that drops what is written after an error.

    Attributes:
        is_terminal: whether the file is a terminal; it stays true when the terminal is closed.
        error: the error; None if there was none.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.is_terminal = self.isatty()
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        if self.error is None:
            try:
                # None: the pipe is full, and another process has set it not to block
                while (written := super().write(data)) is None:
                    select.select([], [self], [])
                return written
            except OSError as error:
                self.error = error
        return len(data)


def protect_output() -> None:
    """Replace sys.stdout and sys.stderr by streams that raise no errors.

    A character that the encoding lacks becomes a question mark. Streams that are no files, as in a
    notebook, are left alone.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed before the program started
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
            continue
        if (descriptor := descriptor_of(stream)) is None:
            continue
        text = io.TextIOWrapper(
            io.BufferedWriter(_Output(descriptor)),
            encoding=stream.encoding,
            errors="replace",
            line_buffering=stream.line_buffering or stream.write_through,  # the latter: python -u
        )
        setattr(sys, name, text)


def descriptor_of(stream: Any) -> int | None:
    """Flush a stream, and return its file's descriptor; None if it is no file."""
    try:
        stream.flush()
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def lost_output() -> OSError | None:
    """Return why standard output is incomplete; None if it is complete or its reader has left."""
    sys.stdout.flush()
    output = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(output, _Output) or output.error is None:
        return None
    has_left = output.error.errno == errno.EPIPE or (
        output.error.errno == errno.EIO and output.is_terminal
    )
    return None if has_left else output.error
