"""Published figures, ours beside them, and whether one reproduces the other.

A baseline is the `baseline` block of an experiment's file. Of a published figure it is rarely known
how much it varies between trainings, so tolerances follow rules that were made before anything was
measured:

- the figure of a recipe that is followed as it is: 5 % of it, or what other groups differ by;
- of a recipe that differs in something named in `note`: 10 %;
- of shares and accuracies: .03;
- of distances over some hundred test pictures, in which groups differ by a tenth and more: 10, or
  less or more where it is known by how much;
- of a failure: whatever is still no success, with the reason beside it;
- of our own short experiments, which nobody has published: the mean over seeds 0, 1 and 2 is the
  target, and `short_tolerance` of those three the tolerance.

It is reproduced when no seed has diverged, and the mean over our seeds is no further than the
tolerance on the worse side of the target; a failure, when it is no further on the better side. A
seed that diverged has failed, and says nothing of the others: their mean has to be a failure too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ganlab.errors import ConfigError, nearest

REQUIRED = ("paper", "score", "protocol", "better", "published", "target", "tolerance")
OPTIONAL = ("checkpoint", "failure", "ours", "note", "why")
PUBLISHED = ("by", "value", "how", "source")
CHECKPOINTS = ("last", "best")

Word = Literal[
    "reproduced",
    "not reproduced",
    "failure reproduced",
    "failure not reproduced",
    "not comparable",
    "no verdict",
]


@dataclass(frozen=True)
class Baseline:
    """What a paper or a peer claims of a recipe, and how it is checked here.

    Attributes:
        name: of the experiment.
        model: of the group `model`.
        data: of the group `data`.
        paper: whose method it is.
        score: the name of the score.
        protocol: of conf/protocol; None where no program can measure it.
        better: "lower" or "higher".
        published: figures, each with by, value, how, source; `comparable: false` marks one that was
            taken in another way than the protocol's.
        target: the figure that ours is held against; None until a short one has been measured, and
            where no published figure is comparable.
        tolerance: how far from it is still the same.
        checkpoint: "last", or "best" by the run's own monitor.
        failure: the figure is a failure, to be reproduced as such.
        ours: mean, interval, seeds, … where it was measured before.
        note: what is unlike the recipe of the figure.
        why: there can be no verdict: no program can measure it, or no published figure was taken in
            a way that can be followed here.
    """

    name: str
    model: str
    data: str
    paper: str
    score: str
    protocol: str | None
    better: Literal["lower", "higher"]
    published: tuple[dict[str, Any], ...]
    target: float | None
    tolerance: float | None
    checkpoint: Literal["last", "best"] = "last"
    failure: bool = False
    ours: dict[str, Any] | None = None
    note: str | None = None
    why: str | None = None

    def excess(self, value: float) -> float:
        """How much worse than the target a value is; negative where it is better."""
        return (value - self.target) * (1 if self.better == "lower" else -1)


@dataclass(frozen=True)
class Verdict:
    """What a reproduction came to: its name, one of a few, and a sentence."""

    name: Word
    sentence: str


def baseline_of(name: str, model: str, data: str, block: dict[str, Any]) -> Baseline:
    """The baseline in an experiment's block.

    Raises:
        ConfigError: a key that is missing or unknown, or a value that is not allowed.
    """
    where = f"experiment {name}: baseline"
    for key in block:
        if key not in REQUIRED + OPTIONAL:
            hint = nearest(key, [*REQUIRED, *OPTIONAL])
            raise ConfigError(f"{where}.{key}: there is no such entry.{hint}")
    if missing := [key for key in REQUIRED if key not in block]:
        raise ConfigError(f"{where}: lacks {', '.join(missing)}.")
    for key, allowed in (("better", ("lower", "higher")), ("checkpoint", CHECKPOINTS)):
        if block.get(key, allowed[0]) not in allowed:
            raise ConfigError(f"{where}.{key}: received {block[key]!r}; allowed {allowed}.")
    for figure in block["published"]:
        if not set(PUBLISHED) <= set(figure) <= {*PUBLISHED, "comparable"}:
            raise ConfigError(
                f"{where}.published: received {sorted(figure)}; each figure has "
                f"{', '.join(PUBLISHED)}, and perhaps comparable."
            )
    values = [f["value"] for f in block["published"] if f.get("comparable", True)]
    has_none = block["protocol"] is None or (block["published"] and not values)
    if bool(has_none) != bool(block.get("why")):
        raise ConfigError(
            f"{where}.why: says why protocol is null, or no published figure comparable, and is "
            "there with that alone."
        )
    if (block["target"] is None) != (block["tolerance"] is None):
        raise ConfigError(f"{where}.tolerance: target and tolerance are both given, or both null.")
    if block["published"] and block["target"] not in (values or [None]):
        raise ConfigError(
            f"{where}.target: received {block['target']}; needs one of the comparable published "
            f"figures, {values or 'of which there are none: null'}."
        )
    more = {key: block[key] for key in OPTIONAL if key in block}
    kept = {key: block[key] for key in REQUIRED if key != "published"}
    return Baseline(name, model, data, published=tuple(block["published"]), **kept, **more)


def in_percent(share: float) -> str:
    """0.01 is "1 %"."""
    return f"{100 * share:.4g} %"


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the mean by Student's t; None for fewer than two values."""
    if len(values) < 2:
        return None
    from scipy.special import stdtrit

    half = stdtrit(len(values) - 1, 0.975) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    return mean - half, mean + half


