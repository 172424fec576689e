"""Files of a run, whose failures a user is told of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

from ganlab.errors import RunError
from ganlab.files import replacing

RUN_HINT = "What was saved before stays valid. Make room, or choose another folder with run_dir=…"


@contextmanager
def atomic(path: Path, hint: str = RUN_HINT) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes `path`'s place when all went well.

    Args:
        path: of the file.
        hint: what the user can do where it cannot be written.

    Raises:
        RunError: the disk is full or read-only; what stood at `path` before is untouched.
    """
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise cannot_write(path, error, hint) from error
    except RuntimeError as error:  # torch.save reports a full disk as a RuntimeError
        if any(word in str(error) for word in ("file write failed", "unexpected pos", "iostream")):
            raise cannot_write(path, error, hint) from error
        raise


def cannot_write(path: Path, error: Exception, hint: str = RUN_HINT) -> RunError:
    """The error for a file that could not be written, with what the user can do."""
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return RunError(f"{path}: cannot be written: {reason}. {hint}")


def write_text(path: Path, text: str, hint: str = RUN_HINT) -> None:
    """Write a text file atomically; see `atomic`."""
    with atomic(path, hint) as temporary:
        temporary.write_text(text, encoding="utf-8")


def append_text(path: Path, text: str) -> None:
    """Append to a text file.

    Raises:
        RunError: the disk is full or read-only.
    """
    try:
        with open(path, "a", newline="", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise cannot_write(path, error) from error


def finite(contents: Any, instead: Callable[[float], Any] = str) -> Any:
    """The same plain containers, with something else for numbers that JSON has no name for.

    Args:
        contents: dicts, lists, tuples and what is in them.
        instead: what a number becomes that is not finite, a word such as "inf" unless given.
    """
    if isinstance(contents, dict):
        return {str(key): finite(value, instead) for key, value in contents.items()}
    if isinstance(contents, (list, tuple)):
        return [finite(value, instead) for value in contents]
    if isinstance(contents, float) and not isfinite(contents):
        return instead(contents)
    return contents
