"""`ganlab train … dry_run=true`: print what a run would do, cost and write."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganlab.callbacks.cadence import halvings
from ganlab.core import AdversarialModule
from ganlab.core.build import build_module
from ganlab.data.archives.files import cache_folder, without_downloads
from ganlab.data.batches import count_batches
from ganlab.errors import DataError
from ganlab.estimate.costs import LONGEST, Costs, measure, memory_of
from ganlab.estimate.estimates import Estimate, Length
from ganlab.estimate.report import describe, describe_lesson, tree
from ganlab.ranks import devices_of


def dry_run(config: dict[str, Any]) -> int:
    """Print what `ganlab train` would do with a checked configuration; return 0.

    Some batches are trained in a temporary folder. Nothing is downloaded, and nothing is written
    to the run's folder; data sets are prepared in the cache folder, as in training.

    Raises:
        GanlabError: the same errors as in training, e.g. missing data or a loss that is not finite.
    """
    print(f"{config['name']}: dry run, no result is kept.\n\nConfiguration")
    print("\n".join(tree(config, 1)), flush=True)
    if config.get("lesson"):
        print(describe_lesson(config))
        return 0
    print(
        f"{config['name']}: loading the data, and measuring batches for {LONGEST:.0f} s at most …",
        file=sys.stderr,
        flush=True,
    )
    before = _files(cache_folder())
    estimated = estimate(config)
    print(describe(config, estimated, _files(cache_folder()) - before))
    return 0


def estimate(config: dict[str, Any]) -> Estimate:
    """Measure some batches, and return an estimate for the whole run.

    Raises:
        GanlabError: the same errors as in training.
    """
    costs, length, why = None, None, ""
    trainer = config["trainer"]
    ranks = devices_of(trainer) * int(trainer.get("num_nodes") or 1)
    with tempfile.TemporaryDirectory() as folder, without_downloads() as refused:
        try:
            costs, module = measure(config, folder, refused)
        except DataError as error:
            if not refused:
                raise
            why, module = str(error), build_module(config)
    if costs is not None:
        length = length_of(config, costs, module, ranks)
    networks = {
        name: sum(p.numel() for p in child.parameters())
        for name, child in module.named_children()
        if name != "averaged"
    }
    return Estimate(
        networks={name: count for name, count in networks.items() if count},
        players={r: sum(p.numel() for p in module.parameters_of[r]) for r in module.roles},
        memory=costs.memory if costs else memory_of(module),
        ranks=ranks,
        costs=costs,
        length=length,
        missing=dict(refused),
        why_missing=why,
    )


def _batches_until(limit: float, used: Callable[[int], float]) -> int:
    """Return the number of batches after which a limit of the budget is reached, as in `Budget`.

    Args:
        limit: the limit, in the unit of `used`.
        used: a linear function from the number of batches to the amount that they use.
    """
    batches = max(math.ceil(limit / used(1)), 1)
    while batches > 1 and used(batches - 1) / limit >= 1:  # rounding
        batches -= 1
    return batches


def length_of(
    config: dict[str, Any], costs: Costs, module: AdversarialModule, ranks: int = 1
) -> Length:
    """Return the length of a run, from its budget and the measured costs.

    Raises:
        DataError: the batches of all ranks together exceed the training split.
    """
    size = costs.examples * ranks
    per_epoch = count_batches(costs.samples, costs.examples, ranks)
    cadences = {name: cadences_of(config, name) for name in costs.callbacks | costs.reasons}
    if "doctor" in cadences:  # it acts only when a row is logged
        row = size * config.get("log_every", 50)
        cadences["doctor"] = [max(every, row) for every in cadences["doctor"] if every]
    callback_seconds = sum(
        cost.again * size / every
        for name, cost in costs.callbacks.items()
        for every in cadences[name]
        if every
    )
    used: dict[str, Callable[[int], float]] = {  # the amount that some batches use
        "examples": lambda batches: batches * size,
        "batches": lambda batches: batches,
        "epochs": lambda batches: batches / per_epoch,
        "minutes": lambda batches: batches * (costs.seconds + callback_seconds) / 60,
    }
    limits = {name: config["budget"].get(name) for name in used}
    needed = {
        name: _batches_until(limit, used[name])
        for name, limit in limits.items()
        if limit is not None
    }
    needed["phases"] = max(phase.last_batch(size) for phase in module.phases)
    limit = min(needed, key=needed.get)
    batches = int(needed[limit])
    calls = {name: len(moments(every, size, batches)) for name, every in cadences.items()}
    if "samples" in calls:
        acting = moments(cadences["samples"], size, batches)
        early = halvings(config["callbacks"]["samples"].get("every_examples"))
        acting |= {-(-n // size) for n in early if n <= batches * size}
        calls["samples"] = 1 + len(acting)  # the first is drawn before the first batch
    seconds = batches * costs.seconds
    seconds += sum(cost.times(calls[name]) for name, cost in costs.callbacks.items())
    return Length(
        limit="the last phase" if limit == "phases" else f"budget.{limit}={limits[limit]}",
        batches=batches,
        examples=batches * size,
        epochs=batches / per_epoch,
        steps={role: module.steps_after(role, batches, size) for role in module.roles},
        calls=calls,
        seconds=seconds,
    )


def cadences_of(config: dict[str, Any], name: str) -> list[int | None]:
    """Return the cadences of a callback in examples; None for never.

    "samples" also has the cadence of "evaluation", since a picture is drawn with every score.
    """
    callbacks = config.get("callbacks") or {}
    keys = {
        "samples": [("samples", "every_examples"), ("evaluation", "every_examples")],
        "checkpoints": [("checkpoints", "every_examples"), ("checkpoints", "keep_every")],
    }.get(name, [(name, "every_examples")])
    return [(callbacks.get(callback) or {}).get(key) for callback, key in keys]


def moments(cadences: list[int | None], examples: int, batches: int) -> set[int]:
    """Return the numbers of the batches that reach a multiple of a cadence, and of the last batch.

    Args:
        cadences: cadences in examples; None for never.
        examples: examples in a batch, over all ranks.
        batches: batches of the run; they are numbered from 1.
    """
    acting = {batches}
    for every in cadences:
        if every is not None and every <= examples:
            return set(range(1, batches + 1))
        if every is not None:
            crossed = batches * examples // every
            acting |= {-(-k * every // examples) for k in range(1, crossed + 1)}
    return acting


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()} if folder.is_dir() else set()
