"""Makes text safe to show: no stored name or error can control a terminal or reorder its text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_CONTROLS = {code: chr(0x2400 + code) for code in range(32)} | {0x7F: "␡"}  # e.g. ␛ for escape
# C1 controls, the marks that change the direction of text, separators of lines, lone surrogates
_RANGES = (
    (0x80, 0x9F),
    (0x061C, 0x061C),
    (0x200E, 0x200F),
    (0x2028, 0x202E),
    (0x2066, 0x2069),
    (0xD800, 0xDFFF),
)
_LINE = _CONTROLS | {code: "�" for a, b in _RANGES for code in range(a, b + 1)}
_TEXT = {code: sign for code, sign in _LINE.items() if chr(code) not in "\n\t"}
# for the output of rich, which needs escapes and carriage returns
_DRAWN = {code: sign for code, sign in _TEXT.items() if chr(code) not in "\r\x1b"}


def printable(text: str) -> str:
    """Return text with a visible sign for each control character, except line feeds and tabs.

    Control characters are those of C0 and C1, marks that change the direction of text (U+061C,
    U+200E and so on), other separators of lines, and bytes of file names that are no UTF-8. The
    length stays the same.
    """
    return text.translate(_TEXT)


def one_line(text: str) -> str:
    """Return text as `printable` does, with visible signs for line feeds and tabs too."""
    return text.translate(_LINE)


class PrintableStream:
    """A text stream that makes all text `printable` before it passes it to another stream.

    Args:
        stream: the other stream, whose attributes this stream has too.
        table: maps code points to what is written in their place.
    """

    def __init__(self, stream: TextIO, table: dict[int, str] = _TEXT) -> None:
        self.stream, self._table = stream, table

    def write(self, text: str) -> int:
        """Write the text, and return its length."""
        self.stream.write(text.translate(self._table))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write all texts, as `write` does."""
        for line in lines:
            self.write(line)

    @property
    def rich_proxied_file(self) -> PrintableStream:
        """Where rich writes in place of this stream: it draws progress bars with escapes."""
        return self if self._table is _DRAWN else PrintableStream(self.stream, _DRAWN)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def console() -> Console:
    """Return rich's console on stderr, for progress bars; make names in their titles `one_line`."""
    from rich.console import Console

    stream = sys.stderr
    while (inner := getattr(stream, "rich_proxied_file", stream)) is not stream:
        stream = inner  # rich may have replaced stderr, around the stream that makes text printable
    return Console(file=stream)


def raw_stderr() -> TextIO:
    """Return stderr without what makes its text printable; write only escapes of our own to it."""
    stream = sys.stderr
    return stream.stream if isinstance(stream, PrintableStream) else stream


@contextmanager
def printing_safely() -> Iterator[None]:
    """Within the block, make all text `printable` that goes to stdout and stderr."""
    if isinstance(sys.stdout, PrintableStream):
        yield
        return
    out, err = PrintableStream(sys.stdout), PrintableStream(sys.stderr)
    with redirect_stdout(out), redirect_stderr(err):
        yield
