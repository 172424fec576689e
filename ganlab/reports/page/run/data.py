"""The data that the web page of one run shows, read from the run's folder."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image

from ganlab import __version__
from ganlab.errors import RunError
from ganlab.record.log import X
from ganlab.record.run import read_config, read_record
from ganlab.record.stored import placed
from ganlab.reports.comparison.facts import ComparedRun
from ganlab.reports.comparison.runs import read_run
from ganlab.reports.comparison.scores import direction_of, is_number
from ganlab.reports.page.groups import text_of
from ganlab.reports.page.log import curves_of, read_log
from ganlab.reports.page.pictures import fitted, moments, read_pictures, sample_paths
from ganlab.reports.page.run import film
from ganlab.reports.page.run.command import repetition
from ganlab.reports.page.run.settings import defaults_of, tree_of

# files of a run's folder that the page shows, with their titles; others have their names as titles
FIGURES = {
    "figure.png": "The lesson’s figure",
    "real.png": "Real examples",
    "neighbours.png": "Samples, and below each its nearest training example",
    "generated.png": "Samples made by ganlab sample",
}
REPEATED = ("contact_sheet.png", "curves.png")  # what the page shows in another form
MOST_FIGURES = 6
FIGURE_BYTES = 450_000  # maximum for all figures, before they become text
FIGURE_ATTEMPTS = ((1600, None), (1600, 85), (1200, 80), (800, 80), (480, 72), (240, 72), (120, 60))
QUANTITIES = 400  # maximum number of curves
SCORES = 200  # maximum number of scores
NAME, TEXT = 120, 2000  # maximum number of characters in a name, and in an error or a sentence
ENTRY = 300  # maximum number of characters in an entry of a protocol
# the format of numbers in which most is computed, by trainer.precision
FORMATS = {"32-true": "float32", "32": "float32", "bf16-mixed": "bfloat16", "16-mixed": "float16"}


@dataclass(frozen=True)
class RunPage:
    """Everything that is written into the page of a run.

    Attributes:
        blocks: the data by name, as the scripts of the page read it.
        frames: the pictures of the film, in their order.
        notes: sentences on what was left out.
    """

    blocks: dict[str, Any]
    frames: list[Image]
    notes: list[str]


def gather(folder: Path, memory: int) -> RunPage:
    """Return the data of a run's page; a file that cannot be used becomes a note.

    Args:
        folder: the run's folder.
        memory: bytes that a picture may take while it is reduced.

    Raises:
        RunError: the folder holds no run, or its run.json is damaged.
    """
    record, notes = read_record(folder), []
    run, _ = read_run(folder, notes)
    try:
        config = placed(read_config(folder), folder)
    except RunError:
        config = {}  # `read_run` has made a note
    rows, doctor, notices = read_log(run)
    rows = _bounded(rows, notices)
    curves = curves_of(run, rows, 1, notices)
    opened, unread = read_pictures(sample_paths(folder, film.FRAMES), film.SIDE, memory)
    shown = moments(fitted(opened, film.BYTES, film.ATTEMPTS))
    figures, damaged = _figures(folder, memory)
    defaults = defaults_of(config, folder) if config else None
    tree, is_complete = tree_of(config, defaults.config if defaults else None)
    if not is_complete:
        notices.append(f"Only the first entries of config.yaml are shown, of {folder}.")
    notes += [*notices, *unread, *damaged]
    contents = {
        "version": __version__,
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "run": _facts(run, record, config),
        "isLesson": bool(config.get("lesson")),
        "numbers": _numbers(record),
        "command": vars(repetition(folder, record, config, defaults)),
        "scores": _scores(run, rows, notes),
        "best": _best(record),
        "doctor": _doctor(doctor),
        "settings": {
            "tree": tree,
            "compared": _compared(defaults.overrides) if defaults and defaults.config else None,
            "why": defaults.why if defaults else "config.yaml cannot be read.",
        },
        "quantities": list(curves["series"]),
        "scored": [name for name in curves["series"] if _is_score(name, run)],
        "notes": [_cut(note, TEXT) for note in notes],
    }
    blocks = {"run": contents, "run-curves": curves, "run-film": shown, "run-figures": figures}
    return RunPage(blocks, list(opened.values()), notes)


def _facts(run: ComparedRun, record: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    hardware, versions = record.get("hardware") or {}, record.get("versions") or {}
    cores = hardware.get("cpu_cores")
    machine = hardware.get("accelerator") or (f"{cores} CPU cores" if cores else None)
    names = ("ganlab", "torch", "lightning", "python")
    commit = record.get("git_commit")
    facts = {
        "Folder": str(run.folder),
        "Sweep": f"{run.sweep.get('name')}, job {run.sweep.get('job')}" if run.sweep else None,
        "Machine": machine,
        "Precision": _precision(config),
        "Versions": ", ".join(f"{name} {versions[name]}" for name in names if name in versions),
        "Commit": str(commit)[:12] if commit else None,
    }
    return {
        "name": _cut(run.name, NAME),
        "state": run.state,
        "error": run.error and _cut(run.error, TEXT),
        "seed": run.seed,
        "started": run.started,
        "ended": record.get("ended"),
        "seconds": run.seconds,
        "examples": run.examples_seen,
        "batches": run.batches_seen,
        "memory": run.peak_memory_mib,
        "gpuMemory": run.peak_gpu_memory_mib,
        "facts": {name: _cut(text, ENTRY) for name, text in facts.items() if text},
    }


def _precision(config: dict[str, Any]) -> str | None:
    """Return the precision in which a run computes, and whether the processor has chosen it."""
    trainer = config.get("trainer")
    setting = trainer.get("precision") if isinstance(trainer, dict) else None
    if setting is None or config.get("lesson"):
        return None
    name = FORMATS.get(str(setting))
    text = f"{name} ({setting})" if name else str(setting)
    return f"{text}, chosen by precision=auto" if config.get("precision") == "auto" else text


def _bounded(rows: list[dict[str, float]], notices: list[str]) -> list[dict[str, float]]:
    """Return rows with at most `QUANTITIES` columns, whose names have at most `NAME` characters."""
    names = dict.fromkeys(name for row in rows for name in row if name != X)
    kept = [name for name in names if len(name) <= NAME][:QUANTITIES]
    if len(kept) == len(names):
        return rows
    notices.append(
        f"Curves of {len(names) - len(kept):,} of {len(names):,} quantities are left out."
    )
    return [{name: row[name] for name in (X, *kept) if name in row} for row in rows]


def _is_score(name: str, run: ComparedRun) -> bool:
    return bool(direction_of(name)) or any(score.name == name for score in run.scores)


def _scores(
    run: ComparedRun, rows: list[dict[str, float]], notes: list[str]
) -> list[dict[str, Any]]:
    """Return the run's scores in groups that were taken at once and by the same protocol."""
    if len(run.scores) > SCORES:
        notes.append(f"Only the first {SCORES} of {len(run.scores):,} scores are shown.")
    logged = _last_logged((s.name for s in run.scores if s.taken == "training"), rows)
    groups: dict[str, dict[str, Any]] = {}
    for score in sorted(run.scores[:SCORES], key=lambda score: score.better is None):
        entries = list(score.protocol.items())[:40]
        protocol = {_cut(str(key), NAME): _entry(value) for key, value in entries}
        is_trained = score.taken == "training"
        examples = logged.get(score.name) if is_trained else score.examples_seen
        group = {"taken": score.taken, "examples": examples, "protocol": protocol}
        scores = groups.setdefault(text_of(group), group | {"scores": []})["scores"]
        scores.append(
            {
                "name": _cut(score.name, NAME),
                "value": score.value,
                "better": score.better,
                "words": _cut(score.explanation, TEXT),
            }
        )
    return list(groups.values())


