"""A small emulator of a terminal, to see what escape sequences leave on its screen."""

import io
import os
import re
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from unittest import mock

from ganlab.printable import printing_safely

_TOKENS = re.compile(
    r"\x1b\[\??([0-9;]*)([A-Za-z])"  # CSI
    r"|\x1b([78])"  # save and restore the cursor
    r"|\x1b[_\]](.*?)\x1b\\"  # APC and OSC, as for pictures
    r"|(.)",
    re.DOTALL,
)


class Terminal(io.StringIO):
    """A screen of `columns` × `lines`, to be written to; lines that leave it are in `scrolled`.

    It understands what `StatusArea` writes, and raises a ValueError for other sequences. A picture
    that is drawn is kept in `pictures`, with the line of the cursor.
    """

    encoding = "utf-8"

    def __init__(self, columns=80, lines=24):
        super().__init__()
        self.columns, self.lines = columns, lines
        self.screen = [[] for _ in range(lines)]
        self.scrolled, self.pictures, self.raw = [], [], []
        self.x = self.y = 0
        self.saved = (0, 0)

    def isatty(self):
        return True

    def write(self, text):
        self.raw.append(text)
        for numbers, command, cursor, picture, character in _TOKENS.findall(text):
            if command:
                self._command(command, numbers)
            elif cursor == "7":
                self.saved = self.x, self.y
            elif cursor == "8":
                self.x, self.y = self.saved
            elif picture:
                self.pictures.append((self.y, picture))
            elif character == "\r":
                self.x = 0
            elif character == "\n":
                self.x = 0  # as terminals do for programs by default
                self._down()
            elif character == "\x1b":
                raise ValueError(f"unknown sequence in {text!r}")
            else:
                self._put(character)
        return len(text)

    def _command(self, command, numbers):
        n = int(numbers or 1) if command in "AB" else 0
        if command == "A":
            self.y = max(0, self.y - n)
        elif command == "B":
            self.y = min(self.lines - 1, self.y + n)
        elif command in "JK":
            del self.screen[self.y][self.x :]
            if command == "J":
                self.screen[self.y + 1 :] = [[] for _ in range(self.lines - self.y - 1)]
        elif command not in "mhl":
            raise ValueError(f"unknown command {command}")

    def _down(self):
        if self.y + 1 < self.lines:
            self.y += 1
        else:
            self.scrolled.append("".join(self.screen.pop(0)))
            self.screen.append([])

    def _put(self, character):
        if self.x == self.columns:
            self.x = 0
            self._down()
        row = self.screen[self.y]
        row += " " * (self.x + 1 - len(row))
        row[self.x] = character
        self.x += 1

    @property
    def text(self):
        """All lines, those that have left the screen first, without empty ones at the end."""
        return "\n".join([*self.scrolled, *("".join(row) for row in self.screen)]).rstrip("\n")


@contextmanager
def on_terminal(columns=80, lines=24):
    """In the block, stdout and stderr go to the yielded `Terminal`, as those of `ganlab train`."""
    terminal = Terminal(columns, lines)

    def size(_):
        return os.terminal_size((terminal.columns, terminal.lines))

    with (
        mock.patch("ganlab.callbacks.status_area.terminal_size", size),
        redirect_stdout(terminal),
        redirect_stderr(terminal),
        printing_safely(),
    ):
        yield terminal
