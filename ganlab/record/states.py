"""Where a run stands, as its folder tells: also of runs whose process is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ganlab.errors import RunError
from ganlab.record.lock import is_held
from ganlab.record.run import read_record

State = Literal["planned", "running", "finished", "interrupted", "failed", "killed", "pruned"]


def state_of(folder: Path, record: dict[str, Any] | None = None) -> State:
    """Where the run in a folder stands.

    It is "killed" where its record says "running" and no process holds the folder: such a run has
    had no time to say how it ended.

    Args:
        folder: the run's folder.
        record: its run.json, if that has been read before.

    Raises:
        RunError: there is no run, or its record is damaged.
    """
    status = (read_record(folder) if record is None else record).get("status", "finished")
    if status == "running" and not is_held(folder):
        now = read_record(folder).get("status")  # it may have ended since it was read
        return "killed" if now == "running" else now
    return status


def look(folder: Path) -> tuple[str, dict[str, Any]]:
    """Where a run stands, and its record, whatever its folder holds.

    "missing" and no record where there is no run.json, "damaged" and the reason as its error where
    that cannot be read.
    """
    try:
        record = read_record(folder)
        return state_of(folder, record), record
    except RunError as error:
        is_there = (folder / "run.json").exists()
        return ("damaged", {"error": str(error)}) if is_there else ("missing", {})
