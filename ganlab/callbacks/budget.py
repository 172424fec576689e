"""The length of a run."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
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
        self._minutes_share = 0.0  # used of the minutes; on several ranks, as they last agreed

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Start the clock; stop the trainer if a resumed run has spent the budget already."""
        self._started = time.monotonic()
        data = trainer.datamodule
        # counted in examples, since a run may be resumed with another number of processes
        self._examples_per_epoch = data.batches_per_epoch * data.batch_size * trainer.world_size
        self._read_clock(trainer, agree=True)
        if self.spent(pl_module) >= 1:
            trainer.should_stop = True

    def on_train_batch_start(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Tell the schedules how much of the budget is used."""
        if pl_module.scheduled.needs_progress:
            pl_module.scheduled.set_progress(self.spent(pl_module))

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Ask the trainer to stop when a limit is reached."""
        self._read_clock(trainer, agree=pl_module.batches_seen % pl_module.log_every == 0)
        if self.spent(pl_module) >= 1:
            trainer.should_stop = True

    def _read_clock(self, trainer: Trainer, agree: bool) -> None:
        """Update the share of the minutes that is used.

        Counters are equal on all ranks. Clocks differ, so ranks must agree on the minutes. This
        costs a round trip, so they do it only in every `log_every`-th batch (`agree`).
        """
        if "minutes" not in self.limits or (trainer.world_size > 1 and not agree):
            return
        share = self._seconds() / 60 / self.limits["minutes"]
        if trainer.world_size > 1:
            device = trainer.strategy.root_device
            share = float(
                trainer.strategy.reduce(torch.tensor(share, device=device), reduce_op="mean")
            )
        self._minutes_share = share

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def spent(self, module: AdversarialModule) -> float:
        """Return the spent fraction of the nearest limit; 1 or more when the run must end."""
        return max(self._share(name, module) for name in self.limits)

    def _share(self, name: str, module: AdversarialModule) -> float:
        if name == "minutes":
            return self._minutes_share
        used = module.batches_seen if name == "batches" else module.examples_seen
        if name == "epochs":
            used /= self._examples_per_epoch
        return used / self.limits[name]

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds of training so far."""
        return {"seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue counting from the seconds in `state_dict`."""
        self._seconds_before = state_dict["seconds"]
