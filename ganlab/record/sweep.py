"""Reads a sweep's folder: its jobs and their overrides."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganlab.errors import RunError
from ganlab.record.old_names import current


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        number: the job's number, counted from 0.
        folder: the run's folder.
        overrides: all overrides of the run, as for `ganlab train`.
        differing: the overrides that not all jobs of the sweep have.
    """

    number: int
    folder: Path
    overrides: list[str]
    differing: list[str]


def read_sweep_file(folder: Path) -> dict[str, Any]:
    """Return the contents of a sweep's sweep.json.

    Raises:
        RunError: the file does not exist or is damaged.
    """
    path = folder / "sweep.json"
    try:
        content = current(json.loads(path.read_text(encoding="utf-8")))
        if not content["jobs"] or not all(job["overrides"] is not None for job in content["jobs"]):
            raise KeyError("jobs")
        for job in content["jobs"]:
            if not re.fullmatch(r"\w[\w.-]*", job["folder"]):
                raise ValueError(f"{job['folder']!r} is no name of a job's folder")
        return content
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"sweep: {folder} is not a sweep's folder (it has no sweep.json). Sweeps are in "
            "outputs/<name>/<date>_<time>/."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"sweep: {path} is damaged: {type(error).__name__} {error}.") from error


def jobs_of(folder: Path) -> list[Job]:
    """Return the jobs of a sweep, in order.

    Raises:
        RunError: see `read_sweep_file`.
    """
    listed = read_sweep_file(folder)["jobs"]
    common = set(listed[0]["overrides"]).intersection(*(job["overrides"] for job in listed))
    return [
        Job(
            entry["job"],
            folder / entry["folder"],
            entry["overrides"],
            [text for text in entry["overrides"] if text not in common],
        )
        for entry in listed
    ]
