"""The summary that a finished run prints: what it has made, and what to do next."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from ganlab.errors import RunError
from ganlab.record.run import read_config, read_record

# data sets of the user's own pictures
OWN = ("ganlab.data.ImageFolder", "ganlab.data.PairedImages", "ganlab.data.UnpairedImages")


def best_picture(folder: Path) -> Path | None:
    """Return the sample picture from the time of the best score.

    If there is no such picture, the newest picture is returned; without pictures, None.
    """
    pictures = sorted(p for p in (folder / "samples").glob("*.png") if p.stem.isdecimal())
    best = (read_record(folder).get("best") or {}).get("examples_seen")
    at_best = [picture for picture in pictures if int(picture.stem) == best]
    return (at_best or pictures or [None])[-1]


def summary(folder: Path, needs: Sequence[str]) -> str:
    """Return a text that says where the run is, what its scores mean, and what to do next.

    Args:
        folder: the run's folder.
        needs: the keys of the batches that the model needs, which say what kind of data it is for.
    """
    record = read_record(folder)
    minutes = _duration(record["seconds"])
    if seconds := record.get("evaluation_seconds"):
        minutes += f" ({seconds / record['seconds']:.0%} of it scoring)"
    lines = [
        f"Finished: {record['counters']['examples_seen']:,} examples, {minutes}.",
        f"  folder     {folder}",
    ]
    if picture := best_picture(folder):
        is_best = int(picture.stem) == (record.get("best") or {}).get("examples_seen")
        best = " (the best by score)" if is_best else ""
        lines.append(f"  samples    {picture}{best}")
    if _ended_by_the_clock(read_config(folder).get("budget") or {}, record["counters"]):
        lines.append(
            "  The limit of minutes ended this run, so its result cannot be repeated bit for bit. "
            "For that, limit the examples alone: budget.minutes=null budget.examples=…"
        )
    explained = [score["words"] for score in record["scores"].values() if score.get("words")]
    lines += [f"  {text}" for text in [*explained, *_diagnosis(folder)]]
    if not record.get("sweep"):  # a sweep, a search or a reproduction says what to do next itself
        lines += ["Next:", *(f"  {line}" for line in next_steps(folder, needs))]
    return "\n".join(lines)


def fitted(text: str) -> str:
    """Return text whose sentences break between words at the terminal's width, if it has one.

    Other lines, such as commands and paths, stay whole, so that they can be copied.
    """
    if not sys.stdout.isatty():
        return text
    width = max(shutil.get_terminal_size().columns, 20)
    lines = []
    for line in text.splitlines():
        if not re.search(r"[.:)]$", line) or len(line.split()) <= 6:
            lines.append(line)
            continue
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds:.2g} seconds" if seconds < 90 else f"{seconds / 60:.1f} minutes"


def _ended_by_the_clock(budget: dict[str, Any], counters: dict[str, Any]) -> bool:
    """Whether a finished run has reached no limit but that of its minutes."""
    reached = [
        budget[name] is not None and counters[f"{name}_seen"] >= budget[name]
        for name in ("examples", "batches")
        if name in budget
    ]
    return bool(budget.get("minutes")) and not budget.get("epochs") and not any(reached)


def next_steps(folder: Path, needs: Sequence[str]) -> list[str]:
    """Return three commands with their purposes: look, compare, and use your own data.

    Args:
        folder: the run's folder.
        needs: see `summary`.
    """
    here, config = shlex.quote(str(folder)), read_config(folder)
    data = config.get("data") or {}
    is_own = data.get("_target_") in OWN and not data.get("archive")
    return [
        f"look       ganlab report run={here}",
        f"compare    ganlab compare {_compared(folder)}",
        f"use it     ganlab {_use(here, needs)}"
        if is_own
        else f"your data  ganlab train {_training(config, needs)} data.root=DIR",
    ]


def _compared(folder: Path) -> str:
    """Return the folder of this run and others on its data; without others, this run and a gap."""
    data = (read_config(folder).get("choices") or {}).get("data")
    for path in islice(folder.parent.glob("*/run.json"), 50):
        with suppress(RunError):
            choices = read_record(path.parent).get("choices") or {}
            if path.parent.name != folder.name and choices.get("data") == data:
                return shlex.quote(str(folder.parent))
    return f"{shlex.quote(str(folder))} OTHER_RUN"


def _use(here: str, needs: Sequence[str]) -> str:
    is_translator = "example" not in needs
    return (
        f"translate run={here} input=DIR output=DIR" if is_translator else f"sample run={here} n=64"
    )


def _training(config: dict[str, Any], needs: Sequence[str]) -> str:
    """Return the overrides that train a model of this kind on the user's own pictures."""
    if "example" in needs:
        # whatever the classes, channels and size of this run's data
        return "model=dcgan_fast data=folder data.size=32 'regularizer=[r1]'"  # quoted for zsh
    model = (config.get("choices") or {}).get("model")
    return f"model={model} data={'paired' if 'source' in needs else 'unpaired'}"


def _diagnosis(folder: Path) -> list[str]:
    """Return the doctor's first finding; nothing if the run has no metrics.csv."""
    from ganlab.reports.doctor.diagnosis import diagnose

    try:
        return [diagnose(folder)[0].explanation]
    except RunError:
        return []
