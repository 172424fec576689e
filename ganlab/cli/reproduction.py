"""One reproduction: the seeds of an experiment, their scores, and the record of it all."""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganlab.cli.seed_run import SeedRun
from ganlab.errors import ConfigError, DataError, RunError
from ganlab.reports.baselines import Baseline, Verdict, in_percent, interval, judge


@dataclass
class Reproduction:
    """The runs of an experiment's seeds in one folder, which is a sweep's folder too.

    Args:
        folder: where they are.
        baseline: what they are held against.
        seeds: one run each, in this order.
        scale: of the recipe's length.
        overrides: of the training, on top of the experiment.
        protocol_overrides: `protocol.…=` and `features.…=`.
        command: as it was typed.
    """

    folder: Path
    baseline: Baseline
    seeds: list[int]
    scale: float = 1.0
    overrides: list[str] = field(default_factory=list)
    protocol_overrides: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        from ganlab.cli.compose import compose, to_plain
        from ganlab.cli.recipe import changes, recipe_hash
        from ganlab.cli.validate import check

        name, best = self.baseline.name, self.baseline.checkpoint == "best"
        own = [f"experiment={name}", f"run_dir={self.folder}"]
        base = to_plain(compose(own))
        self.config = to_plain(compose([*own, *self.overrides]))
        self.protocol = self._protocol()
        self.module, self.data = check(self.config)
        self.changed = changes(self.config, base, best)
        self.recipe_hash = recipe_hash(self.config, best)
        if self.protocol is not None:
            self._check_score()
            if self.protocol.get("name", "").endswith("(changed)"):
                self.changed.append(f"the protocol by {' '.join(self.protocol_overrides)}")

    def _protocol(self) -> dict[str, Any] | None:
        from ganlab.cli.protocols import chosen

        if self.baseline.protocol is None:
            return None
        for text in self.protocol_overrides:
            if text.startswith("protocol="):
                raise ConfigError(
                    f"{text}: the baseline's protocol is {self.baseline.protocol}. For scores of "
                    "another one use ganlab evaluate."
                )
        return chosen(None, [f"protocol={self.baseline.protocol}", *self.protocol_overrides])

    def _check_score(self) -> None:
        from ganlab.core.build import make
        from ganlab.core.checks import check_targets

        check_targets({"protocol": self.protocol})
        recipe = make(self.protocol)
        recipe.check(self.module, self.data)
        if self.baseline.score not in recipe.names and not self.protocol_overrides:
            raise ConfigError(
                f"experiment {self.baseline.name}: baseline.score: {self.baseline.score} is not "
                f"one of {self.baseline.protocol}, which gives {', '.join(recipe.names)}."
            )

    def plan(self) -> None:
        """Write down the runs that are not there yet.

        Raises:
            RunError: the folder cannot be written.
        """
        from ganlab.cli.plan import plan
        from ganlab.cli.recipe import shortened
        from ganlab.reports.files import write_text

        name = self.baseline.name
        overrides = [f"experiment={name}", *self.overrides]
        if self.scale != 1:
            overrides += [
                *shortened(self.config, self.scale),
                f"name={name}_scaled_{self.scale:g}",
                f"++baseline.scale={self.scale:g}",
            ]
        jobs = [
            {"job": number, "folder": str(number), "overrides": [*overrides, f"seed={seed}"]}
            for number, seed in enumerate(self.seeds)
        ]
        content = {
            "name": f"reproduce/{name}",
            "kind": "reproduce",
            "planned": _now(),
            "launcher": [],
            "command": self.command,
            "experiment": name,
            "seeds": self.seeds,
            "scale": self.scale,
            "overrides": self.overrides,
            "protocol_overrides": self.protocol_overrides,
            "jobs": jobs,
        }
        write_text(self.folder / "sweep.json", json.dumps(content, indent=2) + "\n")
        of = {"name": content["name"], "kind": "reproduce", "scale": self.scale}
        for job, run in zip(jobs, self.runs, strict=True):
            if not run.record:
                own = {"job": job["job"], "overrides": [job["overrides"][-1]]}
                plan(run.folder, job["overrides"], of=of | own)

    def prepare(self) -> str:
        """Get what training and scoring need; returns the hash of the training data.

        Raises:
            DataError: everything that is missing, in one message.
        """
        from ganlab.core.build import make

        data, missing, hashed = make(self.config["data"]), [], ""
        try:
            data.prepare_data()
            data.setup("fit")
            hashed = data.content_hash("train")
        except DataError as error:
            missing.append(str(error))
        if self.protocol is not None:
            recipe = make(self.protocol)
            try:
                if not missing:
                    recipe.prepare(data)
                elif features := getattr(recipe, "features", None):
                    features()
            except DataError as error:
                missing.append(str(error))
        if missing:
            raise DataError("\n".join([*missing, "Nothing has been trained."]))
        return hashed

    @property
    def runs(self) -> list[SeedRun]:
        """One for each seed."""
        return [
            SeedRun(self.folder / str(number), seed, self.baseline, self.protocol)
            for number, seed in enumerate(self.seeds)
        ]

    @property
    def is_complete(self) -> bool:
        """Whether each seed is trained and scored."""
        return all(run.is_trained and run.is_scored for run in self.runs)

    @property
    def title(self) -> str:
        """The experiment, and that it is shortened."""
        scaled = f", scaled to {in_percent(self.scale)}" if self.scale != 1 else ""
        return f"{self.baseline.name}{scaled}"

    def run(self) -> None:
        """Train what is not trained, and score what is not scored.

        Raises:
            KeyboardInterrupt: Ctrl-C; it can go on later.
        """
        from ganlab.cli.evaluate import evaluate_run
        from ganlab.cli.plan import run_planned

        for number, run in enumerate(self.runs):
            if not run.is_trained:
                _say(f"{self.title}: seed {run.seed} ({number + 1} of {len(self.seeds)})")
                run_planned(run.folder)
            if run.is_trained and not run.is_scored:
                name = self.protocol.get("name", self.baseline.protocol)
                _say(f"{self.title}: scores of seed {run.seed} by {name} …")
                evaluate_run(run.folder, self.protocol, self.baseline.checkpoint)

    def scores(self) -> tuple[list[float], list[str]]:
        """One value for each seed that has one, NaN for divergence; why the others have none."""
        values, missing = [], []
        for run in self.runs:
            if run.has_diverged:
                values.append(math.nan)
            elif self.protocol is None:
                continue
            elif known := run.score():
                values.append(known["value"])
            else:
                record = run.record
                state = "has no score" if run.is_trained else f"is {record.get('status')}"
                reason = f": {record['error']}" if record.get("error") else ""
                missing.append(f"seed {run.seed} {state}{reason}")
        return values, missing

    def verdict(self) -> Verdict:
        """What it comes to as things stand."""
        values, missing = self.scores()
        return judge(self.baseline, values, changed=self.changed, scale=self.scale, missing=missing)

    def write(self, data_hash: str) -> Path:
        """Write verdict.json, with all that is needed to repeat the reproduction."""
        from ganlab.reports.files import write_text

        values, missing = self.scores()
        finite = [value for value in values if math.isfinite(value)]
        verdict, baseline = self.verdict(), self.baseline
        content = {
            "name": baseline.name,
            "at": _now(),
            "verdict": verdict.word,
            "words": verdict.words,
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
            "mean": statistics.fmean(finite) if finite else None,
            "interval": interval(finite),
            "seeds": self.seeds,
            "values": [value if math.isfinite(value) else None for value in values],
            "command": self.command,
            "overrides": self.overrides + self.protocol_overrides,
            "recipe_hash": self.recipe_hash,
            "data_hash": data_hash,
            "runs": [run.described() for run in self.runs],
        }
        path = self.folder / "verdict.json"
        write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
        return path


def read_plan(folder: Path, name: str) -> dict[str, Any] | None:
    """What a reproduction in `folder` was started with; None where there is nothing yet.

    Raises:
        RunError: it holds something else.
    """
    path = folder / "sweep.json"
    if not path.exists():
        if (folder / "run.json").exists():
            raise RunError(f"out: {folder} holds a run; choose another folder.")
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"out: {path} is damaged: {error}.") from error
    if content.get("experiment") != name or content.get("kind") != "reproduce":
        what = content.get("experiment") or content.get("name")
        raise RunError(f"out: {folder} holds {what}, not a reproduction of {name}.")
    return content


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _say(text: str) -> None:
    print(f"ganlab: {text}", file=sys.stderr, flush=True)
