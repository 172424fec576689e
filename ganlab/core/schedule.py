"""Schedules: scalars that change during training.

A scalar of a loss, a regularizer, an optimizer or the EMA is a number or a `Schedule`. A schedule
is a pure function of the number of examples seen or of the run's progress, so it has no state. It
is exact on resume, unless minutes limit the run: no two runs are then equally far at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from operator import setitem
from typing import Any, Literal

from hydra.utils import get_class
from torch import nn

from ganlab.errors import ConfigError


class Schedule:
    """A scalar as a function of the examples seen since the start of the run.

    Attributes:
        lengths: names of the arguments that scale with the length of the run.
        examples_per_epoch: number of examples in an epoch of the run; None until it is known.
        progress: the share of the run's budget that is used, see `ganlab.callbacks.Budget`; None
            until it is known.
        needs_progress: whether the value depends on `progress`.
    """

    lengths: tuple[str, ...] = ()
    examples_per_epoch: int | None = None
    progress: float | None = None
    needs_progress = False

    def __call__(self, examples: int) -> float:
        """Return the value after `examples` examples."""
        raise NotImplementedError

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest value that it reaches; None if they are not known."""
        return None


class Ramp(Schedule):
    """A ramp from `start` to `end`, constant before and after.

    Args:
        start: value until `delay` examples have been seen.
        end: value once `delay + examples` examples have been seen.
        examples: length of the ramp in examples, > 0.
        shape: "linear", "cosine" (half a period, so the slope is 0 at start and end) or
            "exponential" (equal ratios in equal times; `start` and `end` > 0).
        delay: examples before the ramp begins.

    Raises:
        ConfigError: `examples` is not above 0, `delay` is below 0 or None, the shape is unknown,
            or an exponential ramp starts or ends at zero or below.
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
        for name, value, is_allowed in (
            ("examples", examples, examples is not None and examples > 0),
            ("delay", delay, delay is not None and delay >= 0),
        ):
            if not is_allowed:
                raise ConfigError(
                    f"Ramp.{name}: received {value}; needs a number of examples, "
                    f"{'above 0' if name == 'examples' else '0 or more'}. "
                    "A length given as a fraction of the run needs budget.examples to be set."
                )
        if shape not in ("linear", "cosine", "exponential"):
            raise ConfigError(
                f"Ramp.shape: received {shape!r}; allowed linear, cosine, exponential."
            )
        if shape == "exponential" and min(start, end) <= 0:
            raise ConfigError(
                f"Ramp: an exponential ramp from {start} to {end} is not defined; start and end "
                "must be above 0. Use shape: linear or cosine to reach 0."
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

    @property
    def bounds(self) -> tuple[float, float]:
        """The smaller and the larger of start and end."""
        return min(self.start, self.end), max(self.start, self.end)


class ProgressRamp(Schedule):
    """A ramp from `start` to `end` that follows the run's progress, constant before and after.

    The progress is the largest share that is used of any limit of the budget: of examples,
    batches, epochs or minutes. So the ramp ends with the run, whichever limit ends it.

    Args:
        start: value until the progress is `begin`.
        end: value once the progress is `finish`.
        begin: progress at which the ramp begins, in [0, 1).
        finish: progress at which the ramp is over, above `begin`, at most 1.
        shape: as in `Ramp`.

    Raises:
        ConfigError: `begin` or `finish` is outside its range, or the ramp's shape is not allowed.
    """

    needs_progress = True

    def __init__(
        self,
        start: float,
        end: float,
        begin: float = 0.0,
        finish: float = 1.0,
        shape: Literal["linear", "cosine", "exponential"] = "linear",
    ) -> None:
        if not 0 <= begin < finish <= 1:
            raise ConfigError(
                f"ProgressRamp: received begin={begin}, finish={finish}; needs "
                "0 ≤ begin < finish ≤ 1. They are shares of the run."
            )
        self._ramp = Ramp(start, end, finish - begin, shape, begin)

    def __call__(self, examples: int) -> float:
        return self._ramp(self.progress or 0.0)

    @property
    def bounds(self) -> tuple[float, float]:
        """As of `Ramp`."""
        return self._ramp.bounds


class LinearDecay(Schedule):
    """Constant for some epochs, then linear to 0: the learning rate of pix2pix and CycleGAN.

    Args:
        start: value during the constant part.
        epochs: length of the constant part in passes over the training set, ≥ 0.
        decay_epochs: length of the decay from `start` to 0 in passes, > 0.

    Raises:
        ConfigError: a length outside its range.
    """

    lengths = ("epochs", "decay_epochs")

    def __init__(self, start: float, epochs: float = 100, decay_epochs: float = 100) -> None:
        for name, value, allowed in (
            ("epochs", epochs, epochs >= 0),
            ("decay_epochs", decay_epochs, decay_epochs > 0),
        ):
            if not allowed:
                raise ConfigError(
                    f"LinearDecay.{name}: received {value}; needs epochs ≥ 0 and decay_epochs > 0."
                )
        self.start, self.epochs, self.decay_epochs = float(start), epochs, decay_epochs

    def __call__(self, examples: int) -> float:
        epoch = examples / self.examples_per_epoch if self.examples_per_epoch else 0.0
        return self.start * min(max(1 - (epoch - self.epochs) / self.decay_epochs, 0.0), 1.0)

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and start."""
        return min(self.start, 0.0), max(self.start, 0.0)


