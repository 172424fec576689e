"""A player of the game: what it trains, with which optimizer, and how often it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ganlab.core.schedule import Schedule, ScheduledScalars
from ganlab.errors import ConfigError


@dataclass
class Player:
    """One player of an adversarial game.

    Args:
        optimizer: parameters to optimizer, e.g. a Hydra `_partial_` of torch.optim.Adam. Any of
            its scalars may be a `Schedule`.
        modules: names of the submodules that this player trains; the player's own name when empty.
        every: the player moves once in this many batches; with `every: 5` a generator moves after
            each fifth critic step.
        gradient_clip: largest norm of the player's gradient, over all its parameters; None for no
            clipping.
        accumulate: moves whose gradients are averaged before the optimizer steps.
        shared: names of submodules that another player may train as well.

    Raises:
        ConfigError: `every` or `accumulate` below 1, or a clip that is not positive.
    """

    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    modules: Sequence[str] = field(default_factory=tuple)
    every: int = 1
    gradient_clip: float | None = None
    accumulate: int = 1
    shared: Sequence[str] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        for name in ("every", "accumulate"):
            if getattr(self, name) < 1:
                raise ConfigError(f"player.{name}: received {getattr(self, name)}; needs 1 or more.")
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            raise ConfigError(
                f"player.gradient_clip: received {self.gradient_clip}; needs a norm above 0, "
                "or null for no clipping."
            )

    def is_due(self, batch: int) -> bool:
        """Whether the player moves in this batch (counted from 0)."""
        return (batch + 1) % self.every == 0

    def moves(self, batches: int) -> int:
        """Moves made in the first `batches` batches."""
        return batches // self.every

    def build_optimizer(
        self, name: str, parameters: list[nn.Parameter], scheduled: ScheduledScalars
    ) -> Optimizer:
        """The optimizer over `parameters`, its schedules bound to its parameter groups.

        Options that are null in the config are left out: that is how a loss config replaces the
        optimizer of a model config, as Hydra cannot remove a key.
        """
        options = {
            key: value
            for key, value in getattr(self.optimizer, "keywords", {}).items()
            if value is not None
        }
        make = getattr(self.optimizer, "func", self.optimizer)
        optimizer = make(parameters, **{key: _at_start(value) for key, value in options.items()})
        for group in optimizer.param_groups:
            for key, value in options.items():
                if isinstance(value, Schedule):
                    scheduled.drive(f"{name}.{key}", value, partial(group.__setitem__, key))
                elif isinstance(value, (list, tuple)):
                    group[key] = list(value)
                    scheduled.bind(f"{name}.{key}", group[key])
        return optimizer


def _at_start(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value(0)
    if isinstance(value, (list, tuple)):
        return [_at_start(v) for v in value]
    return value
