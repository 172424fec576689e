"""Starts a reproduction, or resumes it with the settings of its start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ganlab.config.compose import PROTOCOL, compose
from ganlab.config.overrides import is_about_protocol
from ganlab.errors import ConfigError, RunError
from ganlab.record.sweep import read_sweep_file
from ganlab.reproduction.baselines import Baseline
from ganlab.reproduction.ledger import recorded_in
from ganlab.reproduction.seeds import Reproduction

# keys of sweep.json with the settings of the start, and their types
SETTINGS = {"seeds": list, "scale": (int, float), "overrides": list, "protocol_overrides": list}


def begin(
    baseline: Baseline,
    folder: Path,
    seeds: list[int] | None,
    scale: float | None,
    overrides: list[str],
    command: list[str],
    trust: bool = False,
) -> Reproduction:
    """Return a new reproduction of a baseline, or the reproduction that the folder holds.

    Args:
        baseline: the baseline to reproduce.
        folder: a new folder, or the folder of an interrupted reproduction.
        seeds: seeds to train; None for [0]. If a reproduction is resumed, new seeds are added.
        scale: fraction of the recipe's length in (0, 1]; None for 1.
        overrides: overrides of the experiment and of the protocol.
        command: the command as it was typed, for the record.
        trust: whether the overrides that the folder holds may name classes that are not part of
            ganlab; overrides that are given may.

    Raises:
        ConfigError: a setting is wrong, or differs from the start of the resumed reproduction.
        RunError: the folder holds something else, or its sweep.json is damaged.
    """
    protocol_overrides = [text for text in overrides if is_about_protocol(text)]
    training_overrides = [text for text in overrides if text not in protocol_overrides]
    if protocol_overrides:
        config = compose([f"experiment={baseline.name}"])
        if OmegaConf.select(config, f"{PROTOCOL}.name") == baseline.protocol:
            training_overrides += protocol_overrides  # scores during training use this protocol
    settings = {
        "seeds": seeds,
        "scale": scale,
        "overrides": training_overrides or None,
        "protocol_overrides": protocol_overrides or None,
    }
    plan = _read_plan(folder, baseline.name)
    kept = [key for key in ("overrides", "protocol_overrides") if plan and plan[key]]
    is_typed = all(settings[key] is not None for key in kept)
    if plan:
        settings = _resumed_settings(folder, plan, settings)
    return Reproduction(
        folder,
        baseline,
        settings["seeds"] or [0],
        settings["scale"] or 1.0,
        settings["overrides"] or [],
        settings["protocol_overrides"] or [],
        plan["command"] if plan else command,
        plan["data_hash"] if plan else "",
        True if trust else None if is_typed else False,
    )


def _read_plan(folder: Path, name: str) -> dict[str, Any] | None:
    """Return the sweep.json of the reproduction in `folder`; None if the file is missing.

    Raises:
        RunError: the folder holds something else, or a damaged sweep.json.
    """
    if not (folder / "sweep.json").exists():
        if (folder / "run.json").exists():
            raise RunError(f"out: {folder} holds a run; choose another folder.")
        return None
    content = read_sweep_file(folder)
    if content.get("experiment") != name or content.get("kind") != "reproduce":
        other = content.get("experiment") or content.get("name")
        raise RunError(
            f"out: {folder} holds {other}, not a reproduction of {name}. Choose another folder."
        )
    for key, types in SETTINGS.items():
        if not isinstance(content.get(key), types):
            raise RunError(
                f"out: {folder / 'sweep.json'} is damaged: its {key} is {content.get(key)!r}."
            )
    # earlier versions wrote the hash to verdict.json only
    data_hash = content.get("data_hash") or (recorded_in(folder) or {}).get("data_hash")
    return {"command": []} | content | {"data_hash": data_hash or ""}


def _resumed_settings(
    folder: Path, plan: dict[str, Any], settings: dict[str, Any]
) -> dict[str, list[str] | list[int] | float]:
    """Return the settings of a resumed reproduction: those of its start, with further seeds."""
    for key in ("scale", "overrides", "protocol_overrides"):
        if settings[key] is not None and settings[key] != plan[key]:
            raise ConfigError(
                f"{key}: received {settings[key]}, but the reproduction in {folder} was started "
                f"with {plan[key]}. Leave it out to resume, or start another reproduction without "
                "out=."
            )
    seeds = plan["seeds"]
    further = [seed for seed in settings["seeds"] or [] if seed not in seeds]
    return {**{key: plan[key] for key in settings}, "seeds": seeds + further}
