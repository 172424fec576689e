"""The loop of a search: take a trial, train it, and tell Optuna its score."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from ganlab.callbacks.pruning import Pruning
from ganlab.config.sweeps import merge_sweep
from ganlab.errors import ConfigError, RunError
from ganlab.record.run import read_record
from ganlab.record.stored import is_typed, needs_trust
from ganlab.runs.planned import composed, run_planned, write_plan
from ganlab.tuning.report import draw, report
from ganlab.tuning.scores import direction, examples_between_scores, trial_config
from ganlab.tuning.space import split_space, suggest
from ganlab.tuning.study import Search, open_search, take

FOLDER = Path("outputs") / "tune"


def search(overrides: list[str], arguments: dict[str, Any]) -> int:
    """Run a search; return 0 if a trial has finished, 1 if none has, 130 after Ctrl-C.

    Args:
        overrides: overrides of `ganlab train`, in addition to the sweep's overrides.
        arguments: the values of `ARGUMENTS` in ganlab/cli/tune.py.

    Raises:
        ConfigError: the arguments, the configuration or the study are invalid; no trial was run.
    """
    sweep, startup = arguments["sweep"], arguments["startup"]
    _, overrides = merge_sweep([*([f"sweep={sweep}"] if sweep else []), *overrides])
    fixed, space = split_space(overrides)
    if not (name := arguments["study"] or sweep):
        raise ConfigError("study: a search needs a name; give study=NAME, or sweep=NAME.")
    if not space:
        raise ConfigError(
            "sweep: there is nothing to search over; give sweep=NAME, or key=a,b, "
            "key=interval(0.1,0.9) or key=tag(log,interval(1e-4,1e-2))."
        )
    config, protocol = trial_config(fixed, space)
    score, more_is_better = direction(config, protocol, arguments["score"])
    every = examples_between_scores(config) if arguments["prune"] else 0
    opened = open_search(
        FOLDER / name,
        arguments["storage"],
        # a trial is not pruned by its first score
        optuna.pruners.MedianPruner(startup, n_warmup_steps=2 * every),
        score=score,
        more_is_better=more_is_better,
        fixed=fixed,
        space=space,
    )
    end = time.monotonic() + 60 * (arguments["timeout"] or math.inf)
    try:
        while time.monotonic() < end and (taken := take(opened, arguments["trials"])):
            trial, lock = taken
            # each trial has its own seed, so that parallel processes sample different values, and
            # a resumed search samples the values that an uninterrupted search would sample
            opened.study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=startup,
                seed=(arguments["sampler_seed"] + trial.number) % 2**32,
                constant_liar=True,  # avoids values near those of running trials
            )
            try:
                _run(opened, trial, prune=every > 0)
            finally:
                lock.release()
            draw(opened)
    except KeyboardInterrupt:
        _say("\nThe search was stopped; the same command resumes it.")
        report(opened)
        return 130
    return report(opened)


def _run(search: Search, trial: optuna.Trial, *, prune: bool) -> None:
    """Train one trial, or resume it, and tell the study how it ended."""
    searched, folder = suggest(trial, search.space), search.run_of(trial)
    is_resumed = (folder / "run.json").exists()
    _say(f"\ntrial {trial.number}{' is resumed' if is_resumed else ''}: {', '.join(searched)}")
    sweep = {
        "kind": "tune",
        "name": search.folder.name,
        "study": search.folder.name,
        "job": trial.number,
        "trial": trial.number,
        "overrides": searched,
    }
    overrides = [*search.fixed, *searched]
    try:
        config = composed(folder, overrides, sweep)
        if not is_resumed:
            write_plan(folder, config, sweep)
    except ConfigError as error:
        _fail(search, trial, str(error))
        return
    trust = needs_trust(config, folder)
    if trust and not is_typed(folder, config):
        raise RunError(
            f"study: {folder} holds another configuration than this search gives the trial, and "
            "the search uses classes that are not part of ganlab. Delete that folder, or choose "
            "another study=NAME."
        )
    callbacks = [_pruning(search, trial)] if prune else []
    outcome = run_planned(folder, *callbacks, trust=trust)
    if outcome.status == "failed":
        _fail(search, trial, outcome.error or "failed")
    elif outcome.status == "pruned":
        told = search.study.tell(trial, state=TrialState.PRUNED)
        examples = read_record(folder)["counters"]["examples_seen"]
        _say(
            f"trial {trial.number}: pruned after {examples:,} examples, "
            f"{search.score} {told.value:g}"
        )
    elif outcome.status == "finished":
        value = (read_record(folder).get("scores") or {}).get(search.score, {}).get("value")
        if value is None or not math.isfinite(value):
            _fail(search, trial, f"{search.score} is {'missing' if value is None else value}.")
            return
        search.study.tell(trial, value)
        best = search.study.best_trial
        _say(
            f"trial {trial.number}: {search.score} {value:g}; "
            f"the best is {best.value:g}, of trial {best.number}"
        )
    elif outcome.status != "running":  # another process runs the trial, and reports how it ends
        _fail(search, trial, f"the run ended as {outcome.status}.")


def _fail(search: Search, trial: optuna.Trial, error: str) -> None:
    trial.set_user_attr("error", error)
    search.study.tell(trial, state=TrialState.FAIL)
    _say(f"trial {trial.number}: failed: {error}")


def _pruning(search: Search, trial: optuna.Trial) -> Pruning:
    """Return the callback that reports the trial's scores to Optuna and stops a poor trial.

    Scores that were reported before the trial was resumed are not reported again.
    """
    frozen = search.study.get_trials(deepcopy=False)[trial.number]
    reported = set(frozen.intermediate_values)

    def is_poor(examples: int, value: float) -> bool:
        if examples not in reported:
            reported.add(examples)
            trial.report(value, examples)
        return trial.should_prune()

    return Pruning(search.score, is_poor)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
