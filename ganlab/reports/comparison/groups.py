"""Group runs of like length that differ only in the seed; give spreads of scores, and mean cost."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain
from statistics import fmean
from typing import Any

from ganlab.errors import ConfigError, nearest
from ganlab.record.old_names import refuse_old_names
from ganlab.reports.comparison.facts import (
    ComparedRun,
    Comparison,
    RunScore,
    comparable,
    counted,
    difference,
    is_ranked,
)
from ganlab.reports.comparison.notes import pooled, uncounted, unfinished, unlike_lengths
from ganlab.reports.comparison.scores import quality_rank
from ganlab.reports.comparison.settings import compared_value, matching, shown_value
from ganlab.reports.comparison.table import Group, Part, Spread, Table

SPECIAL = ("name", "sweep", "seed")  # keys to group by, besides choices and settings
UNRANKED = 4  # maximum number of scores that are shown if no score is shared by most runs
LIKE = 1.1  # runs are of like length if none saw more examples than this multiple of another


def tabulate(
    comparison: Comparison, group_by: Sequence[str] | None = None, score: str | None = None
) -> Table:
    """Return a table of groups of runs, with the spread of their scores over the seeds.

    Args:
        comparison: the runs.
        group_by: the keys in which the runs of a group are equal. None for `comparison.varying`;
            then runs of unlike length, see `LIKE`, are in different groups.
        score: the main score; None for the best measure of quality among the scores that all runs
            with ranked scores share, else among those that more than half of these runs have.

    Raises:
        ConfigError: a key or score is unknown (the message names the nearest known one), or a key
            is ambiguous.
    """
    runs, notes = comparison.runs, []
    keys = comparison.varying if group_by is None else _keys(group_by, comparison)
    split = Split(keys, by_length=group_by is None)
    main, others = _chosen(runs, score, notes)
    scored = [(run, s) for run in runs for s in run.scores if s.name == main and is_ranked(run, s)]
    comparable_groups = sorted(comparable(s for _, s in scored), key=len, reverse=True)
    parts, shown = [], set()
    for members in comparable_groups:
        inside = [run for run, s in scored if any(s is member for member in members)]
        shown |= {id(run) for run in inside}
        parts.append(_part(inside, members[0], main, others, split, notes))
    unscored = [run for run in runs if id(run) not in shown]
    alike = {} if main else _alike(runs, others, notes)
    parts = _with_unscored(parts, unscored, split, lambda run: _values(run, alike))
    groups = [group for part in parts for group in part.groups]
    notes += uncounted(runs, main)
    notes += unlike_lengths(split.unlike, split.by_length)
    notes += unfinished(groups)
    notes += pooled(groups, [key for key in comparison.varying if key not in keys])
    unlike = [difference(comparable_groups[0][0], members[0]) for members in comparable_groups[1:]]
    is_split = split.by_length and bool(split.unlike)
    differing = "; ".join(unlike) or None
    return Table(keys, main, others, tuple(parts), differing, tuple(notes), is_split)


def _keys(group_by: Sequence[str], comparison: Comparison) -> tuple[str, ...]:
    known = dict.fromkeys(SPECIAL)
    for run in comparison.runs:
        known |= dict.fromkeys((*run.choices, *run.settings))
    keys = []
    refuse_old_names(group_by)
    for name in group_by:
        matches = matching(name, comparison.varying) or matching(name, known)
        if not matches:
            raise ConfigError(
                f"group_by: {name!r} is not a setting of these runs.{nearest(name, [*known])} "
                f"They differ in: {', '.join(comparison.varying) or 'the seed alone'}."
            )
        if len(matches) > 1:
            raise ConfigError(
                f"group_by: {name!r} may be {' or '.join(matches)}; give one of these keys."
            )
        keys += [key for key in matches if key not in keys]
    return tuple(keys)


def _chosen(
    runs: Sequence[ComparedRun], score: str | None, notes: list[str]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the main score, and the other scores that all runs with the main score have.

    Without a main score the other scores are those that most runs have, at most `UNRANKED`.
    """
    of_runs = [{s.name for s in run.scores if is_ranked(run, s)} for run in runs]
    of_runs = [names for names in of_runs if names]
    counts = Counter(name for names in of_runs for name in names)
    known = sorted(counts, key=lambda name: (quality_rank(name), name))
    if score is not None and score not in known:
        available = f"Their scores: {_listed(known)}." if known else "They have no scores."
        raise ConfigError(
            f"score: none of these runs has {score!r}.{nearest(score, known)} {available}"
        )
    shared = [name for name in known if counts[name] == len(of_runs)]
    common = [name for name in known if counts[name] > len(of_runs) / 2]
    main = score or next(iter(shared or common), None)
    others = _listed([name for name in known if name != main])
    if main is None:
        if known:
            notes.append(
                "No score is shared by most of the runs that have scores: their models or "
                "protocols differ, so they are not ranked. To rank the runs that have a certain "
                f"score, choose it with --score: {others}."
            )
        plain = [name for name in known if "/" not in name]
        return None, tuple(sorted(plain, key=lambda name: -counts[name])[:UNRANKED])
    if score is None and not shared:
        notes.append(
            f"Runs without {main} ({len(of_runs) - counts[main]} of the {len(of_runs)} that have "
            f"scores) stand last. To rank by another score, choose it with --score: {others}."
        )
    with_main = [names for names in of_runs if main in names]
    shared = [name for name in known if all(name in names for names in with_main)]
    return main, tuple(name for name in shared if name != main and "/" not in name)


