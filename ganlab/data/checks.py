"""Checks of arguments that a config can get wrong: each names the key, the value and what fits."""

from __future__ import annotations

from ganlab.errors import ConfigError, one_of


def whole(name: str, value: object, low: int, high: int | None = None) -> int:
    """`value` as a whole number in [low, high].

    Args:
        name: the argument's name in the `data` group, for the message.
        value: what was received.
        low: the least that is allowed.
        high: the most that is allowed; None for no upper end.

    Raises:
        ConfigError: if it is no whole number or out of range.
    """
    allowed = f"a whole number of at least {low}" if high is None else f"{low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"data.{name}: received {value!r}; allowed {allowed}. Set data.{name}=….")
    if value < low or (high is not None and value > high):
        raise ConfigError(f"data.{name}: received {value}; allowed {allowed}. Set data.{name}=….")
    return value


def positive(name: str, value: object, zero: bool = False) -> float:
    """`value` as a finite number above 0, or from 0 on where `zero`.

    Raises:
        ConfigError: if it is no such number.
    """
    allowed = "a finite number of at least 0" if zero else "a finite number above 0"
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not (0 <= value < float("inf")) or (value == 0 and not zero):
        raise ConfigError(f"data.{name}: received {value!r}; allowed {allowed}. Set data.{name}=….")
    return float(value)


def check_test_split(folder: object, share: object) -> None:
    """Check which files of a folder are to test with.

    Args:
        folder: `data.test_folder`; "test", "val" or None.
        share: `data.test_share`; of the files, where no folder is for tests.

    Raises:
        ConfigError: another folder, or a share outside [0, 1).
    """
    one_of("data.test_folder", folder, ("test", "val", None))
    if isinstance(share, bool) or not 0 <= share < 1:
        raise ConfigError(
            f"data.test_share: received {share!r}; allowed numbers from 0 to below 1."
        )


def agree_on_classes(declared: int | None, truth: int | None, title: str) -> None:
    """Check the number of classes that a config declares against what the set has.

    Args:
        declared: `data.classes`; None leaves it open.
        truth: the set's number of classes; None if it has no labels.
        title: what the set is called in the message.

    Raises:
        ConfigError: if both are given and differ, or classes are declared of a set without labels.
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
