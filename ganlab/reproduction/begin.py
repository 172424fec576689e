"""A reproduction is begun, or goes on as it was begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ganlab.config.compose import PROTOCOL, compose
from ganlab.config.protocols import is_about_protocol
from ganlab.errors import ConfigError, RunError
from ganlab.record.sweep import read_sweep_file
from ganlab.reproduction.baselines import Baseline
from ganlab.reproduction.ledger import recorded_in
from ganlab.reproduction.seeds import Reproduction

BEGUN = {"seeds": list, "scale": (int, float), "overrides": list, "protocol_overrides": list}


def begin(
    baseline: Baseline,
    folder: Path,
    seeds: list[int] | None,
    scale: float | None,
    overrides: list[str],
    command: list[str],
) -> Reproduction:
    """A reproduction of a baseline in a folder, new or as it was begun there.

    Args:
        baseline: what it is held against.
        folder: new, or of an interrupted reproduction, which goes on.
        seeds: [0] for None, and further ones where it goes on.
        scale: share of the recipe's length in (0, 1]; 1 for None.
        overrides: of the training and of the protocol, on top of the experiment.
        command: as it was typed, for the record.

    Raises:
        ConfigError: other settings than it was begun with, or wrong ones.
        RunError: the folder holds something else.
    """
    about = [text for text in overrides if is_about_protocol(text)]
    training = [text for text in overrides if text not in about]
    if about:
        config = compose([f"experiment={baseline.name}"])
        if OmegaConf.select(config, f"{PROTOCOL}.name") == baseline.protocol:
            training += about  # scores in training are by the same protocol
    wanted = {
        "seeds": seeds,
        "scale": scale,
        "overrides": training or None,
        "protocol_overrides": about or None,
    }
    before = _read_plan(folder, baseline.name)
    if before:
        wanted = _going_on(folder, before, wanted)
    return Reproduction(
        folder,
        baseline,
        wanted["seeds"] or [0],
        wanted["scale"] or 1.0,
        wanted["overrides"] or [],
        wanted["protocol_overrides"] or [],
        before["command"] if before else command,
        before["data_hash"] if before else "",
    )


def _read_plan(folder: Path, name: str) -> dict[str, Any] | None:
    """What a reproduction in `folder` was started with; None where there is nothing yet.

    Raises:
        RunError: it holds something else, or a damaged file.
    """
    if not (folder / "sweep.json").exists():
        if (folder / "run.json").exists():
            raise RunError(f"out: {folder} holds a run; choose another folder.")
        return None
    content = read_sweep_file(folder)
    if content.get("experiment") != name or content.get("kind") != "reproduce":
        what = content.get("experiment") or content.get("name")
        raise RunError(f"out: {folder} holds {what}, not a reproduction of {name}.")
    for key, kind in BEGUN.items():
        if not isinstance(content.get(key), kind):
            raise RunError(
                f"out: {folder / 'sweep.json'} is damaged: its {key} is {content.get(key)!r}."
            )
    # verdict.json has the hash of reproductions that an earlier version began
    data_hash = content.get("data_hash") or (recorded_in(folder) or {}).get("data_hash")
    return {"command": []} | content | {"data_hash": data_hash or ""}


def _going_on(
    folder: Path, before: dict[str, Any], wanted: dict[str, Any]
) -> dict[str, list[str] | list[int] | float]:
    """What a reproduction goes on with: what it began with, and perhaps further seeds."""
    for key in ("scale", "overrides", "protocol_overrides"):
        if wanted[key] is not None and wanted[key] != before[key]:
            raise ConfigError(
                f"{key}: received {wanted[key]}, and the reproduction in {folder} was begun with "
                f"{before[key]}. Leave it out to go on, or begin another one without out=."
            )
    seeds = before["seeds"]
    further = [seed for seed in wanted["seeds"] or [] if seed not in seeds]
    return {**{key: before[key] for key in wanted}, "seeds": seeds + further}