def _listed(names: Sequence[str], most: int = 10) -> str:
    """Return the first `most` names as text; scores of one class or direction come last."""
    ordered = sorted(names, key=lambda name: "/" in name)
    return ", ".join(ordered[:most]) + (", …" if len(names) > most else "")


def _part(
    runs: Sequence[ComparedRun],
    reference_score: RunScore,
    main: str,
    others: Sequence[str],
    split: Split,
    notes: list[str],
) -> Part:
    """Return the groups of runs whose main score has the protocol of `reference_score`.

    Other scores are left out, with a note, if their protocol differs between these runs.
    """
    alike = {main: reference_score} | _alike(runs, others, notes)
    groups = [
        _group(members, split.keys, lambda run: _values(run, alike)) for members in split(runs)
    ]
    directions = {
        s.better for run in runs for s in run.scores if difference(s, reference_score) is None
    }
    better = next(iter(directions - {None}), None)
    if better:
        groups.sort(key=lambda g: g.scores[main].mean, reverse=better == "higher")
    protocol = {key: value for key, value in reference_score.protocol.items() if key != "seed"}
    return Part(protocol, reference_score.protocol_name, tuple(groups), better)


def _alike(
    runs: Sequence[ComparedRun], names: Sequence[str], notes: list[str]
) -> dict[str, RunScore]:
    """Return one score of each name; names whose protocol differs are left out, with a note."""
    alike = {}
    for name in names:
        scores = [s for run in runs for s in run.scores if s.name == name and is_ranked(run, s)]
        kinds = comparable(scores)
        if len(kinds) == 1:
            alike[name] = kinds[0][0]
            continue
        note = f"{name} is left out: its protocol differs. To compare it, choose --score {name}."
        if note not in notes:
            notes.append(note)
    return alike


def _values(run: ComparedRun, alike: dict[str, RunScore]) -> dict[str, float]:
    return {
        name: s.value
        for name, reference in alike.items()
        for s in run.scores
        if difference(s, reference) is None and is_ranked(run, s)
    }


