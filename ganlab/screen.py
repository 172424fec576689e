"""Standard output and error streams whose failure ends no command.

A pipe may be closed (`ganlab train … 2>&1 | head`), a terminal may be closed, the disk of a
redirected output may be full, and an encoding may lack characters.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any


class _Output(io.FileIO):
    """An output file that drops what is written after an error.

    Attributes:
        error: the error; None if there was none.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.error: OSError | None = None

    def write(self, data: Any) -> int | None:
        if self.error is None:
            try:
                return super().write(data)
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
        try:
            stream.flush()
            output = _Output(stream.fileno())
        except (OSError, ValueError, AttributeError):
            continue
        text = io.TextIOWrapper(
            io.BufferedWriter(output),
            encoding=stream.encoding,
            errors="replace",
            line_buffering=stream.line_buffering or stream.write_through,  # the latter: python -u
        )
        setattr(sys, name, text)


def lost_output() -> OSError | None:
    """Return why standard output is incomplete; None if it is complete or its reader has left."""
    sys.stdout.flush()
    output = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = getattr(output, "error", None)
    return None if error is None or error.errno in (errno.EPIPE, errno.EIO) else error