class Steps(Schedule):
    """Piecewise constant: first `values[0]`; `values[i]` once `at[i - 1]` examples have been seen.

    Args:
        values: the values in order, one more than `at` has entries.
        at: increasing numbers of examples at which the next value begins.

    Raises:
        ConfigError: the lengths of `values` and `at` do not fit, or `at` does not increase.
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

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest of the values."""
        return min(self.values), max(self.values)


def is_schedule(config: Any) -> bool:
    """Whether a plain configuration is that of a `Schedule`."""
    target = config.get("_target_") if isinstance(config, dict) else None
    with suppress(Exception):  # a wrong target is the error of others
        return isinstance(target, str) and issubclass(get_class(target), Schedule)
    return False


class ScheduledScalars:
    """The schedules found in a set of objects, each bound to the attribute or item that it sets.

    `bind` searches the attributes and items of objects, dicts and lists. It replaces each schedule
    by the schedule's current value, and `update` later writes new values to the same attribute or
    item. So code that uses the scalar reads an ordinary number.
    """

    def __init__(self) -> None:
        self._bindings: list[tuple[str, Schedule, Callable[[float], None]]] = []
        self._examples_per_epoch: int | None = None

    def __len__(self) -> int:
        return len(self._bindings)

    @property
    def needs_progress(self) -> bool:
        """Whether a scalar depends on the run's progress."""
        return any(schedule.needs_progress for _, schedule, _ in self._bindings)

    def bind(self, name: str, holder: Any) -> None:
        """Find all schedules inside `holder` (an object, dict or list) and bind them.

        Args:
            name: prefix of the scalars' names in the log.
            holder: the object; modules, and objects of ganlab, inside it are searched too.
        """
        for key, value in list(_items(holder)):
            path = f"{name}.{key}"
            if isinstance(value, Schedule):
                self.drive(path, value, _setter(holder, key))
            elif isinstance(value, (dict, list, nn.Module)) or (
                hasattr(value, "__dict__") and type(value).__module__.startswith("ganlab.")
            ):
                self.bind(path, value)

    def drive(self, name: str, schedule: Schedule, assign: Callable[[float], None]) -> None:
        """Bind one schedule: call `assign(value)` now and at every update."""
        schedule.examples_per_epoch = self._examples_per_epoch
        self._bindings.append((name, schedule, assign))
        assign(schedule(0))

    def set_epoch_length(self, examples: int) -> None:
        """Tell all schedules the number of examples in an epoch."""
        self._examples_per_epoch = examples
        for _, schedule, _ in self._bindings:
            schedule.examples_per_epoch = examples

    def set_progress(self, share: float) -> None:
        """Tell all schedules the share of the run's budget that is used."""
        for _, schedule, _ in self._bindings:
            schedule.progress = share

    def update(self, examples: int) -> None:
        """Set every bound scalar to its value after `examples` examples.

        Raises:
            ConfigError: a scalar depends on the run's progress, which was never set.
        """
        for name, schedule, assign in self._bindings:
            if schedule.needs_progress and schedule.progress is None:
                raise ConfigError(
                    f"{name}: follows the progress of the run, which is not known. Add a "
                    "ganlab.callbacks.Budget to the trainer's callbacks, or use ganlab.core.Ramp."
                )
            assign(schedule(examples))

    def values(self, examples: int) -> dict[str, float]:
        """Return the name and the value of every bound scalar, for the log."""
        return {name: schedule(examples) for name, schedule, _ in self._bindings}


def _items(holder: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(holder, dict):
        yield from holder.items()
    elif isinstance(holder, list):
        yield from enumerate(holder)
    elif isinstance(holder, nn.Module):
        yield from ((key, value) for key, value in vars(holder).items() if key[0] != "_")
        yield from holder.named_children()
    else:
        yield from vars(holder).items()


def _setter(holder: Any, key: Any) -> Callable[[float], None]:
    # partials, since a deepcopy of a game copies their arguments
    return partial(setitem if isinstance(holder, (dict, list)) else setattr, holder, key)
