"""Runs side by side: what is read of them, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganlab.errors import RunError
from ganlab.reports.comparison.facts import ComparedRun, Comparison, RunScore, like
from ganlab.reports.comparison.runs import Found, labelled, read_folders
from ganlab.reports.comparison.settings import varying_keys

__all__ = ["ComparedRun", "Comparison", "RunScore", "like", "read_comparison"]

WANDB = "wandb:"


def read_comparison(paths: Sequence[Path | str]) -> Comparison:
    """The runs in folders, and on Weights & Biases.

    Args:
        paths: a run's folder, a sweep's, or any folder above runs; and
            wandb:ENTITY/PROJECT or wandb:ENTITY/PROJECT/RUN_ID.

    Returns:
        Each run once. What is no run, or cannot be read, is in the notes.

    Raises:
        RunError: no run is left.
    """
    found = Found()
    remote = [str(path) for path in paths if str(path).startswith(WANDB)]
    read_folders((Path(path) for path in paths if not str(path).startswith(WANDB)), found)
    for place in dict.fromkeys(remote):
        from ganlab.reports.comparison.wandb import read_project

        read_project(place.removeprefix(WANDB), found)
    if not found.runs:
        raise RunError(
            "\n  ".join(["there is no run to compare.", *found.notes])
            + "\nRuns are in outputs/<name>/<date>_<time>/."
        )
    runs = labelled(found.runs)
    return Comparison(runs, tuple(found.notes), varying_keys(runs, found.given))