@dataclass
class Split:
    """Divides runs into groups.

    Attributes:
        keys: the keys in which the runs of a group are equal.
        by_length: whether the runs of a group are also of like length.
        unlike: the runs of equal keys but unlike length that were found so far, as sets.
    """

    keys: Sequence[str]
    by_length: bool
    unlike: list[list[ComparedRun]] = field(default_factory=list)

    def __call__(self, runs: Iterable[ComparedRun]) -> list[list[ComparedRun]]:
        """Return the runs grouped by the values of the keys, and then by length."""
        equal: dict[Any, list[ComparedRun]] = defaultdict(list)
        for run in runs:
            equal[_identity(run, self.keys)].append(run)
        return [group for members in equal.values() for group in self._by_length(members)]

    def _by_length(self, runs: list[ComparedRun]) -> list[list[ComparedRun]]:
        known = [run for run in counted(runs) if run.examples_seen is not None]
        known.sort(key=lambda run: run.examples_seen)
        starts: list[int] = []  # the least number of examples of each group, ascending
        for run in known:
            if not starts or run.examples_seen > LIKE * starts[-1]:
                starts.append(run.examples_seen)
        if len(starts) < 2:
            return [runs]
        if known not in self.unlike:
            self.unlike.append(known)
        if not self.by_length:
            return [runs]
        split = {id(run) for run in known}
        groups: list[list[ComparedRun]] = [[] for _ in starts]
        for run in runs:  # one that enters no mean, or of unknown length, is with the longest ones
            place = bisect_right(starts, run.examples_seen) if id(run) in split else 0
            groups[place - 1].append(run)
        return groups


def _group(
    runs: Sequence[ComparedRun],
    keys: Sequence[str],
    values: Callable[[ComparedRun], dict[str, float]] = lambda run: {},
) -> Group:
    scores_of = [values(run) for run in runs]
    names = dict.fromkeys(name for scores in scores_of for name in scores)
    scored = [run for run, scores in zip(runs, scores_of, strict=True) if scores] or runs

    def mean(name: str) -> float | None:
        known = [getattr(run, name) for run in scored if getattr(run, name) is not None]
        return fmean(known) if known else None

    return Group(
        {key: shown_value(runs[0], key) for key in keys},
        tuple(runs),
        {name: Spread.of([s[name] for s in scores_of if name in s]) for name in names},
        mean("seconds"),
        mean("examples_seen"),
        mean("peak_memory_mib"),
        dict(Counter(run.state for run in runs)),
        mean("peak_gpu_memory_mib"),
    )


def _with_unscored(
    parts: list[Part],
    unscored: Sequence[ComparedRun],
    split: Split,
    values: Callable[[ComparedRun], dict[str, float]],
) -> list[Part]:
    """Add runs without a ranked main score to the first groups of equal keys, or to new groups.

    New groups stand at the end of the only part; in a part of their own if there are several parts,
    or if they have other ranked scores.
    """
    rest: dict[tuple, list[Group]] = defaultdict(list)
    for members in split(unscored):
        rest[_identity(members[0], split.keys)].append(_group(members, split.keys, values))
    joined: list[Part] = []
    for part in parts:
        groups = []
        for group in part.groups:
            more = rest.pop(_identity(group.runs[0], split.keys), [])
            groups.append(reduce(_joined, more, group))
        joined.append(Part(part.protocol, part.protocol_name, tuple(groups), part.better))
    if len(joined) == 1:  # e.g. failed runs of a sweep stay with the others
        (only,) = joined
        alike = [group for group in chain(*rest.values()) if not counted(group.runs)]
        joined = [replace(only, groups=(*only.groups, *alike))]
        rest = {key: groups for key, groups in rest.items() if counted(groups[0].runs)}
    return [*joined, Part({}, "", tuple(chain(*rest.values())), None)] if rest else joined


def _identity(run: ComparedRun, keys: Sequence[str]) -> tuple:
    """Return the values of the keys, and the name if the settings are unknown."""
    known = () if run.settings else ("unknown", run.name)
    return (*known, *(compared_value(run, key) for key in keys))


def _joined(group: Group, more: Group) -> Group:
    states = dict(Counter(group.states) + Counter(more.states))
    return replace(group, runs=(*group.runs, *more.runs), states=states)
