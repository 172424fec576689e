"""The length of a run."""

from __future__ import annotations

import math
import time
from typing import Any

from lightning.pytorch import Callback, Trainer

from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError


class Budget(Callback):
    """Ends the run when it reaches the first of its limits; at least one limit must be given.

    Args:
        examples: real examples seen, over all ranks.
        batches: batches seen.
        epochs: passes over the training set.
        minutes: minutes of training, including the sessions before a resume.

    Raises:
        ConfigError: no limit is given, or a limit is not positive or not finite.
    """

    def __init__(
        self,
        examples: int | None = None,
        batches: int | None = None,
        epochs: float | None = None,
        minutes: float | None = None,
    ) -> None:
        limits = {"examples": examples, "batches": batches, "epochs": epochs, "minutes": minutes}
        self.limits = {name: limit for name, limit in limits.items() if limit is not None}
        if not self.limits:
            raise ConfigError(
                "budget: received no limit; set budget.examples, budget.batches, budget.epochs or "
                "budget.minutes."
            )
        for name, limit in self.limits.items():
            if not 0 < limit < math.inf:
                raise ConfigError(
                    f"budget.{name}: received {limit}; needs a finite number above 0, or null for "
                    "no such limit."
                )
        self._seconds_before = 0.0
        self._started = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Start the clock; stop the trainer if a resumed run has spent the budget already."""
        self._started = time.monotonic()
        data = trainer.datamodule
        # counted in examples, since a run may be resumed with another number of processes
        self._examples_per_epoch = data.batches_per_epoch * data.batch_size * trainer.world_size
        if self._is_spent(trainer, pl_module, agree=True):
            trainer.should_stop = True

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Ask the trainer to stop when a limit is reached."""
        agree = pl_module.batches_seen % pl_module.log_every == 0
        if self._is_spent(trainer, pl_module, agree):
            trainer.should_stop = True

    def _is_spent(self, trainer: Trainer, module: AdversarialModule, agree: bool) -> bool:
        if trainer.world_size == 1 or "minutes" not in self.limits:
            return self.spent(module) >= 1
        # Counters are equal on all ranks. Clocks differ, so ranks must agree on the minutes. This
        # costs a round trip, so they do it only in every `log_every`-th batch (`agree`).
        counted = [name for name in self.limits if name != "minutes"]
        if any(self._used(name, module) >= self.limits[name] for name in counted):
            return True
        return agree and trainer.strategy.reduce_boolean_decision(
            self.spent(module) >= 1, all=False
        )

    def spent(self, module: AdversarialModule) -> float:
        """Return the spent fraction of the nearest limit; 1 or more when the run must end."""
        return max(self._used(name, module) / limit for name, limit in self.limits.items())

    def _used(self, name: str, module: AdversarialModule) -> float:
        if name == "examples":
            return module.examples_seen
        if name == "batches":
            return module.batches_seen
        if name == "epochs":
            return module.examples_seen / self._examples_per_epoch
        return (self._seconds_before + time.monotonic() - self._started) / 60

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds of training so far."""
        return {"seconds": self._seconds_before + time.monotonic() - self._started}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue counting from the seconds in `state_dict`."""
        self._seconds_before = state_dict["seconds"]
