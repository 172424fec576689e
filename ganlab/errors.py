"""Errors that a user can cause and mend.

Each message names the argument, what was received, what is allowed, and what to do next. The
command line prints it without a stack trace; everything else is a defect and keeps its trace.
"""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


class GanlabError(Exception):
    """Base of all errors whose message is meant for a user."""


class ConfigError(GanlabError, ValueError):
    """A configuration that names, combines or sizes things that do not fit."""


class DataError(GanlabError):
    """A data set that is missing, damaged, or too small for what is asked of it."""


class CheckpointError(GanlabError):
    """A checkpoint that is missing, damaged, or of another model."""


class RunError(GanlabError):
    """A run's folder that is in use, finished, or differs from what is asked of it."""


class HeldError(RunError):
    """A run's folder that another process is writing."""


class NonFiniteLossError(GanlabError, ArithmeticError):
    """A term of a player's loss that became NaN or infinite."""


def nearest(text: str, allowed: list[str]) -> str:
    """The hint " Did you mean 'x'?" when some allowed text resembles `text`, else ""."""
    import difflib

    close = difflib.get_close_matches(text, allowed, n=1, cutoff=0.5)
    close = close or [name for name in allowed if text and name.startswith(text)]
    return f" Did you mean {close[0]!r}?" if close else ""


def one_of(name: str, value: T, allowed: Iterable[T]) -> T:
    """`value` where it is among those allowed.

    Raises:
        ConfigError: it is not, or is true or false; the message lists them and names the nearest.
    """
    allowed = list(allowed)
    if value in allowed and not isinstance(value, bool):
        return value
    texts = ["null" if choice is None else str(choice) for choice in allowed]
    received = "null" if value is None else repr(value)
    hint = nearest(value, texts) if isinstance(value, str) else ""
    raise ConfigError(f"{name}: received {received}; allowed {', '.join(texts)}.{hint}")
