"""Resumes a run with a changed configuration, and checks what may change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ganlab.config.precision import (
    check_precisions,
    computes_in_bfloat16,
    same_precision,
    set_precision,
)
from ganlab.config.values import METRICS_MEMORY
from ganlab.errors import ConfigError, RunError
from ganlab.record.stored import differences, placed, stored_config

# the settings that may change on resume: they decide how a run is executed and watched
MAY_DIFFER = (
    "budget",
    "schedule",  # lengths that schedules refer to; a change is found in the schedules
    "trainer",
    "precision",
    "logger",
    "callbacks.progress",
    "callbacks.samples",
    "callbacks.checkpoints",
    "callbacks.evaluation",
    "run",
    "run_dir",
    "resume",
    "dry_run",
    "choices",
    "name",
    "threads",
    "metrics_memory",
    "data.root",
    "data.download",
    "data.skip_corrupt",  # the hash of the data is compared
)


def continued(
    folder: Path,
    overrides: list[str],
    wanted: dict[str, Any] | None = None,
    trust: bool = False,
) -> dict[str, Any]:
    """Return the configuration with which to resume the run in `folder`.

    Args:
        folder: the run's folder.
        overrides: key=value texts that change the run's config.yaml.
        wanted: the complete new configuration; if it is given, `overrides` are ignored, and
            nothing is built from the run's config.yaml.
        trust: whether the run may name classes that are not part of ganlab.

    Raises:
        RunError: the folder holds no run, or one that may not be built; the run is finished and no
            longer budget is given; or a setting outside `MAY_DIFFER` has changed. The message lists
            the changes.
        ConfigError: an unknown key, a text without `=`, a config group, or a budget that is not a
            number.
    """
    from ganlab.record.run import read_record

    missing = {"dry_run": False, "metrics_memory": METRICS_MEMORY}  # in older runs
    config = missing | stored_config(folder, trust or wanted is not None)
    record = read_record(folder)
    new = wanted or _overridden(config, overrides)
    if config.get("precision") == new.get("precision") == "auto":  # not chosen again
        new["trainer"]["precision"] = config["trainer"]["precision"]
    new |= {"resume": True, "run": None, "run_dir": os.path.abspath(folder), "name": config["name"]}
    for budget in (config.get("budget"), new.get("budget")):
        _check_budget(budget)
    _refuse_changes(config, new, f"run: {folder} cannot be resumed with other settings")
    if config.get("lesson") and record.get("status") == "finished":
        raise RunError(f"run: {folder} is a finished lesson. Start it again with a new run_dir.")
    seen = record.get("counters") or {"examples_seen": 0, "batches_seen": 0}
    used = {name: seen[f"{name}_seen"] for name in ("examples", "batches")}
    if record.get("status") == "finished" and not _is_longer(config["budget"], new["budget"], used):
        raise RunError(
            f"run: {folder} has finished ({seen['examples_seen']:,} examples, "
            f"{seen['batches_seen']:,} batches). To continue it, give a longer budget, e.g. "
            f"{_longer(new['budget'], used)}."
        )
    return new


def check_continues(path: Path, contents: dict[str, Any], config: dict[str, Any]) -> None:
    """Raise unless a run can go on from a checkpoint with its configuration.

    The checkpoint holds the configuration that the run has been trained with so far; config.yaml
    may have been edited since.

    Args:
        path: the checkpoint, in the run's folder `checkpoints`.
        contents: its contents, see `ganlab.core.load.read_checkpoint`.
        config: the configuration to go on with, plain and resolved.

    Raises:
        RunError: a setting outside `MAY_DIFFER` has changed; or the budget has changed, and the
            checkpoint has reached it.
    """
    if not (saved := contents["ganlab"].get("config")):
        return
    saved = placed(saved, path.parents[1])
    missing = {key: config.get(key) for key in ("dry_run", "metrics_memory")}  # in older runs
    _refuse_changes(missing | saved, config, f"run: config.yaml differs from that in {path}")
    counters, budget = contents["ganlab"]["counters"], config["budget"]
    seen = {name: counters[f"{name}_seen"] for name in ("examples", "batches")}
    clock = contents.get("callbacks", {}).get("Budget") or {}
    used = seen | {"minutes": clock.get("seconds", 0) / 60}
    reached = _reached(budget, used)
    if reached and budget != saved.get("budget"):
        raise RunError(
            f"budget.{reached[0]}: received {budget[reached[0]]}, but the run has been trained for "
            f"{seen['examples']:,} examples ({seen['batches']:,} batches, {used['minutes']:.2f} "
            f"minutes). Give a longer budget, e.g. {_longer(budget, used)}."
        )


def resumes_at(saved: dict[str, Any], config: dict[str, Any]) -> str:
    """Return a line on where a run resumes, and on changes of its precision and its limits.

    Args:
        saved: ganlab's part of the checkpoint.
        config: the configuration to go on with.
    """
    line = f"Resuming after {saved['counters']['examples_seen']:,} examples."
    old, budget = saved.get("config") or {}, config["budget"]
    before, precision = old.get("budget") or {}, config["trainer"].get("precision")
    was = (old.get("trainer") or {}).get("precision", precision)
    if same_precision(was) != same_precision(precision):
        line += f" The precision is now {precision}; it was {was}."
    if precision == "bf16-mixed" and not computes_in_bfloat16(config["trainer"]["accelerator"]):
        line += (
            " This processor has no instructions for bfloat16, so it will be slow; "
            "trainer.precision=32-true is faster here."
        )
    gone = [key for key, value in before.items() if value is not None and budget.get(key) is None]
    if gone:
        limits = ", ".join(f"budget.{key}={before[key]}" for key in gone)
        line += f" No longer in force: {limits}; give it again to keep it."
    return line


def _refuse_changes(old: dict[str, Any], new: dict[str, Any], title: str) -> None:
    """Raise a RunError that lists the settings that differ, except those of `MAY_DIFFER`."""
    changed = [
        line for key, line in differences(old, new) if not any(_inside(key, f) for f in MAY_DIFFER)
    ]
    if changed:
        raise RunError(
            f"{title}; these settings differ:\n"
            + "\n".join(f"  {line}" for line in changed)
            + "\nResume it without these changes, or start a new run with another run_dir."
        )


def _check_budget(budget: Any) -> None:
    if not isinstance(budget, dict):
        raise ConfigError(f"budget: received {budget!r}; set budget.examples=… or another limit.")
    for limit in _limits(budget):
        value = budget[limit]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (is_number and value > 0):
            raise ConfigError(f"budget.{limit}: received {value!r}; needs a number above 0.")


def _limits(budget: dict[str, Any]) -> list[str]:
    return [key for key in budget if key != "_target_"]


def _inside(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")


def _longer(budget: dict[str, Any], used: dict[str, float]) -> str:
    """Return an example of a longer budget: its limits that are reached, of what is used twice."""
    names = _reached(budget, used) or ["examples"]
    return " ".join(f"budget.{name}={2 * used[name]:.10g}" for name in names)


def _reached(budget: dict[str, Any], used: dict[str, float]) -> list[str]:
    """Return the limits of a budget that are used up."""
    return [name for name, n in used.items() if budget.get(name) and budget[name] <= n]


def _is_longer(old: dict[str, Any], new: dict[str, Any], used: dict[str, float]) -> bool:
    """Whether a finished run would train further with a new budget.

    Args:
        old: the run's budget.
        new: the new budget.
        used: examples and batches of the run. Limits of other units are compared with the old ones.
    """
    limits = {name: new[name] for name in _limits(new) if new[name] is not None}
    changed = [name for name in _limits(new) if old.get(name) != new[name]]
    return bool(changed) and all(
        value > used[name] if name in used else name not in changed or value > (old.get(name) or 0)
        for name, value in limits.items()
    )


def _overridden(config: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    from omegaconf import OmegaConf

    from ganlab.config.compose import check_key, merge
    from ganlab.config.groups import groups
    from ganlab.config.overrides import in_section

    base = OmegaConf.create(config)
    overrides = [in_section(text.lstrip("+")) for text in overrides]
    for text in overrides:
        key, equals, _ = text.partition("=")
        if key in groups():
            raise ConfigError(
                f"{text}: a resumed run keeps its {key}. Change single values "
                f"(e.g. budget.examples=…), or start a new run."
            )
        if not equals:
            raise ConfigError(f"{text}: cannot be read; write key=value.")
        check_key(base, text, key)
    check_precisions(overrides)
    texts = [text for text in overrides if text.partition("=")[0] not in ("run", "resume")]
    keys = {text.partition("=")[0] for text in texts}
    plain = merge(base, texts)
    if "precision" in keys and "trainer.precision" not in keys:
        plain["trainer"]["precision"] = plain["precision"]
    if keys & {"precision", "trainer.precision"}:
        set_precision(plain)
    if any(key.startswith("budget.") for key in keys):
        # a new limit replaces all limits of the run's budget
        for limit in _limits(plain["budget"]):
            if f"budget.{limit}" not in keys:
                plain["budget"][limit] = None
    return plain
