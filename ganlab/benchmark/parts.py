"""Measure how much of a batch's time each part of the training loop takes."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, Trainer

from ganlab.core import AdversarialModule
from ganlab.runs.trial import fit, now


def time_parts(config: dict[str, Any], batches: int) -> dict[str, float]:
    """Return the milliseconds per batch of each part of the training loop.

    The timers themselves add to the times. Time for generated samples that several players share
    counts for the player whose step comes first.

    Args:
        config: the configuration, plain and checked.
        batches: the number of batches to measure; the same number before them warms up.
    """
    timers = PartTimers(batches)
    fit(config, timers)
    return timers.milliseconds()


class PartTimers(Callback):
    """Times the parts of the loop; the time of a nested part is not counted for the outer part.

    Args:
        batches: the number of batches to measure; the same number before them warms up.
    """

    def __init__(self, batches: int) -> None:
        self.batches = batches
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Wrap the parts of the loop in timers."""
        self.device = pl_module.device
        self.role = ""
        for phase in pl_module.phases:
            names = (phase.name,) if hasattr(pl_module, f"{phase.name}_loss") else phase.players
            for name in names:
                self._wrap(pl_module, f"{name}_loss", f"{name}: forward", name)
        self._wrap(pl_module, "_backward", ": backward")
        self._wrap(pl_module, "flush_log", "log")
        self._wrap(trainer.datamodule, "on_after_batch_transfer", "data")
        for optimizer in pl_module.optimizers_in_order():
            self._wrap(optimizer, "step", ": optimizer")
        for callback in trainer.callbacks:
            if callback is not self:
                self._wrap(callback, "on_train_batch_end", "callbacks")
        self._total = 0.0

    def _wrap(self, holder: Any, name: str, part: str, role: str | None = None) -> None:
        function: Callable[..., Any] = getattr(holder, name)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if role is not None:
                self.role = role
            outer, self._inner = self._inner, 0.0
            started = now(self.device)
            result = function(*args, **kwargs)
            spent = now(self.device) - started
            key = f"{self.role}{part}" if part.startswith(":") else part
            self.seconds[key] += spent - self._inner
            self._inner = outer + spent
            return result

        object.__setattr__(holder, name, timed)

    def on_train_batch_start(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Discard the times of the warm-up when it is over."""
        if pl_module.batches_seen == self.batches:
            self.seconds.clear()
            self._started = now(self.device)

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Stop after the measured batches."""
        if pl_module.batches_seen == 2 * self.batches:
            self._total = now(self.device) - self._started
            trainer.should_stop = True

    def milliseconds(self) -> dict[str, float]:
        """Return the milliseconds per batch of each part.

        "loop and the rest" is the remaining time: Lightning's loop, and the choice and order of
        examples by the data module.
        """
        parts = {name: 1000 * s / self.batches for name, s in sorted(self.seconds.items())}
        rest = 1000 * self._total / self.batches - sum(parts.values())
        return {name: round(ms, 4) for name, ms in (parts | {"loop and the rest": rest}).items()}
