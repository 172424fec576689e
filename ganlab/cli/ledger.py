"""The ledger of baselines: what papers and peers claim, what came out here."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ganlab.cli.compose import CONF, options
from ganlab.errors import ConfigError, nearest
from ganlab.reports.baselines import Baseline, Verdict, baseline_of, judge

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
    """The baseline of an experiment.

    Raises:
        ConfigError: no such experiment, or one without a baseline, with the nearest that has one.
    """
    found = baselines()
    if name not in found:
        why = "has no baseline" if name in options("experiment") else "is no experiment"
        raise ConfigError(
            f"reproduce: {name!r} {why}; allowed {', '.join(found)}.{nearest(name, [*found])}"
        )
    return found[name]


def _read(name: str) -> dict[str, Any]:
    """Model, data and baseline of an experiment's file, and of those that it begins with."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    path = CONF / "experiment" / f"{name}.yaml"
    content = yaml.load(path.read_text(encoding="utf-8"), loader)
    result: dict[str, Any] = {}
    for entry in content.get("defaults") or []:
        if isinstance(entry, str):
            if entry != "_self_":
                result |= _read(str(Path(name).with_name(entry)))
            continue
        for key, value in entry.items():
            result[key.removeprefix("override ").lstrip("/")] = value
    return result | {k: v for k, v in content.items() if k == "baseline"}


def recorded(name: str, folder: Path = FOLDER) -> list[dict[str, Any]]:
    """The records (verdict.json) of an experiment's reproductions, the newest first."""
    records = [recorded_in(path.parent) for path in folder.glob(f"{name}/*/verdict.json")]
    return sorted(filter(None, records), key=lambda record: record["at"], reverse=True)


def recorded_in(folder: Path) -> dict[str, Any] | None:
    """The verdict.json in a folder; None where there is none that can be read."""
    try:
        record = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
        return {"at": "", "values": [], **record}
    except (OSError, ValueError, TypeError):
        return None


def standing(baseline: Baseline, records: list[dict[str, Any]]) -> tuple[str, Verdict]:
    """Ours, and what came of it: by the newest reproduction that has a verdict.

    Values are held against the target that the experiment's file has now. Without a verdict of a
    reproduction, the figure in the file's `ours` counts; else what else there is.
    """
    judged = [(record, _judged(baseline, record)) for record in records]
    with_word = [(r, v) for r, v in judged if v.word not in ("no verdict", "not comparable")]
    if with_word:
        return mean_and_spread(with_word[0][0]["values"]), with_word[0][1]
    if baseline.ours and baseline.target is not None:
        mean, (low, high) = baseline.ours["mean"], baseline.ours["interval"]
        verdict = judge(baseline, [mean])
        words = verdict.words.replace("one seed", "as in its file")
        return f"{mean:.4g} ({low:.4g} … {high:.4g})", Verdict(verdict.word, words)
    if judged:
        record, verdict = judged[0]
        return mean_and_spread(record["values"]), verdict
    if baseline.protocol is None:
        return "–", judge(baseline, [])
    return "–", Verdict("no verdict", "not run here")


def _judged(baseline: Baseline, record: dict[str, Any]) -> Verdict:
    changed = list(record.get("changed") or [])
    if record.get("recipe_hash") and not changed and record.get("scale", 1) == 1:
        from ganlab.cli.compose import compose, to_plain
        from ganlab.cli.recipe import recipe_hash

        config = to_plain(compose([f"experiment={baseline.name}", "run_dir=unused"]))
        if recipe_hash(config, baseline.checkpoint == "best") != record["recipe_hash"]:
            changed = ["the recipe is another one by now"]
    values = [math.nan if value is None else value for value in record["values"]]
    return judge(
        baseline,
        values,
        changed=changed,
        scale=record.get("scale", 1),
        missing=record.get("missing") or [],
    )


def mean_and_spread(values: list[float | None]) -> str:
    """Mean and standard deviation; a dash where there is none."""
    import statistics

    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return "diverged" if values else "–"
    spread = f" ± {statistics.stdev(finite):.2g}" if len(finite) > 1 else ""
    return f"{statistics.fmean(finite):.4g}{spread}"


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
        rows.append((name, baseline.model, baseline.data, *row, ours, verdict.words))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths[:-1]) + "  ───────")
    lines.append("\n(in brackets: taken in another way than the protocol's, and not compared)")
    return "\n".join(lines)


def _figure(figure: dict[str, Any]) -> str:
    return f"{figure['value']:g}" if figure.get("comparable", True) else f"({figure['value']:g})"
