"""What a run is, apart from where it runs: to compare recipes, and to shorten them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ganlab.config.targets import locate
from ganlab.errors import ConfigError
from ganlab.ranks import devices_of
from ganlab.record.old_names import original

# sections and keys that say where, how fast and how closely watched a recipe is trained
WHERE = (
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
    "name",
    "resume",
    "run",
    "run_dir",
    "seed",
    "threads",
    "trainer",
)
# of the sections above, what changes the result all the same
WHAT = (
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
# … where the best checkpoint counts
CHOOSES_BEST = (
    "callbacks.evaluation",
    "callbacks.checkpoints.monitor",
    "callbacks.checkpoints.mode",
)


def recipe(config: dict[str, Any], best: bool = False) -> dict[str, Any]:
    """The settings that decide what is trained, by dotted key.

    The batch is that of all processes together, and batch norm has to be over all of it: with
    several processes that each have their own, the recipe is another one.

    Args:
        config: plain and resolved.
        best: the checkpoint of the best score counts, and so does how it is chosen.
    """
    what = WHAT + CHOOSES_BEST if best else WHAT
    settings = {
        key: value for key, value in _flat(config) if _inside(key, what) or not _inside(key, WHERE)
    }
    settings = {k: v for k, v in settings.items() if not k.endswith("protocol.features.weights")}
    if (processes := _processes(config.get("trainer") or {})) > 1:
        if settings.get("data.batch_size") is not None:
            settings["data.batch_size"] *= processes
        if not config["trainer"].get("sync_batchnorm"):
            settings["trainer.sync_batchnorm"] = f"false over {processes} processes"
    return settings


def _processes(trainer: dict[str, Any]) -> int:
    own = trainer | {"devices": trainer.get("devices") or 1}
    return devices_of(own) * int(trainer.get("num_nodes") or 1)


def recipe_hash(config: dict[str, Any], best: bool = False) -> str:
    """16 hex digits that tell recipes apart; see `recipe`."""
    return _hash(recipe(original(config), best))


def protocol_hash(protocol: dict[str, Any]) -> str:
    """16 hex digits that tell protocols apart, wherever their networks' weights lie."""
    flat = _flat(original(protocol))
    return _hash({k: v for k, v in flat if k.rpartition(".")[2] != "weights"})


def _hash(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def changes(config: dict[str, Any], base: dict[str, Any], best: bool = False) -> list[str]:
    """How a recipe differs from another, a text "key: old → new" for each difference."""
    new, old = recipe(config, best), recipe(base, best)
    return [
        f"{key}: {old.get(key)} → {new.get(key)}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def shortened(config: dict[str, Any], scale: float) -> list[str]:
    """Overrides that multiply the length of a run, and of all that is scheduled over it.

    That is what classes declare as their `lengths` and `cadences`: of schedules, the half-life of
    the averaged weights, how often scores and checkpoints are taken. Batches are at least as many
    as the rarest player needs to move once.

    Args:
        config: plain and resolved.
        scale: above 0.

    Raises:
        ConfigError: a schedule inside a list, which no override reaches.
    """
    players = (config.get("model") or {}).get("players") or {}
    needed = [(p.get("every") or 1) * (p.get("accumulate") or 1) for p in players.values()]
    rarest = max(needed, default=1)
    least = {"examples": rarest * config["data"]["batch_size"], "batches": rarest}
    budget = {k: v for k, v in config["budget"].items() if k != "_target_" and v is not None}
    texts = []
    for key, value in budget.items():
        short = max(round(value * scale), least[key]) if key in least else value * scale
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
    return texts


def _declared(what: str, node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of each argument that the class of its mapping declares as `what`."""
    if isinstance(node, dict):
        if "_target_" in node:
            for key in getattr(locate(node["_target_"], path), what, ()):
                yield f"{path}.{key}", node.get(key)
        for key, value in node.items():
            yield from _declared(what, value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list) and any(True for item in node for _ in _declared(what, item)):
        raise ConfigError(
            f"scale: {path} is a list with a schedule, whose length no override reaches. Write it "
            "as a mapping, with a name for each entry."
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
