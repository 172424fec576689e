"""A module that counts batches, examples and steps, and logs the terms of its losses."""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor

from ganlab.core.averaging import AveragedModule
from ganlab.core.processes import first_not_none
from ganlab.core.schedule import ScheduledScalars
from ganlab.core.window import LogWindow
from ganlab.errors import ConfigError, NonFiniteLossError


class LoggedModule(AveragedModule):
    """A module with counters, schedules and a log.

    Attributes:
        log_every: number of batches from one log row to the next.
        batches_seen, examples_seen: counters; examples are counted over all ranks.
        examples_in_batch: number of examples in the newest batch, over all ranks.
        steps: number of optimizer steps of each player.
        scored_at: examples seen when the newest scores were taken; None before the first scores.
        logged_at: examples seen when values were last logged; 0 before the first log row.
        scheduled: the scalars that follow schedules.
        latest: the newest value of every logged quantity.
        watched: the newest tensors given to `watch`, by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_every = 50
        self.batches_seen = 0
        self.examples_seen = 0
        self.examples_in_batch = 0
        self.steps: dict[str, int] = {}
        self.scored_at: int | None = None
        self.logged_at = 0
        self.scheduled = ScheduledScalars()
        self.latest: dict[str, float] = {}
        self.watched: dict[str, Tensor] = {}
        self._window = LogWindow()
        self._phase_of: dict[str, str] = {}  # for each term of this batch

    def add_terms(self, player: str, terms: dict[str, Tensor], phase: str) -> Tensor:
        """Keep the named terms of a player's loss for the log, and return their sum.

        Raises:
            ConfigError: the terms are not scalars by name, or another phase has returned a term of
                this name in the same batch.
            NonFiniteLossError: a term is not finite.
        """
        if not isinstance(terms, dict) or not terms:
            raise ConfigError(
                f"{type(self).__name__}: the loss of {player!r} in phase {phase!r} is {terms!r}; "
                "needs at least one term, {name: scalar}."
            )
        for term, value in terms.items():
            if not isinstance(value, Tensor) or value.dim():
                what = tuple(value.shape) if isinstance(value, Tensor) else repr(value)
                raise ConfigError(
                    f"{type(self).__name__}: the term {term!r} of {player!r} in phase {phase!r} is "
                    f"{what}; needs a tensor with one number and no dimension. Take its mean."
                )
            name = f"{player}/{term}"
            if self._phase_of.setdefault(name, phase) != phase:
                raise ConfigError(
                    f"{name}: the phases {self._phase_of[name]} and {phase} both return this term "
                    "in a batch. Give the terms different names."
                )
            self._window.add(name, value, self.batches_seen + 1)
        loss = reduce(torch.add, terms.values())
        # On an accelerator, reading the value would wait for the device. There, `check_finite` runs
        # only when values are logged and before each checkpoint. The same holds for several ranks:
        # if one rank stopped alone, the others would wait for it.
        can_check_now = self.device.type == "cpu" and self.trainer.world_size == 1
        if can_check_now and not math.isfinite(loss.detach()):
            self.check_finite()
        return loss

    def check_finite(self) -> None:
        """Raise if a loss term since the last log row is not finite; all ranks must call this.

        Raises:
            NonFiniteLossError: the message names the first such term, its player and the batch.
        """
        bad = first_not_none(self, self._window.not_finite())
        if bad is not None:
            role, _, term = bad.name.partition("/")
            raise NonFiniteLossError(
                f"The term {term!r} of player {role!r} became {bad.value} at batch {bad.batch}; "
                f"found after {self.examples_seen:,} examples. Lower the player's learning rate, "
                f"clip its gradient (model.players.{role}.gradient_clip=1.0), or add a regularizer."
            )

    def flush_log(self) -> None:
        """Log mean terms since the last row, scheduled values, and states of losses.

        A module's attribute `logged` names its logged buffers. All ranks must call this.
        """
        if not self._window:
            return
        self.check_finite()
        values = self._window.take_means() | self.scheduled.values(self.examples_seen)
        values |= {
            f"{path}.{name}": float(getattr(module, name))
            for path, module in self.named_modules()
            for name in getattr(module, "logged", ())
        }
        self.log_values(values | {f"{role}/steps": n for role, n in self.steps.items()})

    def log_values(self, values: dict[str, float]) -> None:
        """Send named values to all loggers; the x-axis is the number of examples seen."""
        self.latest |= values
        self.logged_at = self.examples_seen
        for logger in self.loggers:
            logger.log_metrics(values, step=self.examples_seen)

    def watch(self, **tensors: Tensor) -> None:
        """Keep detached tensors for callbacks, such as scores that a loss has computed."""
        self.watched |= {name: tensor.detach() for name, tensor in tensors.items()}
