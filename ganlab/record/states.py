"""A run's state, derived from its folder; works also if the run's process was killed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from ganlab.errors import RunError
from ganlab.record.lock import is_held
from ganlab.record.log import read_metrics
from ganlab.record.machine import has_ended
from ganlab.record.run import read_record

# files that only a run writes
RUN_FILES = ("config.yaml", "metrics.csv", "checkpoints")
State = Literal["planned", "running", "finished", "interrupted", "failed", "killed", "pruned"]


def state_of(folder: Path, record: dict[str, Any] | None = None) -> State:
    """Return the state of the run in a folder.

    The state is "killed" if the record says "running", but no process holds the folder's lock or
    the process that wrote the record has ended: it ended before it could write another status. The
    process is checked too, since other ranks may still hold the lock, and some disks have no locks.

    Args:
        folder: the run's folder.
        record: contents of the run's run.json; None to read them.

    Raises:
        RunError: run.json does not exist or is damaged.
    """
    record = read_record(folder) if record is None else record
    status = record.get("status", "finished")
    if status == "running" and (
        not is_held(folder) or has_ended(record.get("pid", 0), record.get("process"))
    ):
        # the run may have ended, or been resumed, since `record` was read
        newer = read_record(folder)
        if newer.get("process") == record.get("process"):
            status = newer.get("status")
            return "killed" if status == "running" else status
    return status


def holds_nothing(folder: Path) -> bool:
    """Whether a folder holds no run, or only one that ended before it had logged anything.

    To be sure, hold the folder's lock first: another process may be about to train here.

    Raises:
        RunError: the folder's run.json or metrics.csv is damaged.
    """
    if not (folder / "run.json").exists():
        return not any((folder / name).exists() for name in RUN_FILES)
    record = read_record(folder)
    may_be_over = record.get("status") in ("failed", "interrupted", "running")
    seen = (record.get("counters") or {}).get("batches_seen")
    has_checkpoint = (folder / "checkpoints" / "last.ckpt").exists()
    # the counters are written every ten seconds, and may miss the last batches
    return may_be_over and seen == 0 and not has_checkpoint and not read_metrics(folder)


def state_and_record(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return a run's state and record; never raise a RunError.

    If run.json does not exist, the state is "missing" and the record is empty. If it cannot be
    read, the state is "damaged" and the record's "error" is the reason.
    """
    try:
        record = read_record(folder)
        return state_of(folder, record), record
    except RunError as error:
        exists = os.path.lexists(folder / "run.json") or (
            os.path.isdir(folder) and not os.access(folder, os.X_OK)
        )
        return ("damaged", {"error": str(error)}) if exists else ("missing", {})
