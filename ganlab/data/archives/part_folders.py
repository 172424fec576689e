"""Folders to build in, beside their place; those of killed processes are removed by the next."""

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
    """A new folder `<prefix>….part` in a folder that exists, gone when the block ends.

    It is locked while its process lives. Those of the same prefix whose lock is free were left by
    processes that were killed, and are removed first; none where the file system has no locks.

    Args:
        parent: where it is made.
        prefix: its name begins with that.

    Raises:
        OSError: if it cannot be made.
    """
    for leftover in parent.glob(f"{glob.escape(prefix)}*.part"):
        handle = _hold(leftover, wait=False)
        if handle is not None:
            shutil.rmtree(leftover, ignore_errors=True)
            os.close(handle)
    while True:
        part = Path(tempfile.mkdtemp(dir=parent, prefix=prefix, suffix=".part"))
        handle = _hold(part, wait=True)
        if part.exists():  # else it was taken for a leftover before it was locked
            break
        if handle is not None:
            os.close(handle)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _hold(folder: Path, wait: bool) -> int | None:
    """Lock a folder: the handle to close; None if another holds it, or there are no locks."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # Windows, or it is gone
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(handle)
        return None
    return handle