def short_tolerance(values: Sequence[float]) -> float:
    """Of a short experiment of ours: three standard deviations over its seeds, 5 % at least."""
    return max(3 * statistics.stdev(values), 0.05 * abs(statistics.fmean(values)))


def judge(
    baseline: Baseline,
    values: Sequence[float],
    *,
    changed: Sequence[str] = (),
    scale: float = 1.0,
    missing: Sequence[str] = (),
) -> Verdict:
    """Hold our scores against the target.

    Args:
        baseline: with the target.
        values: one score a seed; NaN or infinity for a training that diverged.
        changed: what of recipe or protocol is not the baseline's.
        scale: of the recipe's length; only 1 is ever given a verdict.
        missing: seeds without a score, each with the reason.
    """
    if baseline.why:
        return Verdict("no verdict", f"no verdict: {baseline.why}")
    if scale != 1:
        return Verdict("no verdict", f"scaled to {in_percent(scale)}: no verdict")
    if changed:
        return Verdict("not comparable", f"not comparable: {'; '.join(changed)}")
    if missing or not values:
        reason = "; ".join(missing) or "there are no scores"
        return Verdict("no verdict", f"no verdict: {reason}")
    if baseline.target is None:
        return Verdict("no verdict", "no verdict: there is no target yet")
    finite = [value for value in values if math.isfinite(value)]
    diverged = len(values) - len(finite)
    said = [f"{diverged} of {len(values)} seeds diverged"] if diverged else []
    is_within = not diverged
    if finite and (baseline.failure or not diverged):
        others = "of the others" if diverged else f"of {len(values)} seeds"
        seeds = "one seed" if len(values) == 1 else f"mean {others}"
        excess = baseline.excess(statistics.fmean(finite))
        said.append(f"{_distance(baseline, excess)}, {seeds}, tolerance {baseline.tolerance:g}")
        is_within = (-excess if baseline.failure else excess) <= baseline.tolerance
    elif baseline.failure:
        is_within = True  # all have diverged
    failure = "failure " if baseline.failure else ""
    name = f"{failure}{'reproduced' if is_within else 'not reproduced'}"
    return Verdict(name, f"{name}: {'; '.join(said)}")


def _distance(baseline: Baseline, excess: float) -> str:
    target = f"{baseline.target:g}" if baseline.published else f"our own {baseline.target:g}"
    if abs(excess) <= 1e-4 * abs(baseline.target):
        return f"equal to {target}"
    return f"{abs(excess):.3g} {'worse' if excess > 0 else 'better'} than {target}"


def measured(values: Sequence[float], facts: dict[str, Any]) -> str:
    """The lines of a baseline block that its first measurement gives, for a person to paste.

    Args:
        values: of two seeds or more.
        facts: how it was measured: seeds, minutes, torch, ….
    """
    low, high = interval(values)
    mean = statistics.fmean(values)
    told = "".join(f", {key}: {value}" for key, value in facts.items())
    return (
        f"  target: {mean:.4g}\n  tolerance: {short_tolerance(values):.2g}\n"
        f"  ours: {{mean: {mean:.4g}, interval: [{low:.4g}, {high:.4g}]{told}}}"
    )
