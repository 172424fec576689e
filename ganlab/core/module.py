"""The game: one training step for every family, whoever plays."""

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
from ganlab.core.processes import first_found, share_buffers
from ganlab.core.randomness import mix, seed_device
from ganlab.core.schedule import ScheduledScalars
from ganlab.core.window import LogWindow
from ganlab.errors import CheckpointError, ConfigError, NonFiniteLossError
from ganlab.record.old_names import current

Batch = dict[str, Tensor]
T = TypeVar("T")


class AdversarialModule(AveragedModule):
    """A game between players, each minimising its own loss in turn.

    A family names its `roles` in the order in which they move, registers its networks, calls
    `declare_players`, and writes one method `<role>_loss(batch) -> dict[str, Tensor]` for each
    role. All else happens here: who is due, whose parameters require gradients, optimizer steps,
    clipping, accumulation, counters, the log, the guard against losses that are not finite.

    Everything random in a training step is a function of (seed, rank, batch number): a resumed run
    repeats it exactly, and no two ranks draw the same latents.

    Attributes:
        roles: names of the players, in the order in which they move within a batch.
        needs: keys that a batch must have.
        batches_seen, examples_seen: counters; examples are counted over all ranks.
        examples_in_batch: examples of the newest batch, over all ranks.
        scored_at: examples seen when the newest scores were taken.
        logged_at: examples seen when something was logged last.
        steps: optimizer steps made by each player.
        latest: the newest value of everything logged.
        watched: what `watch` was given, by name.
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
        self._moved: set[str] = set()
        self._training: tuple[str, ...] = ()  # whose parameters require gradients

    # --- who plays -------------------------------------------------------------------------

    def declare_players(self, players: Mapping[str, Player], **scheduled: Any) -> None:
        """Bind players to roles; call it once all submodules are registered.

        Args:
            players: one `Player` for each role.
            scheduled: objects (losses, regularizers, …) whose scalars may be `Schedule`s.

        Raises:
            ConfigError: a role without a player, an unknown player, a player without parameters, an
                unknown submodule, or a parameter of two players that is not declared `jointly`.
        """
        self.parameters_of = assign_parameters(self, self.roles, players)
        self.players = {role: players[role] for role in self.roles}
        self.steps = dict.fromkeys(self.roles, 0)
        for name, holder in scheduled.items():
            self.scheduled.bind(name, holder)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """One optimizer for each role, in the order of `roles`."""
        return [
            self.players[role].build_optimizer(role, self.parameters_of[role], self.scheduled)
            for role in self.roles
        ]

    def optimizers_in_order(self) -> list[LightningOptimizer]:
        """Those in training, as Lightning wraps them, in the order of `roles`."""
        found = self.optimizers()  # one by itself where there is only one
        return found if isinstance(found, list) else [found]

    # --- one batch ---------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Let every due player move once, in the order of `roles`."""
        seed_device(self.device, mix(self.seed, self.global_rank, self.batches_seen))
        self.scheduled.update(self.examples_seen)
        self._shared.clear()
        self._moved.clear()
        for index, role in enumerate(self.roles):
            if self.players[role].is_due(self.batches_seen):
                self._move(index, role, batch)
        share_buffers(self)
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
        if player.moves(self.batches_seen + 1) % player.accumulate == 0:
            optimizer = self.optimizers_in_order()[index]
            optimizer.step()
            optimizer.zero_grad()
            self.steps[role] += 1
            self.after_step(role)
        self._moved.add(role)
        self._shared = {key: (of, v) for key, (of, v) in self._shared.items() if of != role}

    def on_train_batch_end(self, *args: Any) -> None:
        """Log at the end of a run that is too short for a row; all ranks do, as they must."""
        if self.trainer.should_stop and not self.logged_at:
            self.flush_log()

    def after_step(self, role: str) -> None:
        """Called after a player's optimizer has stepped; weight clipping lives here."""

    def _total(self, role: str, terms: dict[str, Tensor]) -> Tensor:
        for name, term in terms.items():
            self._window.add(f"{role}/{name}", term, self.batches_seen + 1)
        loss = reduce(torch.add, terms.values())
        # On an accelerator reading the value would wait for the device: there the guard reads the
        # whole window when it is logged, and before each checkpoint.
        # Of several ranks none may stop alone: the others would wait for it.
        is_free = self.device.type == "cpu" and self.trainer.world_size == 1
        if is_free and not math.isfinite(loss.detach()):
            self.check_finite()
        return loss

    def check_finite(self) -> None:
        """Raise if any term since the last log is not finite.

        Raises:
            NonFiniteLossError: names the first such term, its player and the batch.
        """
        found = first_found(self, self._window.not_finite())
        if found is not None:
            role, _, term = found.name.partition("/")
            raise NonFiniteLossError(
                f"The term {term!r} of player {role!r} became {found.value} at batch "
                f"{found.batch} ({self.examples_seen:,} examples). Lower the player's learning "
                f"rate, clip its gradient (model.players.{role}.gradient_clip=1.0), or add a "
                "regularizer."
            )

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the moving player's gradient; mixed precision has unscaled it by now."""
        for role, own in zip(self.roles, self.trainer.optimizers, strict=True):
            clip = self.players[role].gradient_clip
            if own is optimizer and clip is not None:
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
        """Within it, only `role`'s parameters require gradients, or none at all."""
        before = self._training
        self._require_gradients_of(*([role] if required else []))
        try:
            with torch.set_grad_enabled(required):
                yield
        finally:
            self._require_gradients_of(*before)

    def shared(self, key: str, of: str, make: Callable[[], T]) -> T:
        """What `make` returns, made once in a batch and kept until the player `of` has moved.

        It carries the gradient of `of`'s parameters if that player is still to move in this batch,
        else none; other players detach it.
        """
        if key not in self._shared:
            will_move = of not in self._moved and self.players[of].is_due(self.batches_seen)
            with self.gradients_of(of, required=will_move):
                self._shared[key] = (of, make())
        return self._shared[key][1]

    # --- the log -----------------------------------------------------------------------------

    def flush_log(self) -> None:
        """Send the means over the window, and scheduled values, to all loggers."""
        if not self._window:
            return
        self.check_finite()
        values = self._window.take_means() | self.scheduled.values(self.examples_seen)
        self.log_values(values | {f"{role}/steps": n for role, n in self.steps.items()})

    def log_values(self, values: dict[str, float]) -> None:
        """Send named values to all loggers; the x-axis is the examples seen."""
        self.latest |= values
        self.logged_at = self.examples_seen
        for logger in self.loggers:
            logger.log_metrics(values, step=self.examples_seen)

    def watch(self, **tensors: Tensor) -> None:
        """Let callbacks see what a loss has computed anyway, such as scores; costs nothing."""
        self.watched |= {name: tensor.detach() for name, tensor in tensors.items()}

    # --- what a checkpoint carries ---------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add config, counters, the unfinished log window and unfinished accumulation."""
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
            CheckpointError: the file was not written by ganlab, or is of another model.
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
        """Restore gradients of an accumulation that a checkpoint interrupted."""
        parameters = dict(self.named_parameters())
        for name, gradient in self._pending_gradients.items():
            parameters[name].grad = gradient.to(parameters[name].device)
        self._pending_gradients = {}
        self._window.to(self.device)

    # --- what a family tells ---------------------------------------------------------------------

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check that a data module gives what this game needs; called before anything is built.

        Args:
            shapes: of one sample, e.g. {"example": (1, 28, 28)} or {"example": (2,)}.
            provides: keys of the data module's batches.

        Raises:
            ConfigError: names what is missing, or the shapes that do not fit.
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
        """`n` samples; see the family."""
        raise ConfigError(f"{type(self).__name__} does not generate samples.")
