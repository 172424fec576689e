"""Read runs from folders, each run once, with notes on what cannot be used."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganlab.errors import RunError
from ganlab.reading import read_json
from ganlab.record.run import read_config, read_record
from ganlab.record.states import state_of
from ganlab.reports.comparison.facts import ComparedRun
from ganlab.reports.comparison.scores import is_number, scores_of
from ganlab.reports.comparison.settings import choices_of, given_keys, parse_sections, settings_of


@dataclass
class Found:
    """The runs that were read so far.

    Attributes:
        runs: the runs, with their full paths as labels.
        notes: sentences on what was left out.
        given: the keys that the runs' command lines override.
    """

    runs: list[ComparedRun] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    given: set[str] = field(default_factory=set)


def read_folders(paths: Iterable[Path], found: Found) -> None:
    """Add the runs at or below some folders to `found`.

    A run that several paths lead to is added once. Paths without runs and damaged runs get a note
    and are skipped.
    """
    seen: set[Path] = set()
    for path in paths:
        folders = _runs_below(path, found.notes)
        repeated = [folder for folder in folders if folder.resolve() in seen]
        if repeated:
            what = (
                "it is" if folders == [path] else f"{len(repeated)} of its {len(folders)} runs are"
            )
            found.notes.append(f"{path}: {what} given more than once; each run counts once.")
        for folder in folders:
            if folder.resolve() not in seen:
                seen.add(folder.resolve())
                _read_into(found, folder)


def _runs_below(path: Path, notes: list[str]) -> list[Path]:
    if not path.is_dir():
        what = "is a file; give the run's folder" if path.exists() else "there is no such folder"
        notes.append(f"{path}: {what}.")
        return []
    before = len(notes)
    folders = sorted(_walk(path, set(), notes), key=_natural)
    if not folders and len(notes) == before:
        notes.append(f"{path}: holds no run (no run.json in it or below).")
    return folders


def _walk(folder: Path, seen: set[str], notes: list[str]) -> Iterator[Path]:
    """Yield the run folders at or below a folder, but none inside a run.

    A folder that cannot be read is skipped with a note.
    """
    if (real := os.path.realpath(folder)) in seen:  # e.g. through a link to a parent folder
        return
    seen.add(real)
    try:
        with os.scandir(folder) as entries:
            names = {entry.name: _is_dir(entry) for entry in entries}
    except OSError as error:
        notes.append(f"{folder}: cannot be read: {error.strerror}.")
        return
    if "run.json" in names or ("config.yaml" in names and "checkpoints" in names):
        yield folder
        return
    for name, is_folder in names.items():
        if is_folder and not name.startswith("."):
            yield from _walk(folder / name, seen, notes)


def _is_dir(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # e.g. a symbolic link to itself
        return False


def _natural(folder: Path) -> list[tuple[int, int, str]]:
    """Return a sort key that sorts numbers by value, so that job 10 comes after job 9."""
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in folder.parts]


def _read_into(found: Found, folder: Path) -> None:
    try:
        run, given = read_run(folder, found.notes)
    except (RunError, OSError) as error:
        found.notes.append(f"{_without_key(error)} The run is left out.")
        return
    found.runs.append(run)
    found.given |= given


def read_run(folder: Path, notes: list[str]) -> tuple[ComparedRun, set[str]]:
    """Return a run, with None for missing facts, and the keys of its overrides.

    Args:
        folder: the run's folder.
        notes: sentences on what cannot be used are appended to it.

    Raises:
        RunError: run.json does not exist or is damaged.
    """
    record = read_record(folder)
    try:
        config = read_config(folder, parse_sections)
    except RunError as error:
        config = {}
        is_there = (folder / "config.yaml").exists()
        problem = _without_key(error) if is_there else f"{folder} has no config.yaml."
        notes.append(f"{problem} The settings of this run are unknown.")
    if config.get("lesson"):
        notes.append(f"{folder}: holds a lesson (a lecture's figure), which has no scores.")
    elif record.get("imported"):
        notes.append(f"{folder}: was imported; its cost excludes the original training.")
    counters = record.get("counters")
    counters = counters if isinstance(counters, dict) else {}
    sweep = record.get("sweep") if isinstance(record.get("sweep"), dict) else None
    choices = choices_of(record.get("choices") or config.get("choices"))
    if not choices and config:
        notes.append(f"{folder}: an older version recorded no choices (model, loss, …).")
    seed = record.get("seed", config.get("seed"))
    error = record.get("error")
    run = ComparedRun(
        label=str(folder),
        folder=folder,
        name=str(record.get("name") or config.get("name") or folder.name),
        state=str(state_of(folder, record)),
        error=str(error) if error else None,
        seed=seed if isinstance(seed, int) else None,
        started=record.get("started"),
        settings=settings_of(config),
        choices=choices,
        scores=scores_of(record, _evaluations(folder, notes), str(folder), notes),
        seconds=_float(record.get("seconds")),
        examples_seen=_int(counters.get("examples_seen")),
        batches_seen=_int(counters.get("batches_seen")),
        peak_memory_mib=_float(record.get("peak_memory_mib")),
        sweep=sweep,
        baseline=record.get("baseline") if isinstance(record.get("baseline"), dict) else None,
        peak_gpu_memory_mib=_float(record.get("peak_gpu_memory_mib")),
    )
    return run, given_keys((sweep or {}).get("overrides") or record.get("command"))


def _evaluations(folder: Path, notes: list[str]) -> list[Any]:
    path = folder / "scores.json"
    try:
        return list(read_json(path)["evaluations"])
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        notes.append(f"{path} is damaged ({error}); the scores in it are left out.")
        return []


def labelled(runs: Sequence[ComparedRun]) -> tuple[ComparedRun, ...]:
    """Return the runs, each with its shortest label that is unique among them."""
    names = [_names(run) for run in runs]
    depth = [0] * len(runs)
    while True:
        labels = [ends[n] for ends, n in zip(names, depth, strict=True)]
        counts = Counter(labels)
        ambiguous = [i for i, label in enumerate(labels) if counts[label] > 1]
        longer = [i for i in ambiguous if depth[i] + 1 < len(names[i])]
        if not longer:
            break
        for i in longer:
            depth[i] += 1
    return tuple(replace(run, label=label) for run, label in zip(runs, labels, strict=True))


def _names(run: ComparedRun) -> list[str]:
    """Return the possible labels of a run, the shortest first."""
    if run.folder is None:
        return [run.label, f"wandb:{run.label}", run.address or f"wandb:{run.label}"]
    parts = Path(os.path.abspath(run.folder)).parts[1:]
    ends = ["/".join(parts[-n:]) for n in range(min(2, len(parts)), len(parts) + 1)]
    job = (run.sweep or {}).get("job", (run.sweep or {}).get("trial"))
    if job is not None and run.sweep.get("name"):
        return [f"{run.sweep['name']}/{job}", *ends[1:]]
    return ends


def _without_key(error: Exception) -> str:
    return str(error).removeprefix("run: ")


def _float(value: Any) -> float | None:
    return float(value) if is_number(value) else None


def _int(value: Any) -> int | None:
    return int(value) if is_number(value) else None
