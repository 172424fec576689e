"""The lock on a run's folder; the operating system releases it when the process ends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ganlab.errors import HeldError
from ganlab.files import cannot_write, link_error, refuse_links_in

if TYPE_CHECKING:
    from filelock import AcquireReturnProxy, FileLock


def lock_file(path: Path) -> FileLock:
    """Return the lock of a lock file, which is made when the lock is acquired.

    Raises:
        RunError: the file is a symbolic link.
    """
    from filelock import FileLock

    if path.is_symlink():
        raise link_error(path)
    return FileLock(path)


def hold(folder: Path, name: str = ".lock") -> AcquireReturnProxy:
    """Lock a folder with a lock file, and return the lock.

    The lock is released at the end of a `with` block of the returned object, by `lock.release()`,
    or when the process ends.

    Args:
        folder: the folder to lock; made if it is missing.
        name: name of the lock file in the folder.

    Raises:
        HeldError: another process holds the lock.
        RunError: the folder or the lock file cannot be made, or the folder holds symbolic links.
    """
    from filelock import Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_links_in(folder)
        # wait a moment, since `is_held` of another process also takes the lock briefly
        return lock_file(folder / name).acquire(timeout=0.5)
    except Timeout:
        raise HeldError(
            f"run_dir: {folder} is being written by another process. Wait for it to end, or "
            "choose another folder with run_dir=…"
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from error


def is_held(folder: Path) -> bool:
    """Whether a process is writing the run in a folder, i.e. has an open `RunRecord`.

    Also True if the folder's `.lock` exists but cannot be opened, e.g. because it is a symbolic
    link. Always False on systems without flock (Windows).
    """
    try:
        import fcntl
    except ImportError:
        return False
    try:
        # a link is not followed, and a named pipe does not block
        file = os.open(folder / ".lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return not isinstance(error, FileNotFoundError)
    try:
        # a shared lock, so that two processes that call this do not block each other
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