def _entry(value: Any) -> Any:
    """Return an entry of a protocol; as text of at most `ENTRY` characters if it may be long."""
    return (
        value
        if value is None or isinstance(value, (bool, int, float))
        else _cut(text_of(value), ENTRY)
    )


def _last_logged(names: Iterable[str], rows: list[dict[str, float]]) -> dict[str, int]:
    """Return the examples seen at the last value of each quantity that is in the log."""
    missing, found = set(names), {}
    for row in reversed(rows):
        for name in missing.intersection(row):
            found[name] = int(row[X])
            missing.remove(name)
        if not missing:
            break
    return found


def _best(record: dict[str, Any]) -> dict[str, Any] | None:
    best = record.get("best") or {}
    if not isinstance(best.get("examples_seen"), int):
        return None
    return {"monitor": _cut(str(best.get("monitor")), NAME), "examples": best["examples_seen"]}


def _numbers(record: dict[str, Any]) -> list[tuple[str, float]]:
    """Return names and values of a lesson's numbers."""
    numbers = record.get("numbers")
    pairs = numbers.items() if isinstance(numbers, dict) else ()
    return [(_cut(str(key), NAME), value) for key, value in pairs if is_number(value)][:SCORES]


def _doctor(doctor: dict[str, Any]) -> dict[str, Any]:
    """Return the doctor's findings, see `read_log`, with texts of bounded length."""
    if "why" in doctor:
        return {"why": _cut(doctor["why"], TEXT)}
    texts = ("evidence", "remedies")
    findings = [
        finding
        | {"words": _cut(finding["words"], TEXT)}
        | {key: [_cut(text, TEXT) for text in finding[key]] for key in texts}
        for finding in doctor["findings"]
    ]
    return {"findings": findings}


def _compared(overrides: list[str]) -> str:
    return " ".join(["ganlab train", *overrides])


def _figures(folder: Path, memory: int) -> tuple[list[dict[str, str]], list[str]]:
    """Return other pictures in the run's folder, and notes on damaged ones."""
    order = [*FIGURES]
    found = [
        path
        for path in folder.glob("*.png")
        if path.name not in REPEATED and path.is_file() and not path.is_symlink()
    ]
    found.sort(key=lambda p: (order.index(p.name) if p.name in order else len(order), p.name))
    opened, notes = read_pictures(found[:MOST_FIGURES], FIGURE_ATTEMPTS[0][0], memory)
    if len(found) > MOST_FIGURES:
        notes.append(f"{len(found) - MOST_FIGURES:,} more pictures of the folder are left out.")
    figures = [
        {"name": path.name, "title": FIGURES.get(path.name, path.stem), "data": url}
        for path, url in fitted(opened, FIGURE_BYTES, FIGURE_ATTEMPTS).items()
    ]
    return figures, notes


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
