"""The text that `ganlab reproduce` prints at the end of a reproduction."""

from __future__ import annotations

import math
from pathlib import Path

from ganlab.config.groups import CONF, describe, file_of
from ganlab.reproduction.baselines import interval, measured
from ganlab.reproduction.ledger import mean_and_spread
from ganlab.reproduction.seeds import Reproduction


def report(reproduction: Reproduction, path: Path) -> str:
    """Return the claimed scores, our score and the verdict as text.

    Args:
        reproduction: the reproduction.
        path: the reproduction's verdict.json, which the last line names.
    """
    baseline = reproduction.baseline
    values, _ = reproduction.scores()
    description = describe("experiment", baseline.name)
    lines = [f"{reproduction.title}: {description}", f"  paper      {baseline.paper}"]
    for claim in baseline.published:
        note = "" if claim.get("comparable", True) else "; not compared"
        how = f"{claim['how']}; {claim['source']}{note}"
        lines.append(f"  published  {claim['by']} {claim['value']:g} ({how})")
    if baseline.note:
        lines.append(f"  note       {baseline.note}")
    if baseline.protocol:
        lines.append(f"  ours       {_ours(reproduction, values)}")
    lines.append(f"  verdict    {reproduction.verdict().sentence}")
    if _is_first(reproduction, values):
        file = file_of("experiment", baseline.name).relative_to(CONF.parent)
        lines.append(
            "This is the first measurement of a short experiment. Paste these lines into the "
            f"baseline of {file}:\n{_measured(reproduction)}"
        )
    return "\n".join([*lines, f"Wrote {path}."])


def _ours(reproduction: Reproduction, values: list[float]) -> str:
    baseline = reproduction.baseline
    seeds = ", ".join(map(str, reproduction.seeds))
    text = mean_and_spread(values)
    if (bounds := interval(values)) and all(map(math.isfinite, values)):
        text += f" (95 % interval of the mean {bounds[0]:.4g} … {bounds[1]:.4g})"
    how = f"{reproduction.protocol.get('name', baseline.protocol)}, {baseline.checkpoint}"
    return f"{text}; {baseline.score}, {how} checkpoint, seeds {seeds}"


def _measured(reproduction: Reproduction) -> str:
    records = [run.record for run in reproduction.runs]
    facts = {
        "seeds": reproduction.seeds,
        "minutes": round(sum(r["seconds"] for r in records) / 60 / len(records), 1),
        "torch": records[0]["versions"].get("torch"),
    }
    return measured(reproduction.scores()[0], facts)


def _is_first(reproduction: Reproduction, values: list[float]) -> bool:
    """Whether the scores can become the target of a short experiment that has no target yet."""
    is_exact = reproduction.scale == 1 and not reproduction.changed
    baseline = reproduction.baseline
    has_no_target = baseline.target is None and baseline.why is None
    is_complete = len(values) == len(reproduction.seeds) > 1
    return bool(is_exact and has_no_target and is_complete and all(map(math.isfinite, values)))
