"""What a reproduction was begun with, so that it goes on alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganlab.errors import ConfigError, RunError
from ganlab.record.sweep import read_sweep_file
from ganlab.reproduction.ledger import recorded_in

BEGUN = {"seeds": list, "scale": (int, float), "overrides": list, "protocol_overrides": list}


def read_plan(folder: Path, name: str) -> dict[str, Any] | None:
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


def going_on(
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
