"""The run of one seed of a reproduction: its state and its score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganlab.config.recipe import changes
from ganlab.files import finite, write_json
from ganlab.reading import read_json
from ganlab.record.old_names import SEEN, current
from ganlab.record.run import read_config, read_record
from ganlab.record.stored import relocated
from ganlab.reproduction.baselines import Baseline

# file for the score measured by the reproduction; scores.json is not used, since it may hold
# scores of `ganlab evaluate` with other data or settings
SCORE_FILE = "reproduction.json"
DIVERGED = "NonFiniteLossError"  # first word of the recorded error of a run whose loss diverged
RECORDED = (  # keys of run.json that verdict.json repeats
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
    """The run of one seed, and its score for the baseline.

    Args:
        folder: the run's folder, which need not exist yet.
        seed: the run's seed.
        baseline: names the score and the checkpoint.
        protocol: plain configuration of the protocol; None if people judged the published score.
    """

    folder: Path
    seed: int
    baseline: Baseline
    protocol: dict[str, Any] | None

    @property
    def record(self) -> dict[str, Any]:
        """Content of run.json; empty if the file is missing."""
        return read_record(self.folder) if (self.folder / "run.json").exists() else {}

    @property
    def is_trained(self) -> bool:
        """Whether training is over: the run has finished or diverged."""
        return self.record.get("status") == "finished" or self.has_diverged

    @property
    def has_diverged(self) -> bool:
        """Whether the run failed with a loss that is not finite."""
        record = self.record
        return record.get("status") == "failed" and str(record.get("error")).startswith(DIVERGED)

    @property
    def is_scored(self) -> bool:
        """Whether nothing is left to score: there is a score, no protocol, or the run diverged."""
        return self.has_diverged or self.protocol is None or self.score() is not None

    @property
    def config(self) -> dict[str, Any]:
        """The run's configuration; empty if the run is not planned yet."""
        if not (self.folder / "config.yaml").exists():
            return {}
        config = read_config(self.folder)
        return relocated(config, str(config.get("run_dir")), str(self.folder))

    def changes(self, wanted: dict[str, Any]) -> list[str]:
        """Return the differences of the run's configuration from the recipe `wanted`, as texts."""
        if not (config := self.config):
            return []
        differences = changes(config, wanted, self.baseline.checkpoint == "best")
        if config.get("seed") != self.seed:
            differences.append(f"seed: {self.seed} → {config.get('seed')}")
        return [f"seed {self.seed}: {text}" for text in differences]

    def score(self) -> dict[str, Any] | None:
        """Return the baseline's score with its protocol; None if it has not been measured.

        If training scored with this protocol, and the checkpoint to score is the last one, the
        score is read from run.json, otherwise from reproduction.json.
        """
        record, name = self.record, self.baseline.score
        if record.get("status") != "finished" or self.protocol is None:
            return None
        trained = seen = record["counters"]["examples_seen"]
        if self.baseline.checkpoint == "best":
            seen = (record.get("best") or {}).get("examples_seen", seen)
        callbacks = read_config(self.folder).get("callbacks") or {}
        in_training = (callbacks.get("evaluation") or {}).get("protocol")
        if seen == trained and in_training == self.protocol and name in record["scores"]:
            return record["scores"][name]
        kept = self._read_kept()
        is_same = kept.get("protocol") == self.protocol and kept.get("examples_seen") == seen
        return kept["score"] if is_same and kept.get("name") == name else None

    def keep(self, entry: dict[str, Any]) -> None:
        """Write the score to reproduction.json.

        Args:
            entry: the result of `ganlab.runs.evaluation.evaluate_run`.
        """
        content = {
            "name": self.baseline.score,
            "protocol": self.protocol,
            "examples_seen": entry[SEEN],
            "score": entry["scores"].get(self.baseline.score),
        }
        write_json(self.folder / SCORE_FILE, finite(content, lambda _: None))

    def _read_kept(self) -> dict[str, Any]:
        """Return the content of reproduction.json; empty if the file is missing or damaged."""
        try:
            content = read_json(self.folder / SCORE_FILE)
        except (OSError, ValueError):
            return {}
        is_valid = isinstance(content, dict) and isinstance(content.get("score"), dict)
        return current(content) if is_valid else {}

    def why_missing(self, error: str | None) -> str:
        """Return the reason why the run has no score.

        Args:
            error: message of a failed evaluation, if any.
        """
        record = self.record
        if error:
            return f"seed {self.seed} could not be scored: {error}"
        state = "has no score" if self.is_trained else f"is {record.get('status')}"
        reason = f": {record['error']}" if record.get("error") else ""
        return f"seed {self.seed} {state}{reason}"

    def described(self) -> dict[str, Any]:
        """Return the run's entry for verdict.json."""
        record = self.record
        return {
            "folder": self.folder.name,
            "config": f"{self.folder.name}/config.yaml",
            **{key: record.get(key) for key in RECORDED},
            "score": self.score(),
        }
