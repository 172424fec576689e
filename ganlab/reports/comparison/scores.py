"""The scores of a run, from its run.json and scores.json, each with its protocol."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from ganlab.record.old_names import SEEN
from ganlab.reports.comparison.facts import RunScore, comparable, difference

# Prefix of a score's name: whether higher is better. The score that judges quality best is first.
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
    """Return whether higher or lower scores of this name are better; None if unknown."""
    rank = quality_rank(name)
    if rank == len(SCORES):
        return None
    return "higher" if [*SCORES.values()][rank] else "lower"


def quality_rank(name: str) -> int:
    """Return the position in `SCORES` of a score's prefix, 0 for the best judge of quality.

    Return `len(SCORES)` if the score has no such prefix or is a standard deviation.
    """
    prefixes = [*SCORES]
    matches = (i for i, prefix in enumerate(prefixes) if name.startswith(prefix))
    return len(prefixes) if "_std" in name else next(matches, len(prefixes))


def scores_of(
    record: dict[str, Any], evaluations: Any, label: str, notes: list[str]
) -> tuple[RunScore, ...]:
    """Return all scores of a run, averaged over evaluation seeds.

    Among scores of the same name and protocol, evaluations replace the score from training. Among
    these evaluations, only those with the most examples seen are used. If a finished run was
    trained further, earlier evaluations of its last checkpoint are left out, with a note.

    Args:
        record: the contents of run.json.
        evaluations: the evaluations in scores.json; empty without that file.
        label: the run's label in notes.
        notes: sentences on what cannot be used are appended to it.
    """
    trained = _read(record.get("scores"), None, "training", label, notes)
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
                f"was trained to {examples:,}; it is left out. Evaluate the run again: "
                "ganlab evaluate run=…"
            )
            continue
        evaluated += [replace(score, examples_seen=seen) for score in taken]
    known = [_newest(members) for members in comparable(evaluated)]
    rest = [old for old in trained if not any(difference(old, score) is None for score in known)]
    return tuple(sorted((*rest, *known), key=lambda score: (quality_rank(score.name), score.name)))


def _newest(members: list[RunScore]) -> RunScore:
    """Return the score with the most examples seen, as the mean over its evaluation seeds."""
    most = max(score.examples_seen or 0 for score in members)
    by_seed = {
        str(score.protocol.get("seed")): score
        for score in members
        if (score.examples_seen or 0) == most
    }
    scores = [*by_seed.values()]
    if len(scores) == 1:
        return scores[0]
    last, seeds = scores[-1], [score.protocol.get("seed") for score in scores]
    return replace(
        last,
        value=fmean(score.value for score in scores),
        protocol=last.protocol | {"seed": seeds},
        explanation=last.explanation and f"Seed {seeds[-1]}: {last.explanation}",
    )


def _read(
    scores: Any, checkpoint: str | None, taken: str, label: str, notes: list[str]
) -> list[RunScore]:
    """Return the scores of one record; note and skip scores that are not finite numbers."""
    result = []
    for name, entry in scores.items() if isinstance(scores, dict) else ():
        score = score_from(name, entry, taken)
        if score is None:
            notes.append(f"{label}: {name} is not a finite number; it is left out.")
            continue
        if checkpoint not in (None, "last"):
            score = replace(score, protocol=score.protocol | {"checkpoint": checkpoint})
        result.append(score)
    return result


def score_from(name: str, entry: Any, taken: str) -> RunScore | None:
    """Return a score from its entry in a record; None if the entry has no finite value.

    Args:
        name: the score's name.
        entry: its value and protocol, and in newer records `higher_is_better`.
        taken: what took the score: "training" or "evaluate".
    """
    if not isinstance(entry, dict) or not is_number(entry.get("value")):
        return None
    protocol = entry.get("protocol")
    protocol = protocol if isinstance(protocol, dict) else {}
    higher = entry.get("higher_is_better")
    better = "higher" if higher is True else "lower" if higher is False else None
    if "higher_is_better" not in entry:
        better = direction_of(name)
    protocol_name = str(protocol.get("protocol") or "")
    words = entry.get("words")
    return RunScore(
        name,
        float(entry["value"]),
        protocol,
        protocol_name,
        better,
        taken,
        explanation=words if isinstance(words, str) else "",
    )


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_below(a: Any, b: Any) -> bool:
    return is_number(a) and is_number(b) and a < b
