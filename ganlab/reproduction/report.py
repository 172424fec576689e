"""Paper, peers, ours and the verdict of one reproduction, as text."""

from __future__ import annotations

import math
from pathlib import Path

from ganlab.config.groups import CONF, describe, file_of
from ganlab.reproduction.baselines import interval, measured
from ganlab.reproduction.ledger import mean_and_spread
from ganlab.reproduction.seeds import Reproduction


def report(reproduction: Reproduction, path: Path) -> str:
    """Paper, peers, ours and the verdict."""
    baseline = reproduction.baseline
    values, _ = reproduction.scores()
    what = describe("experiment", baseline.name)
    lines = [f"{reproduction.title}: {what}", f"  paper      {baseline.paper}"]
    for figure in baseline.published:
        unlike = "" if figure.get("comparable", True) else "; not compared"
        how = f"{figure['how']}; {figure['source']}{unlike}"
        lines.append(f"  published  {figure['by']} {figure['value']:g} ({how})")
    if baseline.note:
        lines.append(f"  note       {baseline.note}")
    if baseline.protocol:
        lines.append(f"  ours       {_ours(reproduction, values)}")
    lines.append(f"  verdict    {reproduction.verdict().sentence}")
    if _is_first(reproduction, values):
        file = file_of("experiment", baseline.name).relative_to(CONF.parent)
        lines.append(
            f"Its first measurement. For the baseline in {file}:\n{_measured(reproduction)}"
        )
    return "\n".join([*lines, f"Written to {path}."])


def _ours(reproduction: Reproduction, values: list[float]) -> str:
    baseline = reproduction.baseline
    seeds = ", ".join(map(str, reproduction.seeds))
    text = mean_and_spread(values)
    if (found := interval(values)) and all(map(math.isfinite, values)):
        text += f" (95 % interval of the mean {found[0]:.4g} … {found[1]:.4g})"
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
    """Whether these are the figures that a short baseline of ours is still without."""
    is_whole = reproduction.scale == 1 and not reproduction.changed
    baseline = reproduction.baseline
    is_without = baseline.target is None and baseline.why is None
    is_complete = len(values) == len(reproduction.seeds) > 1
    return bool(is_whole and is_without and is_complete and all(map(math.isfinite, values)))
