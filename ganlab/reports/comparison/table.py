"""A table of groups of runs, as data: what `ganlab compare` prints and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any, Literal

from ganlab.files import finite
from ganlab.reports.comparison.facts import ComparedRun, Comparison


@dataclass(frozen=True)
class Spread:
    """A quantity over the runs of a group.

    Attributes:
        n: runs.
        mean: over them.
        deviation: the sample's standard deviation, with n − 1; None for n = 1.
        interval: of the mean, 95 %, by Student's t with n − 1 degrees of freedom; None for n = 1.
    """

    n: int
    mean: float
    deviation: float | None = None
    interval: tuple[float, float] | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """That of some values; None where there are none."""
        n = len(values)
        if n < 2:
            return cls(n, values[0]) if values else None
        from scipy.special import stdtrit

        mean, deviation = fmean(values), stdev(values)
        reach = float(stdtrit(n - 1, 0.975)) * deviation / n**0.5
        return cls(n, mean, deviation, (mean - reach, mean + reach))


@dataclass(frozen=True)
class Group:
    """Runs of equal values.

    Attributes:
        values: by key of what makes the group.
        runs: all of them, also those without scores.
        scores: by name, over the runs whose scores count; None where there are none.
        seconds, examples_seen, peak_memory_mib, peak_gpu_memory_mib: means over the runs that
            count, else over all.
        states: how many runs stand where.
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
    """Groups whose scores were taken alike.

    Attributes:
        protocol: how; empty where there is no score.
        protocol_name: of it.
        groups: the best first where `better` is known.
        better: of the main score.
    """

    protocol: dict[str, Any]
    protocol_name: str
    groups: tuple[Group, ...]
    better: Literal["higher", "lower"] | None


@dataclass(frozen=True)
class Table:
    """What `ganlab compare` prints.

    Attributes:
        keys: of what makes a group.
        score: the one that groups are ranked by; None where the runs share none.
        others: further scores that are shown.
        parts: of unlike protocols; the groups without a score are in the last one.
        unlike: why there is more than one part; None where there is not.
        notes: what is to be known of the figures.
    """

    keys: tuple[str, ...]
    score: str | None
    others: tuple[str, ...]
    parts: tuple[Part, ...]
    unlike: str | None
    notes: tuple[str, ...]


def as_data(comparison: Comparison, table: Table) -> dict[str, Any]:
    """The table, and the runs in it, as plain containers, for JSON."""
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
