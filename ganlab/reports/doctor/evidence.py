"""What a run left behind that tells its condition: its log, its record, its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from ganlab.errors import RunError
from ganlab.record.log import X, read_metrics
from ganlab.record.run import read_config, read_record
from ganlab.reports.comparison.scores import SCORES

# losses whose scores are above a boundary for real samples, and that cost little when guessing
BOUNDED = ("NonSaturating", "Minimax", "Hinge", "LeastSquares")


@dataclass(frozen=True)
class Series:
    """One logged quantity.

    Attributes:
        examples: examples seen at each value.
        values: in the order in which they were logged.
    """

    examples: list[int]
    values: list[float]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def late(self) -> list[float]:
        """The values of the last third of the run, at least the newest; empty if there are none."""
        return self.values[-max(len(self) // 3, 1) :]

    @property
    def early(self) -> list[float]:
        """As many values from the start."""
        return self.values[: max(len(self) // 3, 1)]

    @property
    def newest(self) -> float | None:
        """The last value, None where nothing was logged."""
        return self.values[-1] if self.values else None

    @property
    def now(self) -> float | None:
        """The median of `late`, None where nothing was logged."""
        return median(self.late) if self.values else None


@dataclass(frozen=True)
class Evidence:
    """Of one run.

    Attributes:
        rows: of metrics.csv, see `read_metrics`.
        record: run.json.
        config: config.yaml, resolved.
    """

    rows: list[dict[str, float]]
    record: dict[str, Any]
    config: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Evidence:
        """The evidence in a run's folder, whether it goes on, has ended, or has failed.

        Raises:
            RunError: no run there, a damaged file, or nothing logged and no failure to explain.
        """
        record, config = read_record(folder), read_config(folder)
        if config.get("lesson"):
            raise RunError(f"run: {folder} holds a lesson; look at {folder / 'figure.png'}.")
        try:
            rows = read_metrics(folder)
        except (ValueError, KeyError, UnicodeDecodeError) as error:
            raise RunError(f"run: {folder / 'metrics.csv'} is damaged: {error}.") from error
        if not rows and record.get("imported"):
            raise RunError(
                f"run: {folder} was imported and has not been trained here, so there is nothing to "
                f"say yet. Train it further: ganlab train run={folder} resume=true"
            )
        if not rows and record.get("status") != "failed":
            raise RunError(
                f"run: {folder} has logged nothing yet (it is {record.get('status', 'unknown')}); "
                f"a row comes every {config.get('log_every', 50)} batches. Try again later, or "
                "train it further."
            )
        return cls(rows, record, config)

    def __getitem__(self, name: str) -> Series:
        """The finite values logged under a name; empty where there are none."""
        return self._columns.get(name, Series([], []))

    @cached_property
    def _columns(self) -> dict[str, Series]:
        columns: dict[str, Series] = {}
        for row in self.rows:
            for name, value in row.items():
                series = columns.setdefault(name, Series([], []))
                if isfinite(value):
                    series.examples.append(int(row[X]))
                    series.values.append(value)
        return columns

    @property
    def examples(self) -> int:
        """Images seen at the last row."""
        return int(self.rows[-1][X]) if self.rows else 0

    def names(self, prefix: str) -> list[str]:
        """Logged quantities whose names begin so, in the order of the log."""
        return [name for name in self._columns if name.startswith(prefix)]

    @property
    def players(self) -> list[str]:
        """Of the game, as the log tells."""
        return [name.removesuffix("/steps") for name in self.names("") if name.endswith("/steps")]

    @property
    def has_other_terms(self) -> bool:
        """Whether the generator minimises more than an adversarial loss, such as a distance."""
        terms = [name.partition("/")[2] for name in self.names("generator/")]
        return any(not term.startswith(("adversarial", "steps")) for term in terms)

    @property
    def is_critic(self) -> bool:
        """Whether the scores have no boundary between real and generated, and losses no scale."""
        return self.loss not in BOUNDED

    @property
    def loss(self) -> str | None:
        """The class of the adversarial loss, if there is one."""
        loss = (self.config.get("loss") or {}).get("adversarial") or {}
        return loss["_target_"].rpartition(".")[2] if "_target_" in loss else None

    @property
    def monitor(self) -> str | None:
        """The score that best.ckpt goes by, if any."""
        return ((self.config.get("callbacks") or {}).get("checkpoints") or {}).get("monitor")

    def score(self) -> tuple[str, Series, bool] | None:
        """The score to follow, its curve, and whether more is better; None where none is known.

        It is the one that best.ckpt goes by, else the first in the order of `SCORES`.
        """
        checkpoints = (self.config.get("callbacks") or {}).get("checkpoints") or {}
        if (name := self.monitor) and self[name]:
            return name, self[name], checkpoints.get("mode", "min") == "max"
        for prefix, more_is_better in SCORES.items():
            for name in self.names(prefix):
                return name, self[name], more_is_better
        return None

    @property
    def modes(self) -> tuple[float, int] | None:
        """Modes or classes found at the newest evaluation, and how many there are, if known."""
        total = (self.config.get("data") or {}).get("classes")
        names = [*self.names("modes"), *self.names("classes_present")]
        found = self[names[0]].newest if names else None
        return (found, int(total)) if found is not None and total else None


def swings(values: list[float], low: float, high: float) -> int:
    """How often a course goes from below `low` to above `high` or back."""
    sides = [value > high for value in values if value > high or value < low]
    return sum(a != b for a, b in pairwise(sides))
