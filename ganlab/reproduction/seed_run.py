"""One seed of a reproduction: how far its run is, and its score."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganlab.config.moved_folder import relocated
from ganlab.config.recipe import changes
from ganlab.files import finite, write_json
from ganlab.record.old_names import SEEN, current
from ganlab.record.run import read_config, read_record
from ganlab.reproduction.baselines import Baseline

# the score that a reproduction has taken itself; scores.json has those of `ganlab evaluate` too,
# with whatever data and settings
OWN = "reproduction.json"
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

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration as it was trained, or is to be; an empty one where there is none."""
        if not (self.folder / "config.yaml").exists():
            return {}
        config = read_config(self.folder)
        return relocated(config, str(config.get("run_dir")), str(self.folder))

    def changes(self, wanted: dict[str, Any]) -> list[str]:
        """How what it was trained by differs from the recipe that was asked for."""
        if not (config := self.config):
            return []
        found = changes(config, wanted, self.baseline.checkpoint == "best")
        if config.get("seed") != self.seed:
            found.append(f"seed: {self.seed} → {config.get('seed')}")
        return [f"seed {self.seed}: {text}" for text in found]

    def score(self) -> dict[str, Any] | None:
        """Value, protocol and explanation, once training or the reproduction has taken it."""
        record, name = self.record, self.baseline.score
        if record.get("status") != "finished" or self.protocol is None:
            return None
        at_the_end = seen = record["counters"]["examples_seen"]
        if self.baseline.checkpoint == "best":
            seen = (record.get("best") or {}).get("examples_seen", seen)
        callbacks = read_config(self.folder).get("callbacks") or {}
        in_training = (callbacks.get("evaluation") or {}).get("protocol")
        if seen == at_the_end and in_training == self.protocol and name in record["scores"]:
            return record["scores"][name]
        own = self._own()
        is_same = own.get("protocol") == self.protocol and own.get("examples_seen") == seen
        return own["score"] if is_same and own.get("name") == name else None

    def keep(self, entry: dict[str, Any]) -> None:
        """Write down the score that was just taken.

        Args:
            entry: of `ganlab.runs.evaluation.evaluate_run`.
        """
        content = {
            "name": self.baseline.score,
            "protocol": self.protocol,
            "examples_seen": entry[SEEN],
            "score": entry["scores"].get(self.baseline.score),
        }
        write_json(self.folder / OWN, finite(content, lambda _: None))

    def _own(self) -> dict[str, Any]:
        try:
            content = json.loads((self.folder / OWN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # and then it is taken again
        is_whole = isinstance(content, dict) and isinstance(content.get("score"), dict)
        return current(content) if is_whole else {}

    def why_missing(self, error: str | None) -> str:
        """Why it has no score.

        Args:
            error: of taking it.
        """
        record = self.record
        if error:
            return f"seed {self.seed} could not be scored: {error}"
        state = "has no score" if self.is_trained else f"is {record.get('status')}"
        reason = f": {record['error']}" if record.get("error") else ""
        return f"seed {self.seed} {state}{reason}"

    def described(self) -> dict[str, Any]:
        """What a record of the whole keeps of it."""
        record = self.record
        return {
            "folder": self.folder.name,
            "config": f"{self.folder.name}/config.yaml",
            **{key: record.get(key) for key in KEPT},
            "score": self.score(),
        }
