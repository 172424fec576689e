"""The estimate of a run as plain text, for a terminal or a log."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ganlab.data.archives.files import cache_folder
from ganlab.estimate.estimates import Estimate
from ganlab.files import from_here
from ganlab.record.states import holds_nothing

LABELS = {
    "evaluation": "scores",
    "doctor": "doctor's samples",
    "samples": "sample pictures",
    "checkpoints": "checkpoints",
}
LOGS = {"csv": "metrics.csv", "tensorboard": "tensorboard/", "wandb": "wandb/"}
MEMORY = {
    "parameters": "",
    "buffers": "running statistics and other buffers",
    "gradients": "of all players at once",
    "optimizers": "optimizer states",
    "ema": "averaged copies",
}
SHOWN = 5  # maximum of files that are listed
SHORTEST = 0.001  # seconds; a callback whose first call takes less gets no line


def tree(value: Any, depth: int = 0) -> list[str]:
    """Return a plain configuration as lines, one for each value.

    The `_target_` of a dict is on the line of the dict's key.
    """
    pad, lines = "  " * depth, []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if key in ("_target_", "_partial_"):
            continue
        label = f"{pad}{key}:" if isinstance(value, dict) else f"{pad}-"
        if isinstance(inner, dict) and inner:
            target = f" {inner['_target_']}" if "_target_" in inner else ""
            lines += [label + target, *tree(inner, depth + 1)]
        elif isinstance(inner, list) and any(isinstance(x, (dict, list)) for x in inner):
            lines += [label, *tree(inner, depth + 1)]
        elif isinstance(inner, list):
            lines.append(f"{label} [{', '.join(map(_scalar, inner))}]")
        else:
            lines.append(f"{label} {_scalar(inner)}")
    return lines


def describe_lesson(config: dict[str, Any]) -> str:
    """Return as text the time that a lesson takes and the files that it writes.

    A lesson is the figure, numbers and sentences of a lecture experiment.
    """
    return "\n".join(
        [
            "\nTime\n  up to two minutes on two cores; nothing is trained for later use",
            *_folder(config),
            "    config.yaml, run.json, figure.png, numbers.json",
        ]
    )


def describe(config: dict[str, Any], estimate: Estimate, cached: Iterable[Path] = ()) -> str:
    """Return parameters, memory, length, time and files of a run as text.

    Args:
        config: the configuration, plain and checked.
        estimate: the estimate of this run.
        cached: files that the estimate wrote into the cache folder.
    """
    sections = (
        _parameters(estimate),
        _memory(estimate),
        _length(config, estimate),
        _writes(config, estimate),
    )
    lines = [line for section in sections for line in section]
    return "\n".join(lines + _caches(config, estimate, cached))


# --- sections ----------------------------------------------------------------------------------


def _parameters(estimate: Estimate) -> list[str]:
    lines = ["\nParameters"]
    lines += _table({name: f"{count:,}" for name, count in estimate.networks.items()})
    trained = {f"trained by {role}": f"{count:,}" for role, count in estimate.players.items()}
    return lines + _table(trained)


def _memory(estimate: Estimate) -> list[str]:
    measured = {k: v for k, v in estimate.memory.items() if k != "optimizers" or estimate.costs}
    rows = {k: f"{_size(v)}  {MEMORY[k]}".rstrip() for k, v in measured.items() if v}
    lines = ["\nMemory", *_table(rows | {"sum": _size(sum(measured.values()))})]
    if estimate.costs is None:
        return [*lines, "  optimizer states and activations are not measured: no data yet"]
    costs = estimate.costs
    on_cuda = costs.device.startswith("cuda")
    where = f"allocated on {costs.device}" if on_cuda else "of the whole process"
    lines.append(
        f"  peak {where} in the measured batches: {costs.peak:,.0f} MiB; before the first batch: "
        f"{costs.before:,.0f} MiB{'' if on_cuda else ' (with Python, libraries and data)'}"
    )
    if costs.loading > costs.peak:
        lines.append(f"  peak while the data was loaded: {costs.loading:,.0f} MiB")
    return lines + ([f"  in each of {estimate.ranks} processes"] if estimate.ranks > 1 else [])


def _length(config: dict[str, Any], estimate: Estimate) -> list[str]:
    if estimate.costs is None or estimate.length is None:
        limits = [f"budget.{k}={v}" for k, v in config["budget"].items() if k != "_target_" and v]
        return [
            f"\nLength\n  {', '.join(limits)}",
            "\nTime\n  not measured: the data is not downloaded yet.",
            *(f"  {line}" for line in estimate.why_missing.splitlines()),
        ]
    costs, length = estimate.costs, estimate.length
    steps = {role: f"{count:,} optimizer steps" for role, count in length.steps.items()}
    for role, player in config["model"]["players"].items():
        for key, text in (
            ("every", "due every {} batches"),
            ("accumulate", "{} due batches a step"),
        ):
            if player.get(key, 1) != 1:
                steps[role] += ", " + text.format(player[key])
    for name, changed in (config["model"].get("phases") or {}).items():
        steps[f"phase {name}"] = ", ".join(f"{key}={value}" for key, value in changed.items())
    about = "about " if "minutes" in length.limit else ""
    lines = [
        f"\nLength\n  {length.limit} ends the run after {about}{length.batches:,} batches, "
        f"{length.examples:,} examples, {length.epochs:,.3g} epochs",
        *_table(steps),
    ]
    if estimate.ranks > 1:
        lines.append(f"  {estimate.ranks} processes, which share the examples")
    lines += [
        f"\nTime\n  {1000 * costs.seconds:,.3g} ms a batch, {costs.examples / costs.seconds:,.0f} "
        f"examples/s: mean of {costs.batches:,} batches on {costs.device}, after {costs.warm_up} "
        "batches to warm up",
    ]
    if estimate.ranks > 1:
        lines.append(
            "  measured in one process, so without the time of communication between processes"
        )
    lines += _other_load()
    shown = {label: name for name, label in LABELS.items() if _gets_line(estimate, name)}
    lines += _table({label: _cost(estimate, name) for label, name in shown.items()})
    left_out = ["start and loading of the data", *(LABELS[name] for name in costs.reasons)]
    lines.append(f"  expected: {_duration(length.seconds)}, without {', '.join(left_out)}")
    return lines


def _other_load() -> list[str]:
    """Return [a line] if other processes seem to slow the measurement down, else []."""
    cores, load = os.cpu_count() or 1, os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < cores + 1:  # this process adds about 1
        return []
    return [f"  other processes keep this machine busy (load {load:.0f}, {cores} cores)"]


def _gets_line(estimate: Estimate, name: str) -> bool:
    """Whether a callback was not measured, or its first call took at least `SHORTEST`."""
    if name in estimate.costs.reasons:
        return True
    return name in estimate.length.calls and estimate.costs.callbacks[name].first >= SHORTEST


def _cost(estimate: Estimate, name: str) -> str:
    count = estimate.length.calls[name]
    times = f"{count:,} time{'s' if count > 1 else ''}"
    if name in estimate.costs.reasons:
        return f"{times}, not measured: {estimate.costs.reasons[name]}"
    cost = estimate.costs.callbacks[name]
    later = f", then {_duration(cost.again)} each" if count > 1 else ""
    return f"{times}, {_duration(cost.first)}{later}"


def _folder(config: dict[str, Any]) -> list[str]:
    folder = from_here(Path(config["run_dir"]))
    state = ""
    if not config.get("resume") and not holds_nothing(folder):
        state = " (already holds a run: training will refuse it)"
    elif config.get("resume"):
        state = " (resumes the run there; the numbers above are for the whole run)"
    return [f"\nWrites\n  {folder}{state}"]


def _writes(config: dict[str, Any], estimate: Estimate) -> list[str]:
    callbacks = {name: c for name, c in (config.get("callbacks") or {}).items() if c}
    loggers = [LOGS.get(name, f"what {name} logs") for name in config.get("logger") or {}]
    files = ["config.yaml", "run.json", "log.txt", "timing.csv", "curves.png", *loggers]
    lines = [*_folder(config), f"    {', '.join(files)}"]
    calls = estimate.length.calls if estimate.length else {}
    sizes = (
        {name: f" of {_size(n)}" for name, n in estimate.costs.bytes.items()}
        if estimate.costs
        else {}
    )
    if "samples" in callbacks and (estimate.costs is None or "samples" in calls):
        count = f"{calls['samples']:,} pictures" if calls else "pictures"
        lines.append(f"    contact_sheet.png, samples/: {count}{sizes.get('samples', '')}")
    if "checkpoints" in callbacks:
        kept = ["last.ckpt", "previous.ckpt"]
        kept += ["best.ckpt"] if callbacks["checkpoints"].get("monitor") else []
        if every := callbacks["checkpoints"].get("keep_every"):
            count = estimate.length.examples // every if estimate.length else "some"
            kept.append(f"{count} <examples>.ckpt")
        each = f", each{sizes['checkpoints']}" if "checkpoints" in sizes else ""
        lines.append(f"    checkpoints/: {', '.join(kept)}{each}")
    if "_target_" in callbacks.get("export", {}):
        lines.append(f"    {callbacks['export'].get('name')}.safetensors")
    if config["trainer"].get("profiler"):
        lines.append("    the profiler's report")
    return lines


def _caches(config: dict[str, Any], estimate: Estimate, cached: Iterable[Path]) -> list[str]:
    lines = [f"  {cache_folder()}: prepared data and features, for all runs"]
    new = sorted(cached)
    lines += [
        f"    {path} ({_size(path.stat().st_size)}), written by this dry run"
        for path in new[:SHOWN]
    ]
    lines += [f"    and {len(new) - SHOWN} more files"] if len(new) > SHOWN else []
    if root := config["data"].get("root"):
        lines.append(f"  {root}: the data set's own files")
    for path, url in estimate.missing.items():
        lines.append(f"  {path}: not downloaded yet, from {url}")
    return lines


# --- text ---------------------------------------------------------------------------------------


def _table(rows: dict[str, str]) -> list[str]:
    width = max(map(len, rows), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in rows.items()]


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _size(count: int) -> str:
    if count < 2**10:
        return f"{count} bytes"
    return f"{count / 2**20:,.2f} MiB" if count >= 2**20 else f"{count / 2**10:,.1f} KiB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2g} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
