"""Writing of files: atomic, not through symbolic links, with errors that a user can understand.

Also checks names that become paths, shortens paths, and makes numbers fit for JSON.

A folder that holds a run, a sweep or a study may be reached through a symbolic link, but nothing is
written through a link inside it. Hard links cannot be told from other files: a log that is a hard
link is appended to. All other files are replaced, which leaves the old file as it is.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, TextIO

from ganlab.errors import ConfigError, RunError
from ganlab.printable import one_line

# names of files may have bytes that are no UTF-8; they are written as \udc80 and so on
_ENCODING = {"encoding": "utf-8", "errors": "backslashreplace"}
RUN_HINT = "choose another folder. What was saved before stays valid."


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary file's path; when the block ends, the file replaces `target`.

    Readers of `target`, and other processes that write it, never see a half-written file. On
    failure the temporary file is deleted, and an older `target` stays untouched. A crash of the
    machine leaves the old file or the complete new one; after `sync_folder`, the new one.

    Raises:
        OSError: the folder cannot be made, or the file cannot be written.
        RunError: the target's folder is a symbolic link inside the folder of a run.
    """
    _refuse_linked_folder(target)
    if target.exists() and not target.is_file():
        raise OSError(errno.EEXIST, "it exists and is no file")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    part.open("xb").close()
    mode = part.stat().st_mode
    try:
        yield part
        part.chmod(mode)  # safetensors makes files that other users cannot read
        sync(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the contents of a file, or the names in a folder, are on the disk.

    Raises:
        OSError: they cannot be written to the disk.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, if the file system supports this.

    Raises:
        RunError: they cannot be written to the disk.
    """
    try:
        sync(folder)
    except OSError as error:
        unsupported = error.errno in (errno.EINVAL, errno.ENOTSUP, errno.EACCES)
        if not unsupported and os.name != "nt":
            raise cannot_write(folder, error) from error


@contextmanager
def atomic(path: Path, hint: str = RUN_HINT) -> Iterator[Path]:
    """Yield a temporary path as `replacing` does; raise an error for users if writing fails.

    Args:
        path: the file to write.
        hint: what the user can do, as the end of a sentence such as "Make room, or …".

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
    if getattr(error, "errno", errno.ENOSPC) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        advice = f"Make room, or {hint}"
    else:
        advice = hint[0].upper() + hint[1:]
    return RunError(f"{path}: cannot be written: {reason}. {advice}")


def write_text(path: Path, text: str, hint: str = RUN_HINT) -> None:
    """Write a text file atomically, and wait until it is on the disk; see `atomic`."""
    with atomic(path, hint) as temporary:
        temporary.write_text(text, **_ENCODING)
    sync_folder(path.parent)


def write_json(path: Path, content: Any) -> None:
    """Write plain containers to a JSON file atomically; see `atomic`."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def append_text(path: Path, text: str) -> None:
    """Append to a text file; see `open_to_append`."""
    with open_to_append(path) as file:
        try:
            file.write(text)
            file.flush()
        except OSError as error:
            raise cannot_write(path, error) from error


def open_to_append(path: Path) -> TextIO:
    """Open a text file, made if it is missing, to append to it.

    Raises:
        RunError: the file is a symbolic link, or cannot be written, e.g. on a read-only disk.
    """

    def without_link(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o644)

    try:
        return open(path, "a", opener=without_link, newline="", **_ENCODING)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise link_error(path) from error
        raise cannot_write(path, error) from error


def refuse_links_in(folder: Path) -> None:
    """Raise if a folder holds anything but regular files and folders, e.g. symbolic links.

    The folder itself may be a link. Sub-folders may hold links to what is inside it, and to logs:
    Weights & Biases keeps links to its own logs, and never writes through them.

    Raises:
        RunError: the message names a link, pipe or the like.
        OSError: a folder cannot be read.
    """
    base, waiting = os.path.realpath(folder), [str(folder)]
    while waiting:
        with os.scandir(current := waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    is_inner = entry.is_symlink() and current != str(folder)
                    target = Path(os.path.realpath(entry.path))
                    is_log = "wandb" in Path(current).parts and entry.name.endswith(".log")
                    if not is_inner or not (is_log or target.is_relative_to(base)):
                        raise link_error(Path(entry.path))


def link_error(path: Path) -> RunError:
    """Return the error for something in a run's folder that is no regular file or folder."""
    return RunError(
        f"{path}: is a symbolic link or a special file, and is not written to. Delete it, or put "
        "the file or folder itself there. Only the folder of the whole run may be a link."
    )


def _refuse_linked_folder(target: Path) -> None:
    """Raise if a folder between `target` and the folder of its run is a symbolic link."""
    link = None
    for folder in target.parents:
        if (folder / "run.json").exists():
            if link:
                raise link_error(link)
            return
        link = folder if folder.is_symlink() else link


def check_name(key: str, name: str) -> str:
    """Return a name that becomes part of a path: one or more plain names with / between them.

    Raises:
        ConfigError: the name is empty or absolute, or has a part that is "." or "..",
            a backslash or a control character, so that the path could lead elsewhere.
    """
    has_plain_parts = not {"", ".", ".."}.intersection(name.split("/"))
    if has_plain_parts and "\\" not in name and one_line(name) == name:
        return name
    raise ConfigError(
        f"{key}: received {name!r}; needs a plain name such as first, or several with / between "
        "them, without .., backslashes and control characters. run_dir=DIR names any other folder."
    )


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
