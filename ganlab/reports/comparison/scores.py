"""The scores of a run, from its run.json and scores.json, each with its protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from ganlab.record.old_names import SEEN
from ganlab.reports.comparison.facts import RunScore, like

# beginnings of the names of scores, the best judge of quality first, and whether more is better
SCORES = {
    "fid": False,
    "frechet_distance": False,
    "kid": False,
    "kernel_distance": False,
    "mifid": False,
    "sliced_wasserstein": False,
    "high_quality": True,
    "inception_score": True,
    "coverage": True,
    "recall": True,
    "precision": True,
    "accuracy": True,
    "mean_iou": True,
    "lpips": False,
    "psnr": True,
    "ssim": True,
}


def direction_of(name: str) -> Literal["higher", "lower"] | None:
    """Which way a score of this name is better; None where its name alone does not tell."""
    place = judged(name)
    if place == len(SCORES):
        return None
    return "higher" if [*SCORES.values()][place] else "lower"


def judged(name: str) -> int:
    """The place of a score among the judges of quality, 0 the best; their number for no judge."""
    prefixes = [*SCORES]
    found = (i for i, prefix in enumerate(prefixes) if name.startswith(prefix))
    return len(prefixes) if "_std" in name else next(found, len(prefixes))


@dataclass(frozen=True)
class _Taken:
    """A score as it was taken once, at so many examples (None where nobody noted it)."""

    score: RunScore
    examples: int | None


def scores_of(
    record: dict[str, Any], evaluations: Any, label: str, notes: list[str]
) -> tuple[RunScore, ...]:
    """All scores of a run, those of several evaluation seeds averaged.

    Of like protocols the evaluation counts rather than the training's own score, and the one at
    most examples. An evaluation from before a finished run was trained further is left out.

    Args:
        record: run.json.
        evaluations: those in scores.json, empty where there is none.
        label: of the run, for notes.
        notes: sentences on what cannot be used are added to it.
    """
    own = [_Taken(s, None) for s in _read(record.get("scores"), None, "training", label, notes)]
    counters = record.get("counters")
    examples = counters.get("examples_seen") if isinstance(counters, dict) else None
    evaluated = []
    for entry in evaluations:
        if not isinstance(entry, dict):
            continue
        seen = entry.get(SEEN) if is_number(entry.get(SEEN)) else None
        checkpoint = Path(str(entry.get("checkpoint", "last"))).stem
        taken = _read(entry.get("scores"), checkpoint, "evaluate", label, notes)
        is_old = record.get("status") == "finished" and _is_below(seen, examples)
        if is_old and checkpoint == "last":
            notes.append(
                f"{label}: a score in scores.json was taken at {seen:,} examples, before the run "
                f"was trained to {examples:,}; left out. Take it again: ganlab evaluate run=…"
            )
            continue
        evaluated += [_Taken(score, seen) for score in taken]
    known = [_newest(members) for members in _like(evaluated)]
    rest = [t.score for t in own if not any(like(t.score, score) is None for score in known)]
    return tuple(sorted((*rest, *known), key=lambda score: (judged(score.name), score.name)))


def _like(taken: Iterable[_Taken]) -> Iterator[list[_Taken]]:
    """Scores of like protocols together."""
    classes: list[list[_Taken]] = []
    for one in taken:
        mine = next((c for c in classes if like(c[0].score, one.score) is None), None)
        classes.append([one]) if mine is None else mine.append(one)
    yield from classes


def _newest(members: list[_Taken]) -> RunScore:
    """The mean over seeds of the scores that were taken at most examples."""
    most = max(member.examples or 0 for member in members)
    by_seed = {
        str(member.score.protocol.get("seed")): member.score
        for member in members
        if (member.examples or 0) == most
    }
    scores = [*by_seed.values()]
    if len(scores) == 1:
        return scores[0]
    seeds = [score.protocol.get("seed") for score in scores]
    protocol = scores[-1].protocol | {"seed": seeds}
    return replace(scores[-1], value=fmean(s.value for s in scores), protocol=protocol)


def _read(
    scores: Any, checkpoint: str | None, taken: str, label: str, notes: list[str]
) -> list[RunScore]:
    """The scores of one record, without those that are no finite numbers."""
    found = []
    for name, entry in scores.items() if isinstance(scores, dict) else ():
        score = score_from(name, entry, taken)
        if score is None:
            notes.append(f"{label}: {name} is no finite number; left out.")
            continue
        if checkpoint not in (None, "last"):
            score = replace(score, protocol=score.protocol | {"checkpoint": checkpoint})
        found.append(score)
    return found


def score_from(name: str, entry: Any, taken: str) -> RunScore | None:
    """A score from its entry in a record; None where that holds no finite number.

    Args:
        name: of the score.
        entry: value and protocol, and in newer records `higher_is_better`.
        taken: "training" or "evaluate".
    """
    if not isinstance(entry, dict) or not is_number(entry.get("value")):
        return None
    protocol = entry.get("protocol")
    protocol = protocol if isinstance(protocol, dict) else {}
    better = {True: "higher", False: "lower"}.get(entry.get("higher_is_better"))
    if "higher_is_better" not in entry:
        better = direction_of(name)
    named = str(protocol.get("protocol") or "")
    return RunScore(name, float(entry["value"]), protocol, named, better, taken)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_below(a: Any, b: Any) -> bool:
    return is_number(a) and is_number(b) and a < b
