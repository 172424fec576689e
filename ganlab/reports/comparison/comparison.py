"""Read runs for a comparison, from folders and from Weights & Biases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganlab.errors import RunError
from ganlab.reports.comparison.facts import ComparedRun, Comparison, RunScore, difference
from ganlab.reports.comparison.runs import Found, labelled, read_folders
from ganlab.reports.comparison.settings import varying_keys

__all__ = ["ComparedRun", "Comparison", "RunScore", "difference", "read_comparison"]

WANDB = "wandb:"


def read_comparison(paths: Sequence[Path | str]) -> Comparison:
    """Return the runs in folders and on Weights & Biases, and the settings that differ.

    Args:
        paths: the folder of a run or a sweep, any folder above runs, wandb:ENTITY/PROJECT, or
            wandb:ENTITY/PROJECT/RUN_ID.

    Returns:
        Each run once. Paths that hold no run or cannot be read are named in the notes.

    Raises:
        RunError: there is no run to compare.
        ConfigError: an address that begins with wandb: has another form.
    """
    found = Found()
    remote = [str(path) for path in paths if str(path).startswith(WANDB)]
    read_folders((Path(path) for path in paths if not str(path).startswith(WANDB)), found)
    for address in dict.fromkeys(remote):
        from ganlab.reports.comparison.wandb import read_project

        read_project(address.removeprefix(WANDB), found)
    if not found.runs:
        raise RunError(
            "\n  ".join(["there is no run to compare.", *found.notes])
            + "\nRuns are in outputs/<name>/<date>_<time>/."
        )
    runs = labelled(found.runs)
    return Comparison(runs, tuple(found.notes), varying_keys(runs, found.given))
