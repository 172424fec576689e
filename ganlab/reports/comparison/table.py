"""The table of groups of runs that `ganlab compare` prints and writes, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any, Literal

from ganlab.files import finite
from ganlab.reports.comparison.facts import ComparedRun, Comparison


@dataclass(frozen=True)
class Spread:
    """Mean and spread of a quantity over the runs of a group.

    Attributes:
        n: the number of runs.
        mean: the mean over these runs.
        deviation: the sample standard deviation (divided by n − 1); None for n = 1.
        interval: the mean's 95 % confidence interval, by Student's t with n − 1 degrees of freedom;
            None for n = 1.
    """

    n: int
    mean: float
    deviation: float | None = None
    interval: tuple[float, float] | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Return the spread of some values; None for no values."""
        n = len(values)
        if n < 2:
            return cls(n, values[0]) if values else None
        from scipy.special import stdtrit

        mean, deviation = fmean(values), stdev(values)
        half = float(stdtrit(n - 1, 0.975)) * deviation / n**0.5
        return cls(n, mean, deviation, (mean - half, mean + half))


@dataclass(frozen=True)
class Group:
    """Runs with equal values of the table's keys, and of like length if `Table.is_split`.

    Attributes:
        values: the value of each key.
        runs: all runs of the group, also those without scores.
        scores: maps the name of a score to the spread over the runs with a ranked score; None if no
            run has such a score.
        seconds, examples_seen, peak_memory_mib, peak_gpu_memory_mib: means over the runs with
            ranked scores, or over all runs if none has such scores.
        states: the number of runs in each state.
    """

    values: dict[str, Any]
    runs: tuple[ComparedRun, ...]
    scores: dict[str, Spread | None]
    seconds: float | None
    examples_seen: float | None
    peak_memory_mib: float | None
    states: dict[str, int]
    peak_gpu_memory_mib: float | None = None


@dataclass(frozen=True)
class Part:
    """Groups whose main score has one protocol.

    Attributes:
        protocol: the protocol; empty for groups without a score.
        protocol_name: the protocol's name.
        groups: the groups, the best first if `better` is known.
        better: whether a higher or a lower main score is better; None if unknown.
    """

    protocol: dict[str, Any]
    protocol_name: str
    groups: tuple[Group, ...]
    better: Literal["higher", "lower"] | None


@dataclass(frozen=True)
class Table:
    """What `ganlab compare` prints.

    Attributes:
        keys: the keys in which the runs of a group are equal.
        score: the main score, by which groups are ranked; None if most runs share no score.
        others: further scores that are shown; without a main score those that most runs have.
        parts: one part for each protocol of the main score. Groups without a main score are in the
            only part or, if there are several parts, if they have other scores, or if there is no
            main score, in an extra last part.
        unlike: how the protocols of the parts differ; None if there is one protocol.
        notes: sentences on how to read the numbers.
        is_split: whether runs with equal keys but of unlike length are in different groups.
    """

    keys: tuple[str, ...]
    score: str | None
    others: tuple[str, ...]
    parts: tuple[Part, ...]
    unlike: str | None
    notes: tuple[str, ...]
    is_split: bool = False


def as_data(comparison: Comparison, table: Table) -> dict[str, Any]:
    """Return the table and its runs as plain containers for JSON."""
    data = {
        "group_by": list(table.keys),
        "score": table.score,
        "other_scores": list(table.others),
        "unlike_protocols": table.unlike,
        "notes": [*table.notes, *comparison.notes],
        "parts": [
            {
                "protocol": part.protocol,
                "better": part.better,
                "groups": [_group(group) for group in part.groups],
            }
            for part in table.parts
        ],
        "runs": [asdict(run) for run in comparison.runs],
    }
    return finite(data)


def _group(group: Group) -> dict[str, Any]:
    return {
        "settings": group.values,
        "runs": [run.label for run in group.runs],
        "states": group.states,
        "errors": {run.label: run.error for run in group.runs if run.error},
        "scores": {
            name: {
                "n": spread.n,
                "mean": spread.mean,
                "standard_deviation": spread.deviation,
                "interval_95": spread.interval,
            }
            for name, spread in group.scores.items()
            if spread
        },
        "seconds": group.seconds,
        "examples_seen": group.examples_seen,
        "peak_memory_mib": group.peak_memory_mib,
        "peak_gpu_memory_mib": group.peak_gpu_memory_mib,
    }
