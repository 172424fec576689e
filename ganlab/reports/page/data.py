"""What the web page of a comparison shows, gathered from the runs' folders."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ganlab import __version__
from ganlab.errors import GanlabError
from ganlab.record.log import read_metrics
from ganlab.reports.comparison.comparison import ComparedRun, Comparison, RunScore, like
from ganlab.reports.comparison.facts import value_of
from ganlab.reports.comparison.groups import counts
from ganlab.reports.comparison.scores import direction_of, judged
from ganlab.reports.comparison.settings import comparable
from ganlab.reports.comparison.table import Table
from ganlab.reports.doctor.diagnosis import examine
from ganlab.reports.doctor.evidence import Evidence
from ganlab.reports.page.curves import curves, read_times
from ganlab.reports.page.groups import groups, text_of
from ganlab.reports.page.pictures import pictures

REMOTE = "Read from Weights & Biases: its curves, pictures and condition are shown there."
UNRANKED = (
    "Scores marked “not finished” are of runs whose training has not ended. They are shown, but "
    "neither ranked nor in the groups' means."
)


@dataclass(frozen=True)
class PageData:
    """Everything in a page.

    Attributes:
        comparison: what is shown at once: runs, groups, kinds of scores, settings, notes.
        curves: for each run what `page_curves.curves` returns.
        pictures: for each run what `page_pictures.pictures` returns.
    """

    comparison: dict[str, Any]
    curves: list[dict[str, Any]]
    pictures: list[list[dict[str, Any]]]


def gather(comparison: Comparison, table: Table) -> PageData:
    """Read the logs and pictures of all runs, and diagnose them.

    Args:
        comparison: the runs.
        table: of them; what it groups by, and its score, come first.
    """
    kinds, places = _kinds(comparison.runs, table.score)
    share = len(comparison.runs)
    pool = ThreadPoolExecutor()  # Pillow lets others work while it does
    shots = [pool.submit(pictures, r.folder, share) if r.folder else None for r in comparison.runs]
    runs, all_curves, all_pictures, notes = [], [], [], [*table.notes, *comparison.notes]
    if not all(score["counts"] for scores in places for score in scores):
        notes.append(UNRANKED)
    for run, scores, shot in zip(comparison.runs, places, shots, strict=True):
        rows, doctor, notices = _log(run)
        own, shown = _course(run, rows, shot, share, notices)
        notes += [f"{run.label}: {text}" for text in notices]
        all_curves.append(own)
        all_pictures.append(shown)
        facts = {"scores": scores, "doctor": doctor, "pictures": [p["examples"] for p in shown]}
        runs.append(_facts(run) | facts)
    pool.shutdown()
    names = dict.fromkeys(name for own in all_curves for name in own["series"])
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


def _log(run: ComparedRun) -> tuple[list[dict[str, float]], dict[str, Any], list[str]]:
    """A run's log, its findings or why there are none, and what of it could not be read."""
    if run.folder is None:
        return [], {"why": REMOTE}, []
    try:
        evidence = Evidence.read(run.folder)
        return evidence.rows, {"findings": [f.as_dict() for f in examine(evidence)]}, []
    except GanlabError as error:
        why = str(error)
    except Exception as error:  # a file that a person edited may hold anything
        why = f"The run cannot be diagnosed: {type(error).__name__}: {error}"
    try:
        return read_metrics(run.folder), {"why": why}, []
    except (OSError, ValueError, KeyError, TypeError, GanlabError) as error:
        return [], {"why": why}, [f"metrics.csv cannot be read: {error}"]


def _course(
    run: ComparedRun,
    rows: list[dict[str, float]],
    shot: Future | None,
    share: int,
    notices: list[str],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A run's curves and pictures; what cannot be read is empty, and told of in `notices`."""
    own, shown = {"axes": [], "series": {}, "times": [[], [], []]}, []
    if run.folder is None:
        return own, shown
    try:
        times = read_times(run.folder, run.examples_seen, run.batches_seen, run.seconds)
        own = curves(rows, times, share)
    except Exception as error:  # a file that a person edited may hold anything
        notices.append(f"its curves cannot be drawn: {type(error).__name__}: {error}")
    try:
        shown, unread = shot.result()
        notices += unread
    except Exception as error:  # so may a picture
        notices.append(f"its pictures cannot be shown: {type(error).__name__}: {error}")
    return own, shown


def _kinds(
    runs: tuple[ComparedRun, ...], main: str | None
) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """The scores by name and protocol, and those of each run with the place of their kind.

    Scores of one kind may be ranked against each other. The main score comes first, then the best
    judges of quality, those that more runs have first.
    """
    found: list[tuple[RunScore, list[tuple[int, RunScore]]]] = []
    for number, run in enumerate(runs):
        for score in run.scores:
            for first, members in found:
                if first.name == score.name and like(first, score) is None:
                    members.append((number, score))
                    break
            else:
                found.append((score, [(number, score)]))

    def place_of(kind: tuple[RunScore, list[tuple[int, RunScore]]]) -> tuple:
        name = kind[0].name
        return name != main, judged(name), name, -len(kind[1])

    found.sort(key=place_of)
    kinds: list[dict[str, Any]] = []
    places: list[list[dict[str, Any]]] = [[] for _ in runs]
    chief: dict[str, RunScore] = {}
    for place, (first, members) in enumerate(found):
        before = chief.setdefault(first.name, first)
        kinds.append(
            {
                "name": first.name,
                "protocol": first.protocol,
                "protocol_name": first.protocol_name,
                "better": first.better,
                "unlike": None if before is first else like(before, first),
            }
        )
        for number, score in members:
            own = {
                "value": score.value,
                "taken": score.taken,
                "counts": counts(runs[number], score),
            }
            places[number].append({"kind": place} | own)
    return kinds, places


def _settings(runs: tuple[ComparedRun, ...], more: list[str]) -> dict[str, Any]:
    """For each setting its values as text, and which of them each run has, −1 for none.

    Args:
        runs: those compared.
        more: further keys that are shown as settings: "name", "sweep".
    """
    everything = []
    for run in runs:
        named = {key: value for key in more if (value := value_of(run, key)) is not None}
        everything.append({**named, **run.choices, **run.settings})
    settings = {}
    for key in dict.fromkeys(key for own in everything for key in own):
        values: dict[Any, int] = {}
        texts, of = [], []
        for own in everything:
            if key not in own:
                of.append(-1)
                continue
            of.append(values.setdefault(comparable(own[key]), len(values)))
            if of[-1] == len(texts):
                texts.append(text_of(own[key]))
        settings[key] = {"values": texts, "of": 0 if set(of) == {0} else of}
    return settings
