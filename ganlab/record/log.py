"""A run's logs: reads `metrics.csv` (losses, scores and other quantities), writes `log.txt`."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from ganlab.files import open_to_append, write_text
from ganlab.printable import PrintableStream
from ganlab.reading import read_text, reading
from ganlab.record.old_names import KEYS

X = "examples_seen"  # the x-axis of every log


class LogFile(logging.FileHandler):
    """Appends messages to a file, see `open_to_append`; what is read there is `printable`."""

    def _open(self) -> TextIO:
        return PrintableStream(open_to_append(Path(self.baseFilename)))

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop a message that cannot be written, as on a full disk: it must not end a run."""

    def close(self) -> None:
        """Close the file; what cannot be written any more is dropped."""
        with suppress(OSError):
            super().close()


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """Return the rows of a run's metrics.csv, each as a dict from columns to values.

    Empty cells and a half-written last row are left out. Without a file the list is empty.

    Raises:
        RunError: the file cannot be read, or is no CSV table of numbers with a column
            examples_seen.
    """
    path = folder / "metrics.csv"
    rows = []
    damage = (csv.Error, ValueError, KeyError, OverflowError)
    with reading("run", path, damage, "Put back a copy of it, or delete it and lose its rows."):
        try:
            lines = read_text(path, most=2**28).splitlines(keepends=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        table = reader(line for line in lines if line.endswith("\n"))
        if table.fieldnames and X not in table.fieldnames:
            raise ValueError(f"it has no column {X}")
        for row in table:
            if None in row.values() or None in row:
                continue
            values = {key: _number(value) for key, value in row.items() if value != ""}
            values[X] = int(values[X])
            rows.append(values)
    return rows


def reader(lines: Iterable[str]) -> csv.DictReader:
    """Return a CSV reader of a log's rows; old names of columns are replaced by current ones.

    Args:
        lines: the lines of the file, the header first.
    """
    rows = csv.DictReader(lines)
    if rows.fieldnames:
        rows.fieldnames = [KEYS.get(name, name) for name in rows.fieldnames]
    return rows


def rename_columns(path: Path) -> None:
    """Replace old names of columns in a log's header by current ones.

    Raises:
        RunError: the file cannot be written.
    """
    header, newline, rows = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    new = ",".join(KEYS.get(name, name) for name in header.split(","))
    if new != header:
        write_text(path, new + newline + rows)


def _number(text: str) -> float:
    """Return a float, or an int for an integer, so that rewriting a file keeps its text."""
    return int(text) if len(text) < 19 and text.lstrip("-").isdecimal() else float(text)
