"""The ledger of baselines: what papers and peers claim, what came out here."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from ganlab.config.groups import bare, file_of, options
from ganlab.errors import ConfigError, nearest
from ganlab.record.old_names import current
from ganlab.reproduction.baselines import Baseline, Verdict, baseline_of, judge

FOLDER = Path("outputs") / "reproduce"
HEADER = ("experiment", "model", "data", "score", "protocol", "paper", "peers", "ours", "verdict")


def baselines() -> dict[str, Baseline]:
    """Every experiment with a baseline, by name.

    Files are read as they stand, which takes a hundredth of composing them.

    Raises:
        ConfigError: a block that is not as it should be.
    """
    found = {}
    for name in options("experiment"):
        content = _read(name)
        if block := content.get("baseline"):
            found[name] = baseline_of(name, content.get("model"), content.get("data"), block)
    return found


def baseline_named(name: str) -> Baseline:
    """The baseline of an experiment, by its name or the way to it, gan/ring/ring_wgan.

    Raises:
        ConfigError: no such experiment, or one without a baseline, with the nearest that has one.
    """
    found, name = baselines(), bare("experiment", name)
    if name not in found:
        why = "has no baseline" if name in options("experiment") else "is no experiment"
        raise ConfigError(
            f"reproduce: {name!r} {why}; allowed {', '.join(found)}.{nearest(name, [*found])}"
        )
    return found[name]


def _read(name: str, group: str = "experiment") -> dict[str, Any]:
    """Model, data and baseline of an experiment's file, and of those that it begins with."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    path = file_of(group, name)
    content = yaml.load(path.read_text(encoding="utf-8"), loader)
    result: dict[str, Any] = {}
    for entry in content.get("defaults") or []:
        if isinstance(entry, str):
            if entry != "_self_":
                result |= _read(entry, group)
            continue
        for key, value in entry.items():
            if key == "/base":
                result |= _read(value, "base")
            else:
                result[key.removeprefix("override ").lstrip("/")] = value
    return result | {k: v for k, v in content.items() if k == "baseline"}


def recorded(name: str, folder: Path = FOLDER) -> list[dict[str, Any]]:
    """The records (verdict.json) of an experiment's reproductions, the newest first."""
    records = [recorded_in(path.parent) for path in folder.glob(f"{name}/*/verdict.json")]
    return sorted(filter(None, records), key=lambda record: record["at"], reverse=True)


