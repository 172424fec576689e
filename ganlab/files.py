"""Atomic writing of files, with errors that a user can understand."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

from ganlab.errors import RunError

RUN_HINT = "What was saved before stays valid. Make room, or choose another folder with run_dir=…"


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary file's path; when the block ends, the file replaces `target`.

    Readers of `target`, and other processes that write it, never see a half-written file. On
    failure the temporary file is deleted, and an older `target` stays untouched. When the block has
    ended, the file is on the disk: it survives a crash of the machine.

    Raises:
        OSError: the folder cannot be made, or the file cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        sync(part)
        part.chmod(0o644)
        part.replace(target)
        _sync_names(target.parent)
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file's contents, or the names in a folder, are on the disk.

    Raises:
        OSError: they cannot be written to the disk.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_names(folder: Path) -> None:
    """Call `sync` for a folder, if the file system supports this."""
    if os.name == "nt":
        return
    try:
        sync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES):
            raise


@contextmanager
def atomic(path: Path, hint: str = RUN_HINT) -> Iterator[Path]:
    """Yield a temporary path as `replacing` does; raise an error for users if writing fails.

    Args:
        path: the file to write.
        hint: the end of the error message: what the user can do.

    Raises:
        RunError: the file cannot be written, e.g. on a full disk; an older file is untouched.
    """
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise cannot_write(path, error, hint) from error
    except RuntimeError as error:  # torch.save reports a full disk as a RuntimeError
        if any(sign in str(error) for sign in ("file write failed", "unexpected pos", "iostream")):
            raise cannot_write(path, error, hint) from error
        raise


def link(source: Path, target: Path) -> None:
    """Give a file a second name, atomically; where links are not possible, copy the file.

    Only for a `source` that is never changed in place: that would change `target` too.

    Raises:
        RunError: `target` cannot be written; an older `target` is untouched.
    """
    with atomic(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:  # e.g. FAT, or a network disk
            shutil.copyfile(source, temporary)


def cannot_write(path: Path, error: Exception, hint: str = RUN_HINT) -> RunError:
    """Return the error for a file that could not be written; `hint` says what the user can do."""
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return RunError(f"{path}: cannot be written: {reason}. {hint}")


def write_text(path: Path, text: str, hint: str = RUN_HINT) -> None:
    """Write a text file atomically; see `atomic`."""
    with atomic(path, hint) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write plain containers to a JSON file atomically; see `atomic`."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def append_text(path: Path, text: str) -> None:
    """Append to a text file.

    Raises:
        RunError: the file cannot be written, e.g. on a full or read-only disk.
    """
    try:
        with open(path, "a", newline="", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise cannot_write(path, error) from error


def from_here(path: Path) -> Path:
    """Return `path`, relative to the working directory if it is inside that directory."""
    working = Path.cwd()
    return path.relative_to(working) if path.is_relative_to(working) else path


def finite(contents: Any, instead: Callable[[float], Any] = str) -> Any:
    """Return `contents` with NaN and infinities, which JSON does not support, replaced.

    Args:
        contents: nested dicts, lists and tuples. In the result, keys are str and tuples are lists.
        instead: maps such a number to its replacement (default: its text, e.g. "inf").
    """
    if isinstance(contents, dict):
        return {str(key): finite(value, instead) for key, value in contents.items()}
    if isinstance(contents, (list, tuple)):
        return [finite(value, instead) for value in contents]
    if isinstance(contents, float) and not isfinite(contents):
        return instead(contents)
    return contents
