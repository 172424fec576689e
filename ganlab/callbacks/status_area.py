"""The last lines of a terminal, redrawn in place, below everything else that is printed."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from rich.cells import cell_len

from ganlab.modalities.terminal import Shown
from ganlab.printable import PrintableStream

Size = os.terminal_size
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
# within these marks, terminals that know them show nothing half-drawn; others ignore them
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_LONGEST = 10_000  # characters of an incomplete line that are kept
_ERASE_LINE, _ERASE_BELOW = "\x1b[K", "\x1b[J"


class StatusArea:
    """Lines of text at the end of a terminal, and above them a picture.

    They are redrawn at intervals by a thread, so that the person sees that the program still works.
    What is printed to stdout and stderr meanwhile appears above them, line by line. The cursor
    stays visible, at the start of the line below the area, so that a killed process leaves the
    terminal in order.

    Args:
        stream: the terminal, without a `PrintableStream` around it.
        text: returns the lines for a width; each is shorter than the width.
        picture: returns the picture for a size of the terminal.
        seconds: time between redraws; at least 0.1.
    """

    def __init__(
        self,
        stream: TextIO,
        text: Callable[[int], list[str]],
        picture: Callable[[Size], Shown],
        seconds: float,
    ) -> None:
        self.stream, self.text, self.picture, self.seconds = stream, text, picture, seconds
        self.pid = os.getpid()
        # reentrant, since a signal's handler may print while the area is drawn
        self.lock = threading.RLock()
        self._shown, self._status, self._size = Shown(), [], Size((0, 0))
        self._outputs: list[tuple[Any, str, _Above]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="ganlab-status")

    def start(self) -> None:
        """Draw the area, and begin to redraw it."""
        for name in ("stdout", "stderr"):
            output = getattr(sys, name)
            if not output.isatty():
                continue
            # who holds the printable stream, such as a handler of a logger, prints above the area
            owner, key = (output, "stream") if isinstance(output, PrintableStream) else (sys, name)
            above = _Above(self, getattr(owner, key))
            setattr(owner, key, above)
            self._outputs.append((owner, key, above))
        self.redraw()
        self._thread.start()

    def refresh(self) -> None:
        """Redraw the text; all, if the terminal's size has changed."""
        with self.lock:
            if self.is_closed:
                return
            size = terminal_size(self.stream)
            if size != self._size:
                self.redraw()
                return
            up = self._up(len(self._status))
            self._status = self.text(size.columns)
            self._write(up + self._lines(self._status) + _ERASE_BELOW)

    def redraw(self, above: str = "") -> None:
        """Draw all anew, below the text `above`, which ends with a line feed if it is not empty."""
        with self.lock:
            size = terminal_size(self.stream)
            up = self._up(self._height(size))
            self._size, self._shown = size, self.picture(size)
            self._status = self.text(size.columns)
            lines, overlay = self._shown.lines, self._shown.overlay
            drawn = self._lines(list(lines))
            if overlay:  # the lines are on the screen, so that nothing scrolls while it is drawn
                rows = len(lines)
                drawn += f"{self._up(rows)}\x1b7{overlay}\x1b8" + (f"\x1b[{rows}B" if rows else "")
            self._write(up + _ERASE_BELOW + above + drawn + self._lines(self._status))

    def close(self) -> None:
        """Remove the text, leave the picture, and let everything print as before."""
        with self.lock:
            if self.is_closed:
                return
            self._done.set()
            self._write(self._up(len(self._status)) + _ERASE_BELOW)
        for owner, key, above in self._outputs:
            setattr(owner, key, above.stream)
            above.stream.write(above.rest)
        if self._thread.is_alive():
            self._thread.join(5)  # it may wait for a terminal that is stopped by Ctrl-S

    @property
    def is_closed(self) -> bool:
        """Whether the area has been closed."""
        return self._done.is_set()

    # --- details -------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._done.wait(max(self.seconds, 0.1)):
            self.refresh()

    def _height(self, size: Size) -> int:
        """Return the lines that the area takes on the screen, after a change of size too.

        A narrower terminal wraps what was drawn before.
        """
        lines = [*self._shown.lines, *self._status]
        if not self._size.columns or size.columns >= self._size.columns or not _rewraps():
            return len(lines)
        return sum(max(1, -(-cell_len(_STYLE.sub("", line)) // size.columns)) for line in lines)

    def _up(self, lines: int) -> str:
        """Return what moves the cursor to the start of the line that is `lines` lines above."""
        return f"\r\x1b[{lines}A" if lines else "\r"

    def _lines(self, lines: list[str]) -> str:
        return "".join(f"{line}{_ERASE_LINE}\n" for line in lines)

    def _write(self, text: str) -> None:
        self.stream.write(_BEGIN + text + _END)
        self.stream.flush()


class _Above:
    """An output stream whose complete lines appear above an area.

    It is no terminal, so that other progress bars stay silent.
    """

    def __init__(self, area: StatusArea, stream: TextIO) -> None:
        self.area, self.stream, self.rest = area, stream, ""

    def write(self, text: str) -> int:
        """Print the lines that the text completes, and keep the rest; return the text's length."""
        # in a forked process, the copy of the lock may be held for ever
        if os.getpid() != self.area.pid or self.area.is_closed:
            return self.stream.write(text)
        with self.area.lock:
            text_so_far = self.rest + text
            if len(text_so_far) > _LONGEST and "\n" not in text_so_far:
                text_so_far += "\n"
            lines, newline, self.rest = text_so_far.rpartition("\n")
            if newline:
                self.area.redraw(lines + newline)
        return len(text)

    def isatty(self) -> bool:
        """Return False."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def terminal_size(stream: TextIO) -> Size:
    """Return a terminal's columns and lines; 80 and 24 if they are unknown."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return Size((80, 24))
    return Size((size.columns or 80, size.lines or 24))


def _rewraps() -> bool:
    """Whether the terminal wraps lines anew when it becomes narrower, as most do."""
    return "XTERM_VERSION" not in os.environ and not os.environ.get("TERM", "").startswith(
        ("rxvt", "screen", "linux")
    )
