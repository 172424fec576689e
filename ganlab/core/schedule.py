"""One mechanism for every scalar that changes during training.

A scalar of a loss, a regularizer, an optimizer or the EMA is a number, or a `Schedule`: a pure
function of the examples seen. Being a function, it needs no state and is exact on resume.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from ganlab.errors import ConfigError


class Schedule:
    """A scalar as a function of the examples seen since the start of the run.

    Attributes:
        lengths: arguments that grow with the length of the run.
        examples_per_epoch: of the run's data; None until they are known.
    """

    lengths: tuple[str, ...] = ()
    examples_per_epoch: int | None = None

    def __call__(self, examples: int) -> float:
        """The value after `examples` examples."""
        raise NotImplementedError


class Ramp(Schedule):
    """From `start` to `end` over `examples` examples, after waiting for `delay`; constant outside.

    Args:
        start: value up to `delay` examples.
        end: value from `delay + examples` on.
        examples: length of the ramp in examples, > 0.
        shape: "linear", "cosine" (half a period, flat at both ends) or "exponential" (equal
            ratios in equal times; both ends > 0).
        delay: examples before the ramp begins.

    Raises:
        ConfigError: a length that is not positive, an unknown shape, or an exponential ramp that
            starts or ends at zero or below.
    """

    lengths = ("examples", "delay")

    def __init__(
        self,
        start: float,
        end: float,
        examples: float | None,
        shape: Literal["linear", "cosine", "exponential"] = "linear",
        delay: float | None = 0,
    ) -> None:
        if examples is None or not examples > 0:
            raise ConfigError(
                f"Ramp.examples: received {examples}; needs the ramp's length, above 0. "
                "A ramp over the whole run needs budget.examples to be set."
            )
        if shape not in ("linear", "cosine", "exponential"):
            raise ConfigError(
                f"Ramp.shape: received {shape!r}; allowed linear, cosine, exponential."
            )
        if shape == "exponential" and min(start, end) <= 0:
            raise ConfigError(
                f"Ramp: an exponential ramp from {start} to {end} is not defined; both ends must "
                "be above 0. Use shape: linear or cosine to reach 0."
            )
        self.start, self.end, self.examples = float(start), float(end), float(examples)
        self.shape, self.delay = shape, float(delay)

    def __call__(self, examples: int) -> float:
        progress = min(max((examples - self.delay) / self.examples, 0.0), 1.0)
        if self.shape == "exponential":
            return self.start * (self.end / self.start) ** progress
        if self.shape == "cosine":
            progress = 0.5 - 0.5 * math.cos(math.pi * progress)
        return self.start + (self.end - self.start) * progress


class LinearDecay(Schedule):
    """Constant for some epochs, then linearly to 0: the learning rate of pix2pix and CycleGAN.

    Args:
        start: value up to there.
        epochs: passes over the training set before it falls, from 0 on.
        decay_epochs: passes until it is 0, > 0.

    Raises:
        ConfigError: a length that is not allowed.
    """

    lengths = ("epochs", "decay_epochs")

    def __init__(self, start: float, epochs: float = 100, decay_epochs: float = 100) -> None:
        for name, value, allowed in (
            ("epochs", epochs, epochs >= 0),
            ("decay_epochs", decay_epochs, decay_epochs > 0),
        ):
            if not allowed:
                raise ConfigError(
                    f"LinearDecay.{name}: received {value}; needs a number of epochs."
                )
        self.start, self.epochs, self.decay_epochs = float(start), epochs, decay_epochs

    def __call__(self, examples: int) -> float:
        epoch = examples / self.examples_per_epoch if self.examples_per_epoch else 0.0
        return self.start * min(max(1 - (epoch - self.epochs) / self.decay_epochs, 0.0), 1.0)


class Steps(Schedule):
    """Piecewise constant: `values[i]` once `at[i - 1]` examples have been seen.

    Args:
        values: one more value than there are boundaries.
        at: increasing numbers of examples at which the next value begins.

    Raises:
        ConfigError: lengths that do not fit, or boundaries that do not increase.
    """

    lengths = ("at",)

    def __init__(self, values: Sequence[float], at: Sequence[float]) -> None:
        if len(values) != len(at) + 1 or list(at) != sorted(set(at)):
            raise ConfigError(
                f"Steps: received {len(values)} values and boundaries {list(at)}; needs increasing "
                "boundaries and one more value than boundaries."
            )
        self.values, self.at = [float(v) for v in values], [float(a) for a in at]

    def __call__(self, examples: int) -> float:
        return self.values[sum(examples >= boundary for boundary in self.at)]


class ScheduledScalars:
    """Every `Schedule` found in a set of objects, bound to the place that it drives.

    `bind` looks through the attributes of plain objects, dicts and lists; a schedule that it finds
    there is replaced by its current value, and `update` writes the new value to the same place.
    Code that uses the scalar reads an ordinary number and knows nothing of schedules.
    """

    def __init__(self) -> None:
        self._places: list[tuple[str, Schedule, Callable[[float], None]]] = []
        self._examples_per_epoch: int | None = None

    def __len__(self) -> int:
        return len(self._places)

    def bind(self, name: str, holder: Any) -> None:
        """Find the schedules inside `holder` (an object, dict or list) and start driving them."""
        for key, value in list(_items(holder)):
            place = f"{name}.{key}"
            if isinstance(value, Schedule):
                self.drive(place, value, _setter(holder, key))
            elif isinstance(value, (dict, list)) or (
                hasattr(value, "__dict__") and type(value).__module__.startswith("ganlab.")
            ):
                self.bind(place, value)

    def drive(self, name: str, schedule: Schedule, assign: Callable[[float], None]) -> None:
        """Let `schedule` drive one place, through `assign(value)`, from now on."""
        schedule.examples_per_epoch = self._examples_per_epoch
        self._places.append((name, schedule, assign))
        assign(schedule(0))

    def count_epochs(self, examples: int) -> None:
        """Let schedules that count in epochs know how many examples one has."""
        self._examples_per_epoch = examples
        for _, schedule, _ in self._places:
            schedule.examples_per_epoch = examples

    def update(self, examples: int) -> None:
        """Write every scheduled value for this number of examples seen."""
        for _, schedule, assign in self._places:
            assign(schedule(examples))

    def values(self, examples: int) -> dict[str, float]:
        """Name and value of every scheduled scalar, for the log."""
        return {name: schedule(examples) for name, schedule, _ in self._places}


def _items(holder: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(holder, dict):
        yield from holder.items()
    elif isinstance(holder, list):
        yield from enumerate(holder)
    else:
        yield from vars(holder).items()


def _setter(holder: Any, key: Any) -> Callable[[float], None]:
    if isinstance(holder, (dict, list)):
        return lambda value: holder.__setitem__(key, value)
    return lambda value: setattr(holder, key, value)
