"""What the doctor reads: the log, the record and the configuration of a run."""

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
from ganlab.record.run import read_config, read_record, refuse_lesson
from ganlab.record.states import state_of
from ganlab.reports.comparison.scores import SCORES, is_number

# Losses with a fixed boundary between the scores of real and generated samples. With these losses
# a discriminator that only guesses has a small loss.
BOUNDED = ("NonSaturating", "Minimax", "Hinge", "LeastSquares")


@dataclass(frozen=True)
class Series:
    """One logged quantity.

    Attributes:
        examples: examples seen at each value.
        values: the values, in the order in which they were logged.
    """

    examples: list[int]
    values: list[float]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def late(self) -> list[float]:
        """The last third of the values, at least the newest; empty if nothing was logged."""
        return self.values[-max(len(self) // 3, 1) :]

    @property
    def early(self) -> list[float]:
        """The first third of the values, at least the first; empty if nothing was logged."""
        return self.values[: max(len(self) // 3, 1)]

    @property
    def newest(self) -> float | None:
        """The last value, or None if nothing was logged."""
        return self.values[-1] if self.values else None

    @property
    def now(self) -> float | None:
        """The median of `late`, or None if nothing was logged."""
        return median(self.late) if self.values else None


@dataclass(frozen=True)
class Evidence:
    """The log, record and configuration of one run.

    Attributes:
        rows: the rows of metrics.csv, see `read_metrics`.
        record: the contents of run.json.
        config: the contents of config.yaml, resolved.
    """

    rows: list[dict[str, float]]
    record: dict[str, Any]
    config: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Evidence:
        """Return the evidence of a run that is running, has ended, or has failed.

        Raises:
            RunError: the folder holds no run, or a lesson (the figure of a lecture experiment); a
                file is damaged; or the run has logged nothing although it has not failed.
        """
        record, config = read_record(folder), read_config(folder)
        record["status"] = state_of(folder, record)
        refuse_lesson(folder, config)
        rows = read_metrics(folder)
        if not rows and record.get("imported"):
            raise RunError(
                f"run: {folder} was imported and not trained here, so it has no log yet. Train it "
                f"further: ganlab train run={folder} resume=true"
            )
        if not rows and record.get("status") != "failed":
            raise RunError(
                f"run: {folder} has logged nothing yet (its status is "
                f"{record['status']}); a row is logged every "
                f"{config.get('log_every', 50)} batches. Try again later, or resume the run."
            )
        return cls(rows, record, config)

    def __getitem__(self, name: str) -> Series:
        """Return the finite values logged under a name; an empty series if there are none."""
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

    def setting(self, key: str) -> Any:
        """Return the setting with a dotted key; None if the configuration has none."""
        node: Any = self.config
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        return node

    def number(self, key: str) -> float | None:
        """Return the setting with a dotted key if it is a finite number, else None."""
        value = self.setting(key)
        return value if is_number(value) else None

    @property
    def examples(self) -> int:
        """The number of examples seen at the last row, 0 without rows."""
        return int(self.rows[-1][X]) if self.rows else 0

    def names(self, prefix: str) -> list[str]:
        """Return the names of logged quantities that begin with a prefix, in the log's order."""
        return [name for name in self._columns if name.startswith(prefix)]

    @property
    def players(self) -> list[str]:
        """The names of the players that have logged steps."""
        return [name.removesuffix("/steps") for name in self.names("") if name.endswith("/steps")]

    @property
    def has_other_terms(self) -> bool:
        """Whether the generator's loss has terms besides the adversarial term, e.g. an L1 term."""
        terms = [name.partition("/")[2] for name in self.names("generator/")]
        return any(not term.startswith(("adversarial", "steps")) for term in terms)

    @property
    def is_critic(self) -> bool:
        """Whether the discriminator is a critic: its scores have no boundary, its loss no scale."""
        return self.loss not in BOUNDED

    @property
    def loss(self) -> str | None:
        """The class name of the adversarial loss, or None."""
        target = self.setting("loss.adversarial._target_")
        return target.rpartition(".")[2] if isinstance(target, str) else None

    @property
    def monitor(self) -> str | None:
        """The name of the score that selects best.ckpt, or None."""
        monitor = self.setting("callbacks.checkpoints.monitor")
        return monitor if isinstance(monitor, str) else None

    def score(self) -> tuple[str, Series, bool] | None:
        """Return the name and curve of a score, and whether higher is better; None without scores.

        It is the score that selects best.ckpt or, if that score is not logged, the first logged
        score in the order of `SCORES`.
        """
        if (name := self.monitor) and self[name]:
            return name, self[name], self.setting("callbacks.checkpoints.mode") == "max"
        for prefix, more_is_better in SCORES.items():
            for name in self.names(prefix):
                return name, self[name], more_is_better
        return None

    @property
    def modes(self) -> tuple[float, int] | None:
        """The number of modes or classes found by the newest evaluation, and their total number.

        None if they were not counted.
        """
        total = self.number("data.classes")
        names = [*self.names("modes"), *self.names("classes_present")]
        n_found = self[names[0]].newest if names else None
        return (n_found, int(total)) if n_found is not None and total else None


def swings(values: list[float], low: float, high: float) -> int:
    """Return how often the values change from below `low` to above `high`, or back."""
    sides = [value > high for value in values if value > high or value < low]
    return sum(a != b for a, b in pairwise(sides))
