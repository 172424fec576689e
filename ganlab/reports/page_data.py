"""What the web page of a comparison shows, gathered from the runs' folders."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ganlab import __version__
from ganlab.errors import GanlabError
from ganlab.reports.comparison import like
from ganlab.reports.diagnosis import examine
from ganlab.reports.evidence import SCORES, Evidence
from ganlab.reports.log import read_metrics
from ganlab.reports.page_curves import curves, read_times
from ganlab.reports.page_pictures import pictures

if TYPE_CHECKING:
    from ganlab.reports.comparison import ComparedRun, Comparison, RunScore

REMOTE = "Read from Weights & Biases: its curves, pictures and condition are shown there."


@dataclass(frozen=True)
class PageData:
    """Everything in a page.

    Attributes:
        comparison: what is shown at once: runs, kinds of scores, settings, notes.
        curves: for each run what `page_curves.curves` returns.
        pictures: for each run what `page_pictures.pictures` returns.
    """

    comparison: dict[str, Any]
    curves: list[dict[str, Any]]
    pictures: list[list[dict[str, Any]]]


def gather(comparison: Comparison) -> PageData:
    """Read the logs and pictures of all runs, and diagnose them."""
    kinds, places = _kinds(comparison.runs)
    share = len(comparison.runs)
    pool = ThreadPoolExecutor()  # Pillow lets others work while it does
    shots = [pool.submit(pictures, r.folder, share) if r.folder else None for r in comparison.runs]
    runs, all_curves, all_pictures, notes = [], [], [], list(comparison.notes)
    for run, scores, shot in zip(comparison.runs, places, shots, strict=True):
        rows, doctor, words = _log(run)
        own, shown = {"axes": [], "series": {}, "times": [[], [], []]}, []
        if run.folder is not None:
            times = read_times(run.folder, run.images_seen, run.batches_seen, run.seconds)
            own = curves(rows, times, share)
            shown, unread = shot.result()
            words += unread
        notes += [f"{run.label}: {text}" for text in words]
        all_curves.append(own)
        all_pictures.append(shown)
        facts = {"scores": scores, "doctor": doctor, "pictures": [p["images"] for p in shown]}
        runs.append(_facts(run) | facts)
    pool.shutdown()
    names = dict.fromkeys(name for own in all_curves for name in own["series"])
    scored = {kind["name"] for kind in kinds}
    contents = {
        "version": __version__,
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "runs": runs,
        "kinds": kinds,
        "varying": list(comparison.varying),
        "settings": _settings(comparison.runs),
        "quantities": list(names),
        "scores": [n for n in names if n.startswith(tuple(SCORES)) or n in scored],
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
        "images": run.images_seen,
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
        return evidence.rows, {"findings": [asdict(f) for f in examine(evidence)]}, []
    except GanlabError as error:
        why = str(error)
    except Exception as error:  # a file that a person edited may hold anything
        why = f"The run cannot be diagnosed: {type(error).__name__}: {error}"
    try:
        return read_metrics(run.folder), {"why": why}, []
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [], {"why": why}, [f"metrics.csv cannot be read: {error}"]


def _kinds(
    runs: tuple[ComparedRun, ...],
) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """The scores by name and protocol, and those of each run with the place of their kind.

    Scores of one kind may be ranked against each other. Kinds come in the order of the best judges
    of quality, those that more runs have first.
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
    found.sort(key=lambda kind: (_rank(kind[0].name), kind[0].name, -len(kind[1])))
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
            places[number].append({"kind": place, "value": score.value, "taken": score.taken})
    return kinds, places


def _rank(name: str) -> int:
    """Place among the judges of quality, the best first."""
    places = (place for place, prefix in enumerate(SCORES) if name.startswith(prefix))
    return next(places, len(SCORES))


def _settings(runs: tuple[ComparedRun, ...]) -> dict[str, Any]:
    """For each setting its values as text, and which of them each run has, −1 for none."""
    everything = [{**run.choices, **run.settings} for run in runs]
    settings = {}
    for key in dict.fromkeys(key for own in everything for key in own):
        values: dict[str, int] = {}
        of = []
        for own in everything:
            if key in own:
                of.append(values.setdefault(_text(own[key]), len(values)))
            else:
                of.append(-1)
        settings[key] = {"values": list(values), "of": 0 if set(of) == {0} else of}
    return settings


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
