"""One seed of a reproduction: how far its run is, and its score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganlab.reports.baselines import Baseline
from ganlab.reports.record import read_record

DIVERGED = "NonFiniteLossError"  # how the error of a run begins that has no finite loss
KEPT = (
    "seed",
    "status",
    "error",
    "started",
    "seconds",
    "counters",
    "peak_memory_mib",
    "versions",
    "git_commit",
    "hardware",
)


@dataclass(frozen=True)
class SeedRun:
    """A run and the score that is asked of it.

    Args:
        folder: of the run; it may not be there yet.
        seed: of the run.
        baseline: says which score, of which checkpoint.
        protocol: plain configuration; None where there is none to score by.
    """

    folder: Path
    seed: int
    baseline: Baseline
    protocol: dict[str, Any] | None

    @property
    def record(self) -> dict[str, Any]:
        """Its run.json; an empty one where there is none."""
        return read_record(self.folder) if (self.folder / "run.json").exists() else {}

    @property
    def is_trained(self) -> bool:
        """Whether there is nothing left to train: it has finished, or diverged."""
        return self.record.get("status") == "finished" or self.has_diverged

    @property
    def has_diverged(self) -> bool:
        """Whether it ended since a loss was not finite."""
        record = self.record
        return record.get("status") == "failed" and str(record.get("error")).startswith(DIVERGED)

    @property
    def is_scored(self) -> bool:
        """Whether there is nothing left to score."""
        return self.has_diverged or self.protocol is None or self.score() is not None

    def score(self) -> dict[str, Any] | None:
        """Value, protocol and words, if training or a later evaluation has taken it; else None."""
        from ganlab.cli.evaluate import read_entries
        from ganlab.reports.record import read_config

        record, name = self.record, self.baseline.score
        if record.get("status") != "finished" or self.protocol is None:
            return None
        at_the_end = seen = record["counters"]["images_seen"]
        if self.baseline.checkpoint == "best":
            seen = (record.get("best") or {}).get("images_seen", seen)
        callbacks = read_config(self.folder).get("callbacks") or {}
        in_training = (callbacks.get("evaluation") or {}).get("protocol")
        if seen == at_the_end and in_training == self.protocol and name in record["scores"]:
            return record["scores"][name]
        for entry in read_entries(self.folder / "scores.json"):
            is_same = entry["protocol"] == self.protocol.get("name", "accuracy")
            if is_same and entry.get("images_seen") == seen and name in entry["scores"]:
                return entry["scores"][name]
        return None

    def described(self) -> dict[str, Any]:
        """What a record of the whole keeps of it."""
        record = self.record
        return {
            "folder": self.folder.name,
            "config": f"{self.folder.name}/config.yaml",
            **{key: record.get(key) for key in KEPT},
            "score": self.score(),
        }
