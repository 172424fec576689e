"""Published scores as baselines, and the verdict whether our scores reproduce them.

A baseline is the `baseline` block of an experiment's file. It is rarely known how much a published
score varies between trainings. Tolerances therefore follow rules that were set before any
measurement:

- recipe followed exactly: 5 % of the score, or the difference between scores of research groups;
- recipe that differs from the published recipe as `note` says: 10 % of the score;
- fractions and accuracies: 0.03;
- distances over a few hundred test pictures, where research groups differ by 10 % or more: the
  difference between the groups, or, if it is unknown, 10 in the unit of the score;
- a recipe that is claimed to fail: a tolerance so small that every score within it is a failure;
  a comment in the file says why;
- our own short experiments, which have no published score: the target is the mean over seeds 0, 1
  and 2, and the tolerance is `short_tolerance` of the three scores.

A baseline is reproduced if no seed diverged and the mean over our seeds is worse than the target
by no more than the tolerance. A failure is reproduced if the mean is better than the target by no
more than the tolerance. A diverged seed counts as a failure, but the mean over the other seeds must
fail too.
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


def recipe_of(experiment: str) -> list[str]:
    """Return the overrides that train an experiment for its baseline.

    A limit in minutes is left out if there is another limit: the result would depend on the
    machine's speed.
    """
    from ganlab.config.compose import compose

    overrides = [f"experiment={experiment}"]
    budget = compose(overrides).budget
    if budget.minutes and any(budget[limit] for limit in ("examples", "batches", "epochs")):
        overrides.append("budget.minutes=null")
    return overrides


VerdictName = Literal[
    "reproduced",
    "not reproduced",
    "failure reproduced",
    "failure not reproduced",
    "not comparable",
    "no verdict",
]


@dataclass(frozen=True)
class Baseline:
    """A score that a paper or a peer claims for a recipe, and how it is checked here.

    Attributes:
        name: the experiment.
        model: name in the config group `model`.
        data: name in the config group `data`.
        paper: the paper that introduced the method.
        score: name of the score.
        protocol: name in conf/protocol; None if the published score is the judgement of people.
        better: "lower" or "higher".
        published: claimed values, each with the keys `by`, `value`, `how` and `source`;
            `comparable: false` marks a value that was measured with another protocol.
        target: the value that our mean is compared with. None for a short experiment that has not
            been measured yet, and if no published value is comparable.
        tolerance: allowed difference from the target.
        checkpoint: checkpoint to score: "last", or "best", the one with the best monitored score.
        failure: True if the claim is that the recipe fails, so that a failure is to be reproduced.
        ours: ganlab's score if it is measured already: mean, interval, seeds and so on.
        note: differences from the recipe of the published value.
        why: reason why there can be no verdict: the published score is the judgement of people, or
            no published value is comparable. None otherwise.
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
        """Return by how much a value is worse than the target; negative if it is better."""
        return (value - self.target) * (1 if self.better == "lower" else -1)


@dataclass(frozen=True)
class Verdict:
    """The result of a reproduction: one of `VerdictName`, and a sentence."""

    name: VerdictName
    sentence: str


