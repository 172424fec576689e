"""The ledger: a table of all baselines with the claimed scores, our scores and the verdicts."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

from ganlab.config.groups import bare_names, file_of, options
from ganlab.errors import ConfigError, nearest
from ganlab.reading import read_json
from ganlab.record.old_names import current
from ganlab.record.plain_yaml import parse
from ganlab.reproduction.baselines import Baseline, Verdict, baseline_of, judge, recipe_of

FOLDER = Path("outputs") / "reproduce"
HEADER = ("experiment", "model", "data", "score", "protocol", "paper", "peers", "ours", "verdict")


def baselines() -> dict[str, Baseline]:
    """Return a dict from the name of each experiment that has a baseline to its baseline.

    The YAML files are read without Hydra, since composing them would take a hundred times as long.

    Raises:
        ConfigError: a `baseline` block is invalid.
    """
    result = {}
    for name in options("experiment"):
        content = _read(name)
        if block := content.get("baseline"):
            result[name] = baseline_of(name, content.get("model"), content.get("data"), block)
    return result


def baseline_named(name: str) -> Baseline:
    """Return an experiment's baseline, by the experiment's name or path, e.g. gan/ring/ring_wgan.

    Raises:
        ConfigError: there is no such experiment, or it has no baseline; the message suggests the
            nearest name that has one.
    """
    known, name = baselines(), bare_names("experiment", name)
    if name not in known:
        why = "has no baseline" if name in options("experiment") else "is no experiment"
        raise ConfigError(
            f"reproduce: {name!r} {why}; allowed {', '.join(known)}.{nearest(name, [*known])}"
        )
    return known[name]


def _read(name: str, group: str = "experiment") -> dict[str, Any]:
    """Return model, data and baseline of an experiment's file, with the files in its defaults."""
    content = parse(file_of(group, name).read_text(encoding="utf-8"))
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
    if block := content.get("baseline"):
        result["baseline"] = result.get("baseline", {}) | block
    return result


def recorded(name: str, folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return the records (verdict.json) of an experiment's reproductions, the newest first."""
    records = [recorded_in(path.parent) for path in folder.glob(f"{name}/*/verdict.json")]
    return sorted(filter(None, records), key=lambda record: record["at"], reverse=True)


def recorded_in(folder: Path) -> dict[str, Any] | None:
    """Return the content of a folder's verdict.json; None if the file is missing or damaged."""
    try:
        record = current(read_json(folder / "verdict.json"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and _is_valid(record) else None


def _is_valid(record: dict[str, Any]) -> bool:
    """Whether the entries that the ledger reads have the right types."""

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
    """Return our score as text, and the verdict on it.

    The newest reproduction with a verdict decides; its values are compared with the current target
    of the experiment's file. Without such a reproduction, the score in the file's `ours` decides.
    If that score is missing too, the newest reproduction without a verdict decides. A measurement
    that defined the target is no reproduction of it.

    Args:
        baseline: the baseline.
        records: its reproductions, the newest first, see `recorded`.
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
    """Return the verdict on a recorded reproduction, compared with the current baseline."""
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
    """Return how the experiment's files have changed since a record was written, as texts."""
    protocol, recipe, name = _hashes(baseline.name, baseline.protocol, baseline.checkpoint)
    current_values = {"score": baseline.score, "protocol": name, "checkpoint": baseline.checkpoint}
    differences = [
        f"the {key} was {record.get(key)} and is now {value}"
        for key, value in current_values.items()
        if record.get(key) != value
    ]
    # records of earlier versions have no hash of the protocol
    if not differences and record.get("protocol_hash", protocol) != protocol:
        differences.append(f"the settings of protocol {name} have changed")
    if not record.get("recipe_hash"):
        differences.append("the recipe is unknown")
    elif record["recipe_hash"] != recipe:
        differences.append("the recipe has changed")
    return differences


@cache
def _hashes(
    experiment: str, protocol: str | None, checkpoint: str
) -> tuple[str | None, str, str | None]:
    """Return the current hashes of a protocol and of a recipe, and the protocol's name."""
    from ganlab.config.compose import compose, to_plain
    from ganlab.config.protocols import named_protocol
    from ganlab.config.recipe import protocol_hash, recipe_hash

    recipe = recipe_hash(to_plain(compose(recipe_of(experiment))), checkpoint == "best")
    if protocol is None:
        return None, recipe, None
    plain = named_protocol(protocol)
    return protocol_hash(plain), recipe, plain.get("name", protocol)


def mean_and_spread(values: list[float | None]) -> str:
    """Return mean and standard deviation as text, or how many values diverged; "–" for none."""
    import statistics

    if not values:
        return "–"
    if diverged := sum(value is None or not math.isfinite(value) for value in values):
        return f"{diverged} of {len(values)} diverged"
    spread = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4g}{spread}"


def ledger(folder: Path = FOLDER) -> str:
    """Return a table with one line per baseline.

    Args:
        folder: the folder of all recorded reproductions.
    """
    rows = [HEADER]
    for name, baseline in baselines().items():
        ours, verdict = standing(baseline, recorded(name, folder))
        claims = [(claim["by"], _claimed(claim)) for claim in baseline.published]
        paper = " ".join([baseline.paper, *(text for by, text in claims if by == "paper")])
        peers = ", ".join(f"{by} {text}" for by, text in claims if by != "paper")
        arrow = "↓" if baseline.better == "lower" else "↑"
        score = baseline.score if baseline.protocol else "judged by people"
        mark = " (a failure)" if baseline.failure else ""
        row = (f"{score} {arrow}", baseline.protocol or "–", paper, (peers or "–") + mark)
        rows.append((name, baseline.model, baseline.data, *row, ours, verdict.sentence))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths[:-1]) + "  ───────")
    lines.append(
        "\n(published scores in brackets were measured with other protocols, and are not compared)"
    )
    for path in sorted(folder.glob("*/*/verdict.json")):
        if recorded_in(path.parent) is None:
            lines.append(f"{path} is damaged and was skipped.")
    return "\n".join(lines)


def _claimed(claim: dict[str, Any]) -> str:
    return f"{claim['value']:g}" if claim.get("comparable", True) else f"({claim['value']:g})"
