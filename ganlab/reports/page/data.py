"""The data that the web page of a comparison shows, read from the runs' folders."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ganlab import __version__
from ganlab.config.values import METRICS_MEMORY
from ganlab.reports.comparison.comparison import ComparedRun, Comparison, RunScore, difference
from ganlab.reports.comparison.facts import is_ranked, value_of
from ganlab.reports.comparison.scores import direction_of, quality_rank
from ganlab.reports.comparison.settings import hashable
from ganlab.reports.comparison.table import Table
from ganlab.reports.page.groups import groups, text_of
from ganlab.reports.page.log import REMOTE, curves_of, read_log
from ganlab.reports.page.pictures import THREADS, pictures

UNRANKED = (
    "Scores marked “not finished” belong to runs whose training has not finished. They are shown, "
    "but neither ranked nor included in the means of groups."
)


@dataclass(frozen=True)
class PageData:
    """Everything that is written into a page.

    Attributes:
        comparison: the data of the page as a whole: runs, groups, kinds of scores, settings, notes.
        curves: for each run, what `page.curves.curves` returns.
        pictures: for each run, the moments that `page.pictures.pictures` returns.
    """

    comparison: dict[str, Any]
    curves: list[dict[str, Any]]
    pictures: list[list[dict[str, Any]]]


def gather(comparison: Comparison, table: Table, memory: int = METRICS_MEMORY) -> PageData:
    """Return the data of a page: read the logs and pictures of all runs, and diagnose each run.

    Args:
        comparison: the runs.
        table: the table of these runs; its keys and its score come first in the page.
        memory: bytes that pictures may take while they are reduced.
    """
    kinds, scores_by_run = _kinds(comparison.runs, table.score)
    n_runs = len(comparison.runs)
    pool = ThreadPoolExecutor(THREADS)  # Pillow releases the interpreter lock while it works
    shots = [
        pool.submit(pictures, run.folder, n_runs, memory) if run.folder else None
        for run in comparison.runs
    ]
    runs, all_curves, all_pictures, notes = [], [], [], [*table.notes, *comparison.notes]
    if not all(score["counts"] for scores in scores_by_run for score in scores):
        notes.append(UNRANKED)
    for run, scores, shot in zip(comparison.runs, scores_by_run, shots, strict=True):
        rows, doctor, notices = read_log(run)
        run_curves = curves_of(run, rows, n_runs, notices)
        shown = _pictures(shot, notices)
        notes += [f"{run.label}: {text}" for text in notices]
        all_curves.append(run_curves)
        all_pictures.append(shown)
        facts = {"scores": scores, "doctor": doctor, "pictures": [p["examples"] for p in shown]}
        runs.append(_facts(run) | facts)
    pool.shutdown()
    names = dict.fromkeys(name for run_curves in all_curves for name in run_curves["series"])
    scored = {kind["name"] for kind in kinds}
    scores = [name for name in names if direction_of(name) or name in scored]
    scores.sort(key=lambda name: name != table.score)
    keys = dict.fromkeys((*table.keys, *comparison.varying))
    contents = {
        "version": __version__,
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "runs": runs,
        "kinds": kinds,
        "table": groups(comparison, table),
        "varying": [key for key in keys if key != "seed"],
        "settings": _settings(comparison.runs, [k for k in table.keys if k in ("name", "sweep")]),
        "quantities": list(names),
        "scores": scores,
        "notes": notes,
    }
    return PageData(contents, all_curves, all_pictures)


def _facts(run: ComparedRun) -> dict[str, Any]:
    return {
        "label": run.label,
        "name": run.name,
        "folder": None if run.folder is None else str(run.folder),
        "state": run.state,
        "error": run.error,
        "seed": run.seed,
        "started": run.started,
        "seconds": run.seconds,
        "examples": run.examples_seen,
        "batches": run.batches_seen,
        "memory": run.peak_memory_mib,
        "remote": REMOTE if run.folder is None else None,
    }


def _pictures(shot: Future | None, notices: list[str]) -> list[dict[str, Any]]:
    """Return a run's pictures; without them, append the reason to `notices`."""
    if shot is None:
        return []
    try:
        shown, unread = shot.result()
        notices += unread
        return shown
    except Exception as error:  # a damaged picture may raise anything
        notices.append(f"its pictures cannot be shown: {type(error).__name__}: {error}")
        return []


def _kinds(
    runs: tuple[ComparedRun, ...], main: str | None
) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Return the kinds of scores, and each run's scores, whose "kind" is an index into the kinds.

    Scores of the same name and protocol are of one kind, and may be ranked against each other.
    Kinds of the score `main` come first, then the names that most runs have, then those of a
    better `quality_rank`. Among kinds of the same name, the kind with the most scores comes first.
    """
    groups: list[tuple[RunScore, list[tuple[int, RunScore]]]] = []
    for number, run in enumerate(runs):
        for score in run.scores:
            for first, members in groups:
                if first.name == score.name and difference(first, score) is None:
                    members.append((number, score))
                    break
            else:
                groups.append((score, [(number, score)]))

    counts = Counter(name for run in runs for name in {score.name for score in run.scores})

    def sort_key(group: tuple[RunScore, list[tuple[int, RunScore]]]) -> tuple:
        name = group[0].name
        return name != main, -counts[name], quality_rank(name), name, -len(group[1])

    groups.sort(key=sort_key)
    kinds: list[dict[str, Any]] = []
    scores_by_run: list[list[dict[str, Any]]] = [[] for _ in runs]
    first_kind: dict[str, RunScore] = {}
    for index, (first, members) in enumerate(groups):
        reference = first_kind.setdefault(first.name, first)
        kinds.append(
            {
                "name": first.name,
                "protocol": first.protocol,
                "protocol_name": first.protocol_name,
                "better": first.better,
                "unlike": None if reference is first else difference(reference, first),
            }
        )
        for number, score in members:
            scores_by_run[number].append(
                {
                    "kind": index,
                    "value": score.value,
                    "taken": score.taken,
                    "counts": is_ranked(runs[number], score),
                }
            )
    return kinds, scores_by_run


def _settings(runs: tuple[ComparedRun, ...], more: list[str]) -> dict[str, Any]:
    """Return for each setting its distinct `values` as text, and `of`: each run's index into them.

    The index is −1 for a run without the setting. `of` is the number 0 if all runs have the same
    value.

    Args:
        runs: the compared runs.
        more: which of "name" and "sweep" are shown as settings, too.
    """
    by_run = []
    for run in runs:
        named = {key: value for key in more if (value := value_of(run, key)) is not None}
        by_run.append({**named, **run.choices, **run.settings})
    settings = {}
    for key in dict.fromkeys(key for run_settings in by_run for key in run_settings):
        indices: dict[Any, int] = {}
        texts, of = [], []
        for run_settings in by_run:
            if key not in run_settings:
                of.append(-1)
                continue
            of.append(indices.setdefault(hashable(run_settings[key]), len(indices)))
            if of[-1] == len(texts):
                texts.append(text_of(run_settings[key]))
        settings[key] = {"values": texts, "of": 0 if set(of) == {0} else of}
    return settings
