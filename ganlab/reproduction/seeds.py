"""A reproduction: trains the seeds of an experiment, scores them, and records the verdict."""

from __future__ import annotations

import math
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganlab.config.checks import check
from ganlab.config.compose import compose, to_plain
from ganlab.config.protocols import chosen
from ganlab.config.recipe import changes, protocol_hash, recipe_hash, shortened
from ganlab.config.targets import check_targets
from ganlab.core.build import make
from ganlab.errors import ConfigError, DataError, GanlabError, RunError
from ganlab.files import finite, write_json
from ganlab.record.run import timestamp
from ganlab.record.stored import check_overrides, check_stored, is_typed, needs_trust
from ganlab.reproduction.baselines import (
    Baseline,
    Verdict,
    in_percent,
    interval,
    judge,
    recipe_of,
)
from ganlab.reproduction.seed_run import SeedRun
from ganlab.runs.evaluation import evaluate_run
from ganlab.runs.planned import plan, run_planned


@dataclass
class Reproduction:
    """The runs of an experiment's seeds in one folder, which is also the folder of a sweep.

    Args:
        folder: the folder of the reproduction.
        baseline: the baseline to reproduce.
        seeds: seeds of the runs, in this order.
        scale: fraction of the recipe's length that is trained, in (0, 1].
        overrides: overrides of the experiment for training.
        protocol_overrides: overrides `protocol.…=` and `features.…=` for scoring.
        command: the command as it was typed.
        data_hash: hash of the training data; "" if unknown.
        trust: whether the overrides, and the planned runs, may name classes that are not part of
            ganlab. None if the user has typed the overrides: these may, and so may runs that were
            planned with them.

    Raises:
        RunError: the overrides name such a class, or something else that a stored configuration
            may not hold, and `trust` is false.
    """

    folder: Path
    baseline: Baseline
    seeds: list[int]
    scale: float = 1.0
    overrides: list[str] = field(default_factory=list)
    protocol_overrides: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    data_hash: str = ""
    trust: bool | None = None

    def __post_init__(self) -> None:
        name = self.baseline.name
        recipe = recipe_of(name)
        self.run_overrides = [*recipe, *self.overrides]
        source = f"out: {self.folder / 'sweep.json'}"
        if self.trust is False:
            check_overrides(self.overrides + self.protocol_overrides, source, self.folder)
        base, self.config = self._composed(recipe), self._composed()
        self.protocol = self._protocol()
        if self.trust is False:
            check_stored(self.config | {"protocol": self.protocol}, source, self.folder)
        self.module, self.data = check(self.config)
        self.requested_changes = changes(self.config, base, self.baseline.checkpoint == "best")
        self.unscored: dict[int, str] = {}  # maps a seed to the error of its evaluation
        if self.protocol is not None:
            self._check_score()
            if self.protocol.get("name", "").endswith("(changed)"):
                self.requested_changes.append(
                    f"the protocol by {' '.join(self.protocol_overrides)}"
                )
        if self.scale != 1:
            self.run_overrides += [
                *shortened(self.config, self.scale),
                f"name={name}_scaled_{self.scale:g}",
                f"++baseline.scale={self.scale:g}",
            ]
            self.config = self._composed()

    def _composed(self, overrides: list[str] | None = None) -> dict[str, Any]:
        composed = compose(overrides or self.run_overrides)
        composed.run_dir = str(self.folder)  # set here, since an override would parse the name
        return to_plain(composed)

    @property
    def changed(self) -> list[str]:
        """Differences of the overrides, and of the planned runs, from the baseline's recipe."""
        return self.requested_changes + [
            text for run in self.runs for text in run.changes(self.config)
        ]

    @property
    def recipe_hash(self) -> str | None:
        """The hash of the runs' recipe; None if the runs differ."""
        configs = [run.config for run in self.runs]
        best = self.baseline.checkpoint == "best"
        hashes = {recipe_hash(config or self.config, best) for config in configs}
        return hashes.pop() if len(hashes) == 1 else None

    def _protocol(self) -> dict[str, Any] | None:
        if self.baseline.protocol is None:
            return None
        for text in self.protocol_overrides:
            if text.startswith("protocol="):
                raise ConfigError(
                    f"{text}: the baseline's protocol is {self.baseline.protocol}. For another "
                    "protocol use ganlab evaluate."
                )
        return chosen(None, [f"protocol={self.baseline.protocol}", *self.protocol_overrides])

    def _check_score(self) -> None:
        check_targets({"protocol": self.protocol})
        protocol = make(self.protocol)
        protocol.check(self.module, self.data)
        if self.baseline.score not in protocol.names and not self.protocol_overrides:
            raise ConfigError(
                f"experiment {self.baseline.name}: baseline.score: {self.baseline.score} is not a "
                f"score of {self.baseline.protocol}; allowed {', '.join(protocol.names)}."
            )

    def carry_out(self) -> Path:
        """Train and score the missing seeds, write the verdict, and return its path.

        Raises:
            DataError, RunError: see `prepare` and `plan`.
            KeyboardInterrupt: Ctrl-C; if sweep.json exists by then, it can be resumed.
        """
        if not self.is_complete:
            self.prepare()
            self.plan()
        self.run()
        return self.write()

    def plan(self) -> None:
        """Write sweep.json, and plan the runs that are not planned yet.

        Raises:
            RunError: the folder cannot be written.
        """
        name = self.baseline.name
        jobs = [
            {
                "job": number,
                "folder": str(number),
                "overrides": [*self.run_overrides, f"seed={seed}"],
            }
            for number, seed in enumerate(self.seeds)
        ]
        content = {
            "name": f"reproduce/{name}",
            "kind": "reproduce",
            "planned": timestamp(),
            "launcher": [],
            "command": self.command,
            "experiment": name,
            "seeds": self.seeds,
            "scale": self.scale,
            "overrides": self.overrides,
            "protocol_overrides": self.protocol_overrides,
            "data_hash": self.data_hash,
            "jobs": jobs,
        }
        write_json(self.folder / "sweep.json", content)
        sweep_info = {"name": content["name"], "kind": "reproduce", "scale": self.scale}
        for job, run in zip(jobs, self.runs, strict=True):
            if not run.record:
                job_info = {"job": job["job"], "overrides": [job["overrides"][-1]]}
                plan(run.folder, job["overrides"], of=sweep_info | job_info)

    def prepare(self) -> None:
        """Load the data and the feature network, and compute the hash of the training data.

        Raises:
            DataError: data or weights are missing; one message names all of them.
            RunError: the training data differ from those at the start of the reproduction.
        """
        data, missing, data_hash = make(self.config["data"]), [], ""
        try:
            data.prepare_data()
            data.setup("fit")
            data_hash = data.content_hash("train")
        except DataError as error:
            missing.append(str(error))
        if self.protocol is not None:
            protocol = make(self.protocol)
            try:
                if not missing:
                    protocol.prepare(data)
                elif features := getattr(protocol, "features", None):
                    features()
            except DataError as error:
                missing.append(str(error))
        if missing:
            raise DataError("\n".join([*missing, "Nothing has been trained."]))
        if self.data_hash not in ("", data_hash):
            raise RunError(
                f"out: {self.folder} was started with other training data (their hash was "
                f"{self.data_hash}, now it is {data_hash}). Restore those data, or choose another "
                "folder."
            )
        self.data_hash = data_hash

    @property
    def runs(self) -> list[SeedRun]:
        """The runs, one for each seed."""
        return [
            SeedRun(self.folder / str(number), seed, self.baseline, self.protocol)
            for number, seed in enumerate(self.seeds)
        ]

    @property
    def is_complete(self) -> bool:
        """Whether all seeds are trained and scored."""
        return all(run.is_trained and run.is_scored for run in self.runs)

    @property
    def title(self) -> str:
        """The experiment's name, with the scale if it is not 1."""
        scaled = f", scaled to {in_percent(self.scale)}" if self.scale != 1 else ""
        return f"{self.baseline.name}{scaled}"

    def run(self) -> None:
        """Train the untrained seeds, and score the unscored ones.

        Raises:
            KeyboardInterrupt: Ctrl-C; the reproduction can be resumed.
        """
        for number, run in enumerate(self.runs):
            if not run.is_trained:
                _say(f"{self.title}: seed {run.seed} ({number + 1} of {len(self.seeds)})")
                run_planned(run.folder, trust=self._trusts(run))
            if run.is_trained and not run.is_scored:
                name = self.protocol.get("name", self.baseline.protocol)
                _say(f"{self.title}: scores of seed {run.seed} with {name} …")
                try:
                    checkpoint = self.baseline.checkpoint
                    trust = self._trusts(run)
                    run.keep(evaluate_run(run.folder, self.protocol, checkpoint, trust=trust))
                except GanlabError as error:
                    self.unscored[run.seed] = str(error)
                    _say(run.why_missing(str(error)))

    def _trusts(self, run: SeedRun) -> bool:
        """Whether a run may be built although it names classes that are not part of ganlab."""
        if self.trust is not None or not needs_trust(self.config, self.folder):
            return bool(self.trust)
        overrides = [*self.run_overrides, f"seed={run.seed}"]
        return is_typed(run.folder, self._composed(overrides))

    def scores(self) -> tuple[list[float], list[str]]:
        """Return the seeds' scores, NaN for diverged seeds; and why other seeds have no score."""
        values, missing = [], []
        for run in self.runs:
            if run.has_diverged:
                values.append(math.nan)
            elif self.protocol is None:
                continue
            elif score := run.score():
                value = score["value"]
                values.append(math.nan if value is None else value)
            else:
                missing.append(run.why_missing(self.unscored.get(run.seed)))
        return values, missing

    def verdict(self) -> Verdict:
        """Return the verdict on the scores so far."""
        values, missing = self.scores()
        return judge(self.baseline, values, changed=self.changed, scale=self.scale, missing=missing)

    def write(self) -> Path:
        """Write verdict.json, with all settings that repeat the reproduction; return its path."""
        values, missing = self.scores()
        is_finite = bool(values) and all(map(math.isfinite, values))
        verdict, baseline = self.verdict(), self.baseline
        content = {
            "name": baseline.name,
            "at": timestamp(),
            "verdict": verdict.name,
            "words": verdict.sentence,
            "scale": self.scale,
            "changed": self.changed,
            "missing": missing,
            "score": baseline.score,
            "protocol": self.protocol and self.protocol.get("name", baseline.protocol),
            "checkpoint": baseline.checkpoint,
            "better": baseline.better,
            "target": baseline.target,
            "tolerance": baseline.tolerance,
            "failure": baseline.failure,
            "published": list(baseline.published),
            "mean": statistics.fmean(values) if is_finite else None,
            "interval": interval(values) if is_finite else None,
            "seeds": self.seeds,
            "values": values,
            "command": self.command,
            "overrides": self.overrides + self.protocol_overrides,
            "recipe_hash": self.recipe_hash,
            "protocol_hash": self.protocol and protocol_hash(self.protocol),
            "data_hash": self.data_hash,
            "runs": [run.described() for run in self.runs],
        }
        path = self.folder / "verdict.json"
        write_json(path, finite(content, lambda _: None))
        return path


def _say(text: str) -> None:
    print(f"ganlab: {text}", file=sys.stderr, flush=True)
