"""Checks of arguments, so that wrong sizes are refused before training.

Every function raises a `ganlab.errors.ConfigError`. Its message names the argument, the received
value, the allowed values, if possible the nearest allowed value, and what to do.
"""

import math
from collections.abc import Sequence

from torch import Tensor

from ganlab.errors import ConfigError


def check_count(argument: str, value: object, least: int = 1, most: int | None = None) -> int:
    """Return `value` if it is an integer from `least` to `most` (None: no upper bound)."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if is_integer and value >= least and (most is None or value <= most):
        return value
    allowed = f"whole numbers from {least}" + ("" if most is None else f" to {most}")
    hint = ""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        close = max(round(value), least)
        hint = f"; nearest {close if most is None else min(close, most)}"
    raise ConfigError(
        f"{argument}: received {value!r}; allowed {allowed}{hint}. Set {argument} to such a number."
    )


def check_classes(classes: object, norm: str = "batch") -> int | None:
    """Return `classes` if it is None, or at least 2 for a network with batch norm."""
    if classes is None:
        return None
    if norm != "batch":
        raise ConfigError(
            f"norm: received {norm!r} with classes={classes!r}; allowed 'batch', whose scales and "
            "offsets then depend on the label. Set norm to 'batch', or leave classes out and use "
            "LabelledGenerator."
        )
    return check_count("classes", classes, 2)


def check_probability(argument: str, value: object) -> float:
    """Return `value`, a share of units to drop, as a float if it is a number in [0, 1)."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and 0.0 <= value < 1.0:
        return float(value)
    hint = f"; nearest {0.0 if value < 0 else 0.99}" if is_number and value == value else ""
    raise ConfigError(
        f"{argument}: received {value!r}; allowed numbers from 0 to below 1{hint}. "
        f"Set {argument} to the share of units to drop, 0 for none."
    )


def check_counts(argument: str, values: object, what: str) -> tuple[int, ...]:
    """Return a non-empty sequence of positive integers as a tuple; `what` describes them."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence) or len(values) == 0:
        raise ConfigError(
            f"{argument}: received {values!r}; allowed a list of positive whole numbers, {what}. "
            f"Write it as {argument}: [a, b, …], with at least one number."
        )
    return tuple(check_count(f"{argument}[{i}]", value) for i, value in enumerate(values))


def check_image_channels(network: str, channels: object) -> int:
    """Return `channels` if an image can have them: 1 to 4 (grey, grey and alpha, RGB, RGBA)."""
    try:
        return check_count("channels", channels, 1, 4)
    except ConfigError as error:
        raise ConfigError(f"{error} {network} supports images of 1 to 4 channels.") from None


def check_input(x: Tensor, shape: tuple[int, ...]) -> None:
    """Raise unless `x` is (N, *shape); for other sizes a network would return too many scores."""
    if x.shape[1:] != shape:
        raise ConfigError(
            f"x: received a batch of shape {tuple(x.shape)}; allowed (N, "
            f"{', '.join(map(str, shape))}). Build the discriminator with the size and channels of "
            "the data, or resize the data."
        )
