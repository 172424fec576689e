"""Checks of the `data` group's arguments; messages name the key, the value and what is allowed."""

from __future__ import annotations

from ganlab.errors import ConfigError, one_of


def check_integer(name: str, value: object, low: int, high: int | None = None) -> int:
    """Return `value` if it is an integer in [low, high].

    Args:
        name: the argument's name in the `data` group, for the message.
        value: the received value.
        low: the smallest allowed value.
        high: the largest allowed value; None for no upper bound.

    Raises:
        ConfigError: if `value` is not an integer or out of range.
    """
    bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
    allowed = f"a whole number {bounds}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"data.{name}: received {value!r}; allowed {allowed}. Set data.{name}=….")
    if value < low or (high is not None and value > high):
        raise ConfigError(f"data.{name}: received {value}; allowed {allowed}. Set data.{name}=….")
    return value


def check_positive(name: str, value: object, zero: bool = False) -> float:
    """Return `value` as a float.

    Raises:
        ConfigError: unless `value` is a finite number above 0, or 0 if `zero` is true.
    """
    allowed = "a finite number of at least 0" if zero else "a finite number above 0"
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (0 <= value < float("inf")) or (value == 0 and not zero):
        raise ConfigError(f"data.{name}: received {value!r}; allowed {allowed}. Set data.{name}=….")
    return float(value)


def check_test_split(folder: object, share: object) -> None:
    """Check the arguments that select the test files of a folder of pictures.

    Args:
        folder: `data.test_folder`; "test", "val" or None.
        share: `data.test_share`, the share of files for tests if there is no test folder.

    Raises:
        ConfigError: if `folder` is another name, or `share` outside [0, 1).
    """
    one_of("data.test_folder", folder, ("test", "val", None))
    is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
    if not is_number or not 0 <= share < 1:
        raise ConfigError(
            f"data.test_share: received {share!r}; allowed a number from 0 to below 1."
        )


def check_classes(declared: int | None, truth: int | None, title: str) -> None:
    """Check the number of classes that a config declares against the set's number.

    Args:
        declared: `data.classes`; None for no check.
        truth: the set's number of classes; None if the set has no labels.
        title: the set's name for the message.

    Raises:
        ConfigError: if `declared` is given and differs from `truth`.
    """
    if declared is None or declared == truth:
        return
    if truth is None:
        raise ConfigError(
            f"data.classes: received {declared!r}, but {title} has no labels. Set "
            "data.classes=null."
        )
    raise ConfigError(
        f"data.classes: received {declared!r}, but {title} has {truth} classes. "
        f"Set data.classes={truth}."
    )
