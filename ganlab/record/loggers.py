"""Loggers whose x-axis is the number of examples seen."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from ganlab.files import append_text, cannot_write, sync, write_text
from ganlab.private import hide_after
from ganlab.record.log import X, read_metrics


class CSVLogger(Logger):
    """Writes `metrics.csv`: one column per quantity, a row per number of examples seen.

    A number of examples has a second row if values are logged after the row was saved.
    Rows are appended. When a new quantity appears, the file is rewritten with a new column. On
    resume, rows from after the checkpoint are dropped, as if the run had never stopped.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.csv"
        self._columns: list[str] = []
        self._row: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the config is in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add values to the row of `step` examples; a row is written when the next row begins."""
        if self._row and self._row[X] != step:
            self._write_row()
        self._row |= {X: step, **metrics}

    def resume(self, examples_seen: int) -> None:
        """Drop rows from after `examples_seen`, and a half-written last row."""
        rows = [row for row in read_metrics(self.path.parent) if row[X] <= examples_seen]
        self._row = {}
        if rows:
            self._columns = list(dict.fromkeys(key for row in rows for key in row))
            self._rewrite(rows)

    @rank_zero_only
    def save(self) -> None:
        """Write the current row, and wait until the file is on the disk."""
        self._write_row()
        try:
            if self.path.exists():
                sync(self.path)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _write_row(self) -> None:
        row, self._row = self._row, {}  # a row that could not be written is not tried again
        if not row:
            return
        if new := [key for key in row if key not in self._columns]:
            rows = read_metrics(self.path.parent) if self._columns else []
            self._columns += new
            self._rewrite([*rows, row])
        else:
            append_text(self.path, self._as_csv([row]))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the last row."""
        self.save()

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        header = dict(zip(self._columns, self._columns, strict=True))
        write_text(self.path, self._as_csv([header, *rows]))

    def _as_csv(self, rows: list[dict[str, Any]]) -> str:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self._columns, lineterminator="\n").writerows(rows)
        return text.getvalue()


class TensorBoard(TensorBoardLogger):
    """A TensorBoard logger that writes to `tensorboard/` in the run's folder."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(str(folder), name="tensorboard", version="", default_hp_metric=False)

    def resume(self, examples_seen: int) -> None:
        """Hide what the resumed run had logged after `examples_seen`."""
        if examples_seen:
            hide_after(self, examples_seen)
