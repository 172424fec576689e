"""Recipes, the settings that decide a run's result: comparing recipes, and shortening runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ganlab.config.targets import locate
from ganlab.errors import ConfigError
from ganlab.ranks import devices_of
from ganlab.record.old_names import original

# keys that are not part of a recipe: seeds, where and how fast a run is trained, its log
IGNORED = (
    "baseline",
    "callbacks",
    "choices",
    "compile",
    "data.cache",
    "data.download",
    "data.root",
    "data.seed",
    "dry_run",
    "log_every",
    "logger",
    "memory_format",
    "metrics_memory",
    "name",
    "precision",
    "resume",
    "run",
    "run_dir",
    "seed",
    "threads",
    "trainer",
)
# keys inside these sections that do change the result
EXCEPTIONS = (
    "callbacks.ema",
    "trainer.accumulate_grad_batches",
    "trainer.fast_dev_run",
    "trainer.limit_train_batches",
    "trainer.max_epochs",
    "trainer.max_steps",
    "trainer.max_time",
    "trainer.overfit_batches",
    "trainer.precision",
)
# keys that count too if the best checkpoint is scored: they decide which checkpoint is best
EXCEPTIONS_FOR_BEST = (
    "callbacks.evaluation",
    "callbacks.checkpoints.monitor",
    "callbacks.checkpoints.mode",
)


def recipe(config: dict[str, Any], best: bool = False) -> dict[str, Any]:
    """Return the settings that decide a run's result, as a dict from dotted keys to values.

    With precision=auto the recipe has trainer.precision "auto", whatever the processor has chosen.
    In a recipe, data.batch_size is the number of examples on all ranks together. If several ranks
    train without sync_batchnorm, the recipe says so: the result differs from that of one process.

    Args:
        config: the configuration, plain and resolved.
        best: whether the result is the best checkpoint. If so, the recipe includes the settings
            that decide which checkpoint is the best.
    """
    exceptions = EXCEPTIONS + EXCEPTIONS_FOR_BEST if best else EXCEPTIONS
    settings = {
        key: value
        for key, value in _flat(config)
        if _inside(key, exceptions) or not _inside(key, IGNORED)
    }
    settings = {k: v for k, v in settings.items() if not k.endswith("protocol.features.weights")}
    if config.get("precision") == "auto":  # the processor chooses trainer.precision
        settings["trainer.precision"] = "auto"
    if (processes := _processes(config.get("trainer") or {})) > 1:
        if settings.get("data.batch_size") is not None:
            settings["data.batch_size"] *= processes
        if not config["trainer"].get("sync_batchnorm"):
            settings["trainer.sync_batchnorm"] = f"false over {processes} processes"
    return settings


def _processes(trainer: dict[str, Any]) -> int:
    trainer = trainer | {"devices": trainer.get("devices") or 1}
    return devices_of(trainer) * int(trainer.get("num_nodes") or 1)


def recipe_hash(config: dict[str, Any], best: bool = False) -> str:
    """Return a hash of a configuration's recipe, 16 hex digits; see `recipe`."""
    return _hash(recipe(original(config), best))


def protocol_hash(protocol: dict[str, Any]) -> str:
    """Return a hash of a protocol, 16 hex digits; paths of weights do not count."""
    flat = _flat(original(protocol))
    return _hash({k: v for k, v in flat if k.rpartition(".")[2] != "weights"})


def _hash(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def changes(config: dict[str, Any], base: dict[str, Any], best: bool = False) -> list[str]:
    """Return the differences between two recipes, each as a text "key: old → new".

    Args:
        config: the configuration with the new values.
        base: the configuration with the old values.
        best: see `recipe`.
    """
    new, old = recipe(config, best), recipe(base, best)
    return [
        f"{key}: {old.get(key)} → {new.get(key)}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def shortened(config: dict[str, Any], scale: float) -> list[str]:
    """Return overrides that multiply the length of a run, and of all its schedules, by `scale`.

    The overrides change the budget, and the arguments that classes list in `lengths` and
    `cadences`: lengths of schedules, the half-life of the EMA weights, and how often scores and
    checkpoints are taken; and the starts and ends of phases.
    A budget of examples or batches still allows one optimizer step of every player.

    Args:
        config: the configuration, plain and resolved.
        scale: the factor, > 0.

    Raises:
        ConfigError: a schedule inside a list, which overrides cannot change.
    """
    model = config.get("model") or {}
    players, phases = model.get("players") or {}, _phases(model)
    needed = [(p.get("every") or 1) * (p.get("accumulate") or 1) for p in players.values()]
    needed += [phase.get("every") or 1 for phase in phases.values()]
    batches = max(needed, default=1)
    minimum = {"examples": batches * config["data"]["batch_size"], "batches": batches}
    budget = {k: v for k, v in config["budget"].items() if k != "_target_" and v is not None}
    texts = []
    for key, value in budget.items():
        short = max(round(value * scale), minimum[key]) if key in minimum else value * scale
        texts.append(f"budget.{key}={short}")
    for key, value in (config.get("schedule") or {}).items():
        if isinstance(value, (int, float)):
            texts.append(f"schedule.{key}={value * scale:.12g}")
    for path, value in _declared("cadences", config):
        if value:
            texts.append(f"{path}={max(round(value * scale), config['data']['batch_size'])}")
    for path, value in _declared("lengths", config):
        if isinstance(value, list):
            texts.append(f"++{path}=[{','.join(f'{v * scale:.12g}' for v in value)}]")
        elif isinstance(value, (int, float)) and value:
            texts.append(f"++{path}={value * scale:.12g}")
    for name, phase in phases.items():
        for key in ("start", "until"):
            if phase.get(key):
                texts.append(f"++model.phases.{name}.{key}={phase[key] * scale:.12g}")
            if batches := phase.get(f"{key}_batches"):
                short = max(round(batches * scale), 1)
                texts.append(f"++model.phases.{name}.{key}_batches={short}")
    return texts


def _phases(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the fields of the phases that a family declares, as the configuration changes them."""
    phases = {name: dict(changes or {}) for name, changes in (model.get("phases") or {}).items()}
    if "_target_" in model:
        for phase in getattr(locate(model["_target_"], "model"), "phases", ()):
            phases[phase.name] = vars(phase) | phases.get(phase.name, {})
    return phases


def _declared(attribute: str, node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of each argument whose class lists it in `attribute` ("lengths", …)."""
    if isinstance(node, dict):
        if "_target_" in node:
            for key in getattr(locate(node["_target_"], path), attribute, ()):
                yield f"{path}.{key}", node.get(key)
        for key, value in node.items():
            yield from _declared(attribute, value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list) and any(True for item in node for _ in _declared(attribute, item)):
        raise ConfigError(
            f"scale: {path} is a list with a schedule, and overrides cannot change lists. Write "
            "the list as a mapping, with a name for each entry."
        )


def _flat(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        inner = f"{path}.{key}" if path else str(key)
        if isinstance(value, dict) and value:
            yield from _flat(value, inner)
        else:
            yield inner, value


def _inside(key: str, sections: tuple[str, ...]) -> bool:
    return any(key == section or key.startswith(f"{section}.") for section in sections)
