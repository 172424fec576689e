"""Reads a sweep's folder: its jobs and their overrides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganlab.files import check_name, link_error
from ganlab.reading import read_json, reading
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
    with reading("sweep", path):
        content = current(read_json(path))
        _check(content)
        return content


def _check(content: Any) -> None:
    """Raise a ValueError for a sweep whose entries are not those that ganlab writes."""
    if not isinstance(content, dict) or not isinstance(content.get("name"), str):
        raise ValueError("it has no name")
    jobs = content.get("jobs")
    if not isinstance(jobs, list) or not jobs:
        raise ValueError("it lists no jobs")
    for number, job in enumerate(jobs):
        folder = job.get("folder") if isinstance(job, dict) else None
        if not isinstance(folder, str) or job.get("job") != number:
            raise ValueError(f"its job {number} is {repr(job)[:80]}")
        check_name("folder", folder)  # a ConfigError, which is a ValueError
        if "/" in folder:
            raise ValueError(f"the folder of its job {number} is {folder!r}, not a name.")
        _check_texts(job.get("overrides"), f"overrides of job {number}")
    _check_texts(content.get("launcher", []), "launcher")
    if not isinstance(content.get("cwd", ""), str):
        raise ValueError(f"its cwd is {content['cwd']!r}")


def _check_texts(texts: Any, what: str) -> None:
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"its {what} are no list of texts")


def jobs_of(folder: Path) -> list[Job]:
    """Return the jobs of a sweep, in order.

    Raises:
        RunError: see `read_sweep_file`; or the folder of a job is a symbolic link.
    """
    listed = read_sweep_file(folder)["jobs"]
    for entry in listed:
        if (folder / entry["folder"]).is_symlink():
            raise link_error(folder / entry["folder"])
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
