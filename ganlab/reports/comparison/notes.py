"""Sentences on how to read the means of groups: what they mix, and what they leave out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from ganlab.errors import first_few
from ganlab.reports.comparison.facts import ComparedRun, RunScore, counted, is_ranked
from ganlab.reports.comparison.settings import compared_value
from ganlab.reports.comparison.table import Group

NAMED = 4  # maximum of groups, and of runs in a group, that a note names


def uncounted(runs: Sequence[ComparedRun], main: str | None) -> list[str]:
    """Return a note if scores of unfinished runs are left out of the means."""

    def scores(run: ComparedRun) -> list[RunScore]:
        return [s for s in run.scores if main in (None, s.name)]

    left_out = [r for r in runs if scores(r) and not any(is_ranked(r, s) for s in scores(r))]
    if not left_out:
        return []
    states = ", ".join(f"{n} {state}" for state, n in Counter(r.state for r in left_out).items())
    return [
        f"Scores of runs that have not finished are left out ({states}). To include the score "
        "of such a run: ganlab evaluate run=…"
    ]


def unlike_lengths(unlike: Sequence[Sequence[ComparedRun]], is_split: bool) -> list[str]:
    """Return a note on runs that saw unlike numbers of examples.

    Args:
        unlike: sets of runs, each of equal values of the table's keys but of unlike length.
        is_split: whether runs of unlike length are in groups of their own.
    """
    if not unlike:
        return []
    named = "; ".join(_named(runs, _length) for runs in unlike[:NAMED])
    more = f"; and {len(unlike) - NAMED} more groups" if len(unlike) > NAMED else ""
    what = (
        "Runs of equal settings that saw unlike numbers of examples are in groups of their own, "
        "and no mean mixes them"
        if is_split
        else "Means of groups mix runs that saw unlike numbers of examples"
    )
    why = ""
    if any("budget.minutes" in run.settings for runs in unlike for run in runs):
        why = " A limit of minutes ends a run sooner on a slower or busier machine."
    return [f"{what}: {named}{more}.{why}"]


def unfinished(groups: Sequence[Group]) -> list[str]:
    """Return a note if means include both runs that finished and runs that did not."""
    mixed = []
    for group in groups:
        runs = counted(group.runs)
        if len({run.state for run in runs}) > 1:
            mixed += [run for run in runs if run.state != "finished"]
    if not mixed:
        return []
    named = _named(mixed, lambda run: f"{run.state}, {_length(run)}")
    return [f"Means include runs that did not finish, because they were evaluated: {named}."]


def pooled(groups: Sequence[Group], pooled_keys: Sequence[str]) -> list[str]:
    """Return notes on keys that differ within groups, and on groups with repeated seeds.

    Args:
        groups: the groups of the table.
        pooled_keys: keys that vary between runs, but by which runs are not grouped.
    """
    notes = []
    differing = [
        key
        for key in pooled_keys
        if any(len({compared_value(run, key) for run in g.runs}) > 1 for g in groups)
    ]
    if differing:
        notes.append(
            "Runs of a group differ in more than the seed, so the spread includes the effect of: "
            f"{first_few(differing)}."
        )
    repeated = []
    for group in groups:
        trials = defaultdict(list)
        for run in counted(group.runs):
            if run.seed is not None:
                settings = tuple(compared_value(run, key) for key in pooled_keys)
                trials[run.seed, settings].append(run)
        repeated += [runs for runs in trials.values() if len(runs) > 1]
    if repeated:
        named = "; ".join(_named(runs, lambda run: f"seed {run.seed}") for runs in repeated[:NAMED])
        more = f"; and {len(repeated) - NAMED} more" if len(repeated) > NAMED else ""
        notes.append(
            "Runs of the same seed and settings repeat each other, so a group that counts them as "
            f"independent has too narrow an interval: {named}{more}."
        )
    return notes


def _named(runs: Sequence[ComparedRun], fact: Callable[[ComparedRun], str]) -> str:
    return first_few((f"{run.label} ({fact(run)})" for run in runs), NAMED)


def _length(run: ComparedRun) -> str:
    return "unknown" if run.examples_seen is None else f"{run.examples_seen:,} examples"
