"""Errors that a user can cause and fix.

Each message names the argument, what was received, what is allowed, and what to do next. The
command line prints the message without a stack trace. All other exceptions are bugs of ganlab and
are printed with their trace.
"""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


class GanlabError(Exception):
    """Base of all errors whose message is meant for a user."""


class ConfigError(GanlabError, ValueError):
    """A configuration with unknown names, or with parts, sizes or values that do not fit."""


class DataError(GanlabError):
    """A data set that is missing, damaged, or too small for its use."""


class CheckpointError(GanlabError):
    """A checkpoint that is missing or damaged, or that belongs to another model."""


class RunError(GanlabError):
    """A run's folder that is missing, damaged, in use, finished, or cannot be written."""


class HeldError(RunError):
    """A run's folder that another process is writing to."""


class NonFiniteLossError(GanlabError, ArithmeticError):
    """A term of a player's loss that became NaN or infinite."""


def nearest(text: str, allowed: list[str]) -> str:
    """Return the hint " Did you mean 'x'?" if an allowed text resembles `text`, else ""."""
    import difflib

    close = difflib.get_close_matches(text, allowed, n=1, cutoff=0.5)
    close = close or [name for name in allowed if text and name.startswith(text)]
    return f" Did you mean {close[0]!r}?" if close else ""


def first_few(items: Iterable[str], most: int = 10, between: str = ", ") -> str:
    """Return up to `most` items as text, and "… and n more" if n items are left out."""
    items = list(items)
    more = [f"… and {len(items) - most:,} more"] if len(items) > most else []
    return between.join(items[:most] + more)


def one_of(name: str, value: T, allowed: Iterable[T]) -> T:
    """Return `value` if it is in `allowed`.

    Raises:
        ConfigError: `value` is not in `allowed`, or is a bool. The message lists the allowed
            values and suggests the nearest.
    """
    allowed = list(allowed)
    if value in allowed and not isinstance(value, bool):
        return value
    texts = ["null" if choice is None else str(choice) for choice in allowed]
    received = "null" if value is None else repr(value)
    hint = nearest(value, texts) if isinstance(value, str) else ""
    raise ConfigError(f"{name}: received {received}; allowed {', '.join(texts)}.{hint}")