def baseline_of(name: str, model: str, data: str, block: dict[str, Any]) -> Baseline:
    """Return the baseline that an experiment's `baseline` block describes.

    Args:
        name: the experiment.
        model: name of its model.
        data: name of its data.
        block: the block as a mapping.

    Raises:
        ConfigError: a key is missing or unknown, or a value is not allowed.
    """
    where = f"experiment {name}: baseline"
    for key in block:
        if key not in REQUIRED + OPTIONAL:
            hint = nearest(key, [*REQUIRED, *OPTIONAL])
            raise ConfigError(f"{where}.{key}: unknown key.{hint}")
    if missing := [key for key in REQUIRED if key not in block]:
        raise ConfigError(f"{where}: {', '.join(missing)} missing.")
    for key, allowed in (("better", ("lower", "higher")), ("checkpoint", CHECKPOINTS)):
        if block.get(key, allowed[0]) not in allowed:
            raise ConfigError(f"{where}.{key}: received {block[key]!r}; allowed {allowed}.")
    for claim in block["published"]:
        if not set(PUBLISHED) <= set(claim) <= {*PUBLISHED, "comparable"}:
            raise ConfigError(
                f"{where}.published: received {sorted(claim)}; each published "
                f"value needs the keys {', '.join(PUBLISHED)}; comparable is optional."
            )
    values = [f["value"] for f in block["published"] if f.get("comparable", True)]
    without_verdict = block["protocol"] is None or (block["published"] and not values)
    if bool(without_verdict) != bool(block.get("why")):
        raise ConfigError(
            f"{where}.why: give it if protocol is null or no published value is comparable, and "
            "only then."
        )
    if (block["target"] is None) != (block["tolerance"] is None):
        raise ConfigError(f"{where}.tolerance: give both target and tolerance, or null for both.")
    if block["published"] and block["target"] not in (values or [None]):
        allowed = f"one of the comparable published values, {values}"
        if not values:
            allowed = "null, since no published value is comparable"
        raise ConfigError(f"{where}.target: received {block['target']}; needs {allowed}.")
    optional = {key: block[key] for key in OPTIONAL if key in block}
    required = {key: block[key] for key in REQUIRED if key != "published"}
    published = tuple(block["published"])
    return Baseline(name, model, data, published=published, **required, **optional)


def in_percent(share: float) -> str:
    """Return a fraction in percent: "1 %" for 0.01."""
    return f"{100 * share:.4g} %"


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean by Student's t; None for fewer than two values."""
    if len(values) < 2:
        return None
    from scipy.special import stdtrit

    half = stdtrit(len(values) - 1, 0.975) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    return mean - half, mean + half


def short_tolerance(values: Sequence[float]) -> float:
    """Return a short experiment's tolerance: 3 standard deviations, at least 5 % of the mean."""
    return max(3 * statistics.stdev(values), 0.05 * abs(statistics.fmean(values)))


def judge(
    baseline: Baseline,
    values: Sequence[float],
    *,
    changed: Sequence[str] = (),
    scale: float = 1.0,
    missing: Sequence[str] = (),
) -> Verdict:
    """Return the verdict on our scores: compare their mean with the target.

    Args:
        baseline: the baseline with the target.
        values: one score per seed; NaN or infinity for a diverged run.
        changed: differences from the baseline's recipe or protocol, as text.
        scale: fraction of the recipe's length that was trained; if it is not 1 there is no verdict.
        missing: why seeds have no score, one text per seed.
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
    parts = [f"{diverged} of {len(values)} seeds diverged"] if diverged else []
    is_within = not diverged
    if finite and (baseline.failure or not diverged):
        others = "of the others" if diverged else f"of {len(values)} seeds"
        seeds = "one seed" if len(values) == 1 else f"mean {others}"
        excess = baseline.excess(statistics.fmean(finite))
        parts.append(f"{_distance(baseline, excess)}, {seeds}, tolerance {baseline.tolerance:g}")
        is_within = (-excess if baseline.failure else excess) <= baseline.tolerance
    elif baseline.failure:
        is_within = True  # all seeds diverged
    failure = "failure " if baseline.failure else ""
    name = f"{failure}{'reproduced' if is_within else 'not reproduced'}"
    return Verdict(name, f"{name}: {'; '.join(parts)}")


def _distance(baseline: Baseline, excess: float) -> str:
    target = (
        f"{baseline.target:g}" if baseline.published else f"our earlier mean {baseline.target:g}"
    )
    if abs(excess) <= 1e-4 * abs(baseline.target):
        return f"equal to {target}"
    return f"{abs(excess):.3g} {'worse' if excess > 0 else 'better'} than {target}"


def measured(values: Sequence[float], facts: dict[str, Any]) -> str:
    """Return the lines of a `baseline` block after its first measurement, to paste into the file.

    Args:
        values: scores of two seeds or more.
        facts: how they were measured: seeds, minutes, torch and so on.
    """
    low, high = interval(values)
    mean = statistics.fmean(values)
    more = "".join(f", {key}: {value}" for key, value in facts.items())
    return (
        f"  target: {mean:.4g}\n  tolerance: {short_tolerance(values):.2g}\n"
        f"  ours: {{mean: {mean:.4g}, interval: [{low:.4g}, {high:.4g}]{more}}}"
    )
