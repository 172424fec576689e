"""Reads `metrics.csv`, the log of a run."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from ganlab.errors import RunError
from ganlab.files import write_text
from ganlab.record.old_names import KEYS

X = "examples_seen"  # the x-axis of every log


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's metrics.csv, without empty cells; a half-written last row is left out.

    Raises:
        RunError: the file is no table, e.g. with a cell of endless length.
    """
    path = folder / "metrics.csv"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    try:
        table = list(reader(whole))
    except csv.Error as error:
        raise RunError(f"run: {path} is damaged: {error}.") from error
    rows = []
    for row in table:
        if None in row.values() or None in row:
            continue
        values = {key: _number(value) for key, value in row.items() if value != ""}
        values[X] = int(values[X])
        rows.append(values)
    return rows


def reader(lines: Iterable[str]) -> csv.DictReader:
    """Reads a log's rows, with the names that its columns have now.

    Args:
        lines: of the file, the header first.
    """
    found = csv.DictReader(lines)
    if found.fieldnames:
        found.fieldnames = [KEYS.get(name, name) for name in found.fieldnames]
    return found


def rename_columns(path: Path) -> None:
    """Write a log's header anew if an older version has written it.

    Raises:
        RunError: the file cannot be written.
    """
    header, newline, rows = path.read_text(encoding="utf-8").partition("\n")
    new = ",".join(KEYS.get(name, name) for name in header.split(","))
    if new != header:
        write_text(path, new + newline + rows)


def _number(text: str) -> float:
    """A whole number stays one, so that a file rewritten has the same text."""
    return int(text) if text.lstrip("-").isdigit() else float(text)
