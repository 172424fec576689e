"""Temporary folders for files that are moved to their final path when all are written."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def part_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder `<prefix>….part` in `parent`, and remove it when the block ends.

    The folder is locked while its process lives. So an unlocked folder of the same prefix was left
    by a killed process, and is removed first. If the file system does not support locks, no such
    folder is removed.

    Args:
        parent: an existing folder.
        prefix: the beginning of the new folder's name.

    Yields:
        The new folder.

    Raises:
        OSError: if the folder cannot be made.
    """
    for leftover in parent.glob(f"{glob.escape(prefix)}*.part"):
        handle = _lock(leftover, wait=False)
        if handle is not None:
            shutil.rmtree(leftover, ignore_errors=True)
            os.close(handle)
    while True:
        part = Path(tempfile.mkdtemp(dir=parent, prefix=prefix, suffix=".part"))
        handle = _lock(part, wait=True)
        if part.exists():  # if not, another process removed it before it was locked: make another
            break
        if handle is not None:
            os.close(handle)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _lock(folder: Path, wait: bool) -> int | None:
    """Lock a folder and return the file descriptor that holds the lock until it is closed.

    If locks are not available, return None. If another process holds the lock, wait for it, or
    return None if `wait` is false.
    """
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # Windows, or the folder is gone
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(handle)
        return None
    return handle
