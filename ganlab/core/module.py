"""The base class of all families: training step, counters, log and checkpoint contents."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import Any, TypeVar

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from ganlab.core.averaging import AveragedModule
from ganlab.core.checkpoint import check_state_fits
from ganlab.core.player import Player, assign_parameters
from ganlab.core.processes import broadcast_buffers, first_not_none
from ganlab.core.randomness import mix, seed_device
from ganlab.core.schedule import ScheduledScalars
from ganlab.core.window import LogWindow
from ganlab.errors import CheckpointError, ConfigError, NonFiniteLossError
from ganlab.record.old_names import current

Batch = dict[str, Tensor]
T = TypeVar("T")


class AdversarialModule(AveragedModule):
    """A game between players, each minimising its own loss in turn.

    A family sets `roles`, the names of its players. It registers its networks, calls
    `declare_players`, and defines one method `<role>_loss(batch) -> dict[str, Tensor]` for each
    player. This class does the rest: it decides which players are due and whose parameters require
    gradients. It steps optimizers, clips and accumulates gradients, counts, logs, and raises when a
    loss is not finite.

    All random numbers of a training step are seeded by (seed, rank, batch number). So a resumed run
    repeats them exactly, and no two ranks sample the same latents.

    Attributes:
        roles: names of the players, in the order in which they are trained within a batch.
        needs: keys that a batch must have.
        batches_seen, examples_seen: counters; examples are counted over all ranks.
        examples_in_batch: number of examples in the newest batch, over all ranks.
        scored_at: examples seen when the newest scores were taken; None before the first scores.
        logged_at: examples seen when values were last logged; 0 before the first log row.
        steps: number of optimizer steps of each player.
        latest: the newest value of every logged quantity.
        watched: the newest tensors given to `watch`, by name.
    """

    roles: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("example",)

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.seed = 0
        self.log_every = 50
        self.config: dict[str, Any] | None = None
        self.players: dict[str, Player] = {}
        self.scheduled = ScheduledScalars()
        self.batches_seen = 0
        self.examples_seen = 0
        self.examples_in_batch = 0
        self.scored_at: int | None = None
        self.logged_at = 0
        self.steps: dict[str, int] = {}
        self.latest: dict[str, float] = {}
        self.watched: dict[str, Tensor] = {}
        self.parameters_of: dict[str, list[nn.Parameter]] = {}
        self._window = LogWindow()
        self._pending_gradients: dict[str, Tensor] = {}
        self._shared: dict[str, tuple[str, Any]] = {}
        self._moved: set[str] = set()  # players that have been trained in this batch
        self._training: tuple[str, ...] = ()  # players whose parameters require gradients

    # --- who plays -------------------------------------------------------------------------

    def declare_players(self, players: Mapping[str, Player], **scheduled: Any) -> None:
        """Set the players of the game; call this once all submodules are registered.

        Args:
            players: one `Player` for each role.
            scheduled: objects (losses, regularizers, …) whose scalars may be `Schedule`s.

        Raises:
            ConfigError: see `assign_parameters`.
        """
        self.parameters_of = assign_parameters(self, self.roles, players)
        self.players = {role: players[role] for role in self.roles}
        self.steps = dict.fromkeys(self.roles, 0)
        for name, holder in scheduled.items():
            self.scheduled.bind(name, holder)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Return one optimizer for each role, in the order of `roles`."""
        return [
            self.players[role].build_optimizer(role, self.parameters_of[role], self.scheduled)
            for role in self.roles
        ]

    def optimizers_in_order(self) -> list[LightningOptimizer]:
        """Return the trainer's optimizers, wrapped by Lightning, in the order of `roles`."""
        optimizers = self.optimizers()  # Lightning returns no list if there is only one
        return optimizers if isinstance(optimizers, list) else [optimizers]

    # --- one batch ---------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train every due player once, in the order of `roles`."""
        seed_device(self.device, mix(self.seed, self.global_rank, self.batches_seen))
        self.scheduled.update(self.examples_seen)
        self._shared.clear()
        self._moved.clear()
        for index, role in enumerate(self.roles):
            if self.players[role].is_due(self.batches_seen):
                self._move(index, role, batch)
        broadcast_buffers(self)
        self.batches_seen += 1
        self.examples_in_batch = len(batch[self.needs[0]]) * self.trainer.world_size
        self.examples_seen += self.examples_in_batch
        if self.batches_seen % self.log_every == 0:
            self.flush_log()

    def _move(self, index: int, role: str, batch: Batch) -> None:
        player = self.players[role]
        self._require_gradients_of(role)
        terms = getattr(self, f"{role}_loss")(batch)
        loss = self._total(role, terms)
        self.manual_backward(loss / player.accumulate if player.accumulate > 1 else loss)
        if player.due_batches(self.batches_seen + 1) % player.accumulate == 0:
            optimizer = self.optimizers_in_order()[index]
            optimizer.step()
            optimizer.zero_grad()
            self.steps[role] += 1
            self.after_step(role)
        self._moved.add(role)
        self._shared = {key: (of, v) for key, (of, v) in self._shared.items() if of != role}

    def on_train_batch_end(self, *args: Any) -> None:
        """Log the losses at the end of a run of less than `log_every` batches, on all ranks."""
        if self.trainer.should_stop and self.batches_seen < self.log_every:
            self.flush_log()

    def after_step(self, role: str) -> None:
        """Do nothing; families override this, e.g. for weight clipping after an optimizer step."""

    def _total(self, role: str, terms: dict[str, Tensor]) -> Tensor:
        for name, term in terms.items():
            self._window.add(f"{role}/{name}", term, self.batches_seen + 1)
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

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient of the optimizer's player; Lightning has already unscaled it."""
        for role, candidate in zip(self.roles, self.trainer.optimizers, strict=True):
            clip = self.players[role].gradient_clip
            if candidate is optimizer and clip is not None:
                clip_grad_norm_(self.parameters_of[role], clip)

    # --- gradients, and what players share within a batch --------------------------------------

    def _require_gradients_of(self, *roles: str) -> None:
        self._training = roles
        for parameters in self.parameters_of.values():
            for parameter in parameters:
                parameter.requires_grad_(False)
        for role in roles:
            for parameter in self.parameters_of[role]:
                parameter.requires_grad_(True)

    @contextmanager
    def gradients_of(self, role: str, required: bool) -> Iterator[None]:
        """In the block, let only `role`'s parameters require gradients (none if not `required`)."""
        before = self._training
        self._require_gradients_of(*([role] if required else []))
        try:
            with torch.set_grad_enabled(required):
                yield
        finally:
            self._require_gradients_of(*before)

    def shared(self, key: str, of: str, make: Callable[[], T]) -> T:
        """Return the result of `make()`, kept within the batch until `of` is trained.

        If player `of` is still to be trained in this batch, the result carries gradients of its
        parameters, and other players must detach the result. Otherwise it has no gradient.
        """
        if key not in self._shared:
            will_move = of not in self._moved and self.players[of].is_due(self.batches_seen)
            with self.gradients_of(of, required=will_move):
                self._shared[key] = (of, make())
        return self._shared[key][1]

    # --- the log -----------------------------------------------------------------------------

    def flush_log(self) -> None:
        """Log mean terms since the last row, and scheduled values; all ranks must call this."""
        if not self._window:
            return
        self.check_finite()
        values = self._window.take_means() | self.scheduled.values(self.examples_seen)
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

    # --- what a checkpoint carries ---------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add config, counters, terms not yet logged, and unfinished gradient accumulation."""
        pending = {n: p.grad for n, p in self.named_parameters() if p.grad is not None}
        checkpoint["ganlab"] = {
            "config": self.config,
            "counters": {
                "batches_seen": self.batches_seen,
                "examples_seen": self.examples_seen,
                "steps": dict(self.steps),
            },
            "logged_at": self.logged_at,
            "window": self._window.state_dict(),
            "pending_gradients": pending,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` added.

        Raises:
            CheckpointError: the file was not written by ganlab, or belongs to another model.
        """
        if "ganlab" not in checkpoint:
            raise CheckpointError(
                "checkpoint: this file was not written by ganlab (it has no counters or config)."
            )
        checkpoint |= {
            key: current(checkpoint[key]) for key in ("ganlab", "callbacks") if key in checkpoint
        }
        state = checkpoint["ganlab"]
        counters = state["counters"]
        self.batches_seen, self.examples_seen = counters["batches_seen"], counters["examples_seen"]
        self.steps = dict(counters["steps"])
        self.logged_at = state["logged_at"]
        self._window.load_state_dict(state["window"])
        self._pending_gradients = state["pending_gradients"]
        if any(name.startswith("averaged.") for name in checkpoint["state_dict"]):
            self.start_averaging()
        check_state_fits(self.state_dict(), checkpoint["state_dict"])

    def on_train_start(self) -> None:
        """Restore the gradients of an accumulation that was unfinished in the checkpoint."""
        parameters = dict(self.named_parameters())
        for name, gradient in self._pending_gradients.items():
            parameters[name].grad = gradient.to(parameters[name].device)
        self._pending_gradients = {}
        self._window.to(self.device)

    # --- what families override -------------------------------------------------------------------

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Raise unless a data module gives what this game needs; called before data is read.

        Args:
            shapes: maps batch keys to the shape of one example, e.g. {"example": (1, 28, 28)}.
            provides: keys of the data module's batches.

        Raises:
            ConfigError: a key is missing, or shapes do not fit.
        """
        for key in self.needs:
            if key not in provides:
                raise ConfigError(
                    f"data: {type(self).__name__} needs batches with {key!r}; this data set "
                    f"gives {', '.join(provides)}. Choose data and a model that fit: pairs for "
                    "pix2pix (data=paired, data=shapes), two sets for cyclegan (data=unpaired), "
                    "classes for conditional models."
                )

    def sample(
        self, n: int, *, labels: Tensor | None = None, seed: int | None = None, ema: bool = True
    ) -> Tensor:
        """Return `n` samples; raise a ConfigError unless a family overrides this."""
        raise ConfigError(f"{type(self).__name__} does not generate samples.")
