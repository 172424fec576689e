"""The lock on a run's folder, which ends with the process that holds it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ganlab.errors import HeldError


def hold(file: Any, folder: Path) -> None:
    """Lock a folder by its open `.lock` file, until that is closed or the process ends.

    Raises:
        HeldError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no flock; there the folder is not guarded
        return
    for _ in range(10):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            time.sleep(0.05)  # who only looks whether it is held does so for a moment
    file.close()
    raise HeldError(
        f"run_dir: {folder} is being written by another process. Wait for it to end, or "
        "choose another folder with run_dir=…"
    )


def is_held(folder: Path) -> bool:
    """Whether a process is writing the run in a folder (its `RunRecord` is open).

    Where the system has no flock (Windows) no folder counts as held.
    """
    try:
        import fcntl
    except ImportError:
        return False
    try:
        with open(folder / ".lock") as file:
            # shared, so that two who look do not see each other
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
