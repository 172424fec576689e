"""The lock on a run's folder, which ends with the process that holds it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ganlab.errors import HeldError
from ganlab.files import cannot_write

if TYPE_CHECKING:
    from filelock import AcquireReturnProxy


def hold(folder: Path, name: str = ".lock") -> AcquireReturnProxy:
    """Lock a folder by a file in it, until the end of a `with`, `lock.release()`, or the process.

    Raises:
        HeldError: another process holds it.
        RunError: the file cannot be made.
    """
    from filelock import FileLock, Timeout

    try:  # who only looks whether it is held does so for a moment
        return FileLock(folder / name).acquire(timeout=0.5)
    except Timeout:
        raise HeldError(
            f"run_dir: {folder} is being written by another process. Wait for it to end, or "
            "choose another folder with run_dir=…"
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from error


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