def recorded_in(folder: Path) -> dict[str, Any] | None:
    """The verdict.json in a folder; None where there is none, or a damaged one."""
    try:
        record = current(json.loads((folder / "verdict.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and _is_whole(record) else None


def _is_whole(record: dict[str, Any]) -> bool:
    def is_number(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    lists = [record.get(key) for key in ("values", "changed", "missing")]
    if not isinstance(record.get("at"), str) or not is_number(record.get("scale")):
        return False
    if not all(isinstance(entries, list) for entries in lists):
        return False
    values, *texts = lists
    return all(value is None or is_number(value) for value in values) and all(
        isinstance(text, str) for entries in texts for text in entries
    )


def standing(baseline: Baseline, records: list[dict[str, Any]]) -> tuple[str, Verdict]:
    """Ours, and what came of it: by the newest reproduction that has a verdict.

    Values are held against the target that the experiment's file has now. Without a verdict of a
    reproduction, the figure in the file's `ours` counts; else what else there is. What our own
    target was measured by reproduces nothing.
    """
    judged = [(record, _judged(baseline, record)) for record in records]
    decided = [(r, v) for r, v in judged if v.name not in ("no verdict", "not comparable")]
    if decided:
        return mean_and_spread(decided[0][0]["values"]), decided[0][1]
    if baseline.ours and baseline.target is not None:
        mean, (low, high) = baseline.ours["mean"], baseline.ours["interval"]
        ours, seeds = f"{mean:.4g} ({low:.4g} … {high:.4g})", len(baseline.ours["seeds"])
        if not baseline.published:
            return ours, _measured_here(seeds)
        verdict = judge(baseline, [mean])
        sentence = verdict.sentence.replace("one seed", f"mean of {seeds} seeds")
        return ours, Verdict(verdict.name, sentence)
    if judged:
        record, verdict = judged[0]
        return mean_and_spread(record["values"]), verdict
    if baseline.why:
        return "–", judge(baseline, [])
    return "–", Verdict("no verdict", "not run here")


def _measured_here(seeds: int) -> Verdict:
    return Verdict("no verdict", f"no verdict: measured here, {seeds} seeds")


def _judged(baseline: Baseline, record: dict[str, Any]) -> Verdict:
    changed = list(record["changed"])
    if not changed and record["scale"] == 1:
        changed = _outdated(baseline, record)
    values = [math.nan if value is None else value for value in record["values"]]
    missing = record["missing"]
    verdict = judge(baseline, values, changed=changed, scale=record["scale"], missing=missing)
    is_first = record.get("target") is None and baseline.target is not None
    if is_first and not (baseline.published or changed or missing) and record["scale"] == 1:
        return _measured_here(len(values))
    return verdict


def _outdated(baseline: Baseline, record: dict[str, Any]) -> list[str]:
    """What the experiment's file says otherwise by now than when a record was written."""
    protocol, recipe, name = _hashes(baseline.name, baseline.protocol, baseline.checkpoint)
    now = {"score": baseline.score, "protocol": name, "checkpoint": baseline.checkpoint}
    found = [
        f"the {key} was {record.get(key)}, and is {value} by now"
        for key, value in now.items()
        if record.get(key) != value
    ]
    # records of an earlier version are without the protocol's hash
    if not found and record.get("protocol_hash", protocol) != protocol:
        found.append(f"the protocol {name} has other settings by now")
    if not record.get("recipe_hash"):
        found.append("its recipe is not known")
    elif record["recipe_hash"] != recipe:
        found.append("the recipe is another one by now")
    return found


@cache
def _hashes(
    experiment: str, protocol: str | None, checkpoint: str
) -> tuple[str | None, str, str | None]:
    """Hashes of a protocol and of a recipe as their files are now, and the protocol's own name."""
    from ganlab.config.compose import compose, to_plain
    from ganlab.config.protocols import named_protocol
    from ganlab.config.recipe import protocol_hash, recipe_hash

    recipe = recipe_hash(to_plain(compose([f"experiment={experiment}"])), checkpoint == "best")
    if protocol is None:
        return None, recipe, None
    plain = named_protocol(protocol)
    return protocol_hash(plain), recipe, plain.get("name", protocol)


def mean_and_spread(values: list[float | None]) -> str:
    """Mean and standard deviation, or how many diverged; a dash where there is nothing."""
    import statistics

    if not values:
        return "–"
    if diverged := sum(value is None or not math.isfinite(value) for value in values):
        return f"{diverged} of {len(values)} diverged"
    spread = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4g}{spread}"


def ledger(folder: Path = FOLDER) -> str:
    """One line for each baseline.

    Args:
        folder: of recorded reproductions.
    """
    rows = [HEADER]
    for name, baseline in baselines().items():
        ours, verdict = standing(baseline, recorded(name, folder))
        figures = [(f["by"], _figure(f)) for f in baseline.published]
        paper = " ".join([baseline.paper, *(text for by, text in figures if by == "paper")])
        peers = ", ".join(f"{by} {text}" for by, text in figures if by != "paper")
        arrow = "↓" if baseline.better == "lower" else "↑"
        score = baseline.score if baseline.protocol else "judged by people"
        failing = " (a failure)" if baseline.failure else ""
        row = (f"{score} {arrow}", baseline.protocol or "–", paper, (peers or "–") + failing)
        rows.append((name, baseline.model, baseline.data, *row, ours, verdict.sentence))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths[:-1]) + "  ───────")
    lines.append("\n(in brackets: taken in another way than the protocol's, and not compared)")
    for path in sorted(folder.glob("*/*/verdict.json")):
        if recorded_in(path.parent) is None:
            lines.append(f"{path} is damaged, and was left out.")
    return "\n".join(lines)


def _figure(figure: dict[str, Any]) -> str:
    return f"{figure['value']:g}" if figure.get("comparable", True) else f"({figure['value']:g})"
