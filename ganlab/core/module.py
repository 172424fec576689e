"""The base class of all families: the training step, and what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from ganlab.core.checkpoint import check_state_fits, lay_out_state, unfinished_gradients
from ganlab.core.game import Game
from ganlab.core.gradients import add_gradients, one_scaler_update, scaled, unscaled
from ganlab.core.phase import Phase
from ganlab.core.processes import broadcast_buffers
from ganlab.core.randomness import mix, seed_device
from ganlab.errors import CheckpointError, ConfigError
from ganlab.record.old_names import current

Batch = dict[str, Tensor]


class AdversarialModule(Game):
    """A game between players, each minimising its own loss, in turn or together.

    A family registers its networks and sets `phases`, or only `roles` for one phase of each player.
    For each phase it defines a method `<phase>_loss(batch)`, which returns the named terms of the
    loss, `{term: scalar}`. A phase of several players returns `{player: {term: scalar}}`: each
    player's parameters get the gradient of the sum of its own terms alone. Without such a method,
    the methods `<player>_loss` are called. `bind` gives the game its players before `fit`.

    This class does the rest: it decides which phases are due and whose parameters require
    gradients. It steps optimizers, clips and accumulates gradients, counts, logs, and raises when a
    loss is not finite.

    All random numbers of a training step are seeded by (seed, rank, batch number). So a resumed run
    repeats them exactly, and no two ranks sample the same latents.

    Attributes:
        needs: keys that a batch must have.
        seed: seed of all random numbers of the training.
        config: the run's configuration, which every checkpoint holds.
    """

    needs: tuple[str, ...] = ("example",)

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.seed = 0
        self.config: dict[str, Any] | None = None
        self._begun: set[str] = set()  # phases for which begin_phase was called

    # --- one batch ---------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Play every phase that is due, in the order of `phases`."""
        self.scheduled.update(self.examples_seen)
        seen = self.examples_seen, self.batches_seen
        for phase in self.phases:
            if phase.is_over(*seen):
                self._unfinished.pop(phase.name, None)
            elif phase.name not in self._begun and phase.is_active(*seen):
                self._begun.add(phase.name)
                seed_device(self.device, mix(self.seed, self.batches_seen, 0x6265676E))
                self.begin_phase(phase.name)
        seed_device(self.device, mix(self.seed, self.global_rank, self.batches_seen))
        self._remaining[:] = (phase for phase in self.phases if phase.is_due(*seen))
        self.examples_in_batch = len(batch[self.needs[0]]) * self.trainer.world_size
        self._phase_of.clear()
        self._shared.clear()
        while self._remaining:
            self._play_phase(self._remaining[0], batch)
            del self._remaining[0]
        self._shared.clear()
        broadcast_buffers(self)
        self.batches_seen += 1
        self.examples_seen += self.examples_in_batch
        if self.is_over:
            self.trainer.should_stop = True  # before the callbacks, which act at the end of a run
        if self.batches_seen % self.log_every == 0:
            self.flush_log()

    def _play_phase(self, phase: Phase, batch: Batch) -> None:
        self._require_gradients_of(*phase.players)
        parameters = dict(self.named_parameters()) if phase.name in self._unfinished else {}
        for name, gradient in self._unfinished.pop(phase.name, {}).items():
            parameters[name].grad = scaled(self.trainer, gradient)
        window = self.players[phase.players[0]].accumulate
        losses = {
            player: self.add_terms(player, terms, phase.name)
            for player, terms in self._terms_of(phase, batch).items()
        }
        if window > 1:
            losses = {player: loss / window for player, loss in losses.items()}
        self._backward(losses)
        self.due_batches[phase.name] += 1
        if self.due_batches[phase.name] % window == 0:
            self._step_players(phase.players)
        else:  # set aside, so that another phase may move the same parameters meanwhile
            self._unfinished[phase.name] = {
                name: unscaled(self.trainer, parameter.grad)
                for name, parameter in self.named_parameters()
                if parameter.grad is not None
            }
            for parameter in self.parameters():
                parameter.grad = None
        for key in [
            k for k, (of, _) in self._shared.items() if not {*of}.isdisjoint(phase.players)
        ]:
            del self._shared[key]

    def _backward(self, losses: dict[str, Tensor]) -> None:
        for player, loss in losses.items():
            if not loss.requires_grad:
                raise ConfigError(
                    f"{type(self).__name__}: the loss of {player!r} does not depend on a parameter "
                    f"that it trains. Is it detached, or computed under torch.no_grad()?"
                )
        if len(losses) == 1:
            self.manual_backward(next(iter(losses.values())))
        else:
            add_gradients(self.trainer, losses, self.parameters_of)

    def _terms_of(self, phase: Phase, batch: Batch) -> dict[str, dict[str, Tensor]]:
        if loss := getattr(self, f"{phase.name}_loss", None):
            terms, player = loss(batch), phase.players[0]
            is_dict = isinstance(terms, dict)
            if len(phase.players) == 1 and not (is_dict and isinstance(terms.get(player), dict)):
                return {player: terms}
            if not is_dict or terms.keys() != {*phase.players}:
                received = f"losses of {', '.join(terms)}" if is_dict else type(terms).__name__
                raise ConfigError(
                    f"{type(self).__name__}.{phase.name}_loss: returned {received}; needs "
                    f"{{player: {{term: scalar}}}} for each of {', '.join(phase.players)}."
                )
            return terms
        return {player: getattr(self, f"{player}_loss")(batch) for player in phase.players}

    def _step_players(self, players: tuple[str, ...]) -> None:
        optimizers = dict(zip(self.roles, self.optimizers_in_order(), strict=True))
        with one_scaler_update(self.trainer):
            for player in players:
                optimizers[player].step()
                optimizers[player].zero_grad()
                self.steps[player] += 1
        torch.clear_autocast_cache()  # holds weights of before the step
        for player in players:
            self.after_step(player)

    def on_train_batch_end(self, *args: Any) -> None:
        """Log the losses at the end of a run of less than `log_every` batches, on all ranks."""
        if self.trainer.should_stop and self.batches_seen < self.log_every:
            self.flush_log()

    def begin_phase(self, name: str) -> None:
        """Do nothing; families override this, e.g. to copy weights when a phase begins.

        It is called once, before the first batch in which the phase is active. Random numbers in
        it are the same on all ranks.
        """

    def after_step(self, player: str) -> None:
        """Do nothing; families override this, e.g. for weight clipping after an optimizer step."""

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient of the optimizer's player; Lightning has already unscaled it."""
        for role, candidate in zip(self.roles, self.trainer.optimizers, strict=True):
            clip = self.players[role].gradient_clip
            if candidate is optimizer and clip is not None:
                clip_grad_norm_(self.parameters_of[role], clip)

    # --- what a checkpoint carries ---------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add config, counters, terms not yet logged, and unfinished gradient accumulation."""
        checkpoint["ganlab"] = {
            "config": self.config,
            "counters": {
                "batches_seen": self.batches_seen,
                "examples_seen": self.examples_seen,
                "steps": dict(self.steps),
            },
            "due_batches": dict(self.due_batches),
            "begun": sorted(self._begun),
            "logged_at": self.logged_at,
            "window": self._window.state_dict(),
            "pending_gradients": self._unfinished,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` added.

        Raises:
            CheckpointError: the file was not written by ganlab, or belongs to another model.
        """
        if "ganlab" not in checkpoint:
            raise CheckpointError(
                "checkpoint: this file was not written by ganlab (it has no counters or config). "
                "Choose a checkpoint of a run, below its folder's checkpoints/."
            )
        checkpoint |= {
            key: current(checkpoint[key]) for key in ("ganlab", "callbacks") if key in checkpoint
        }
        state = checkpoint["ganlab"]
        counters = state["counters"]
        self.batches_seen, self.examples_seen = counters["batches_seen"], counters["examples_seen"]
        self.steps = dict(counters["steps"])
        due = state.get("due_batches", {})  # older checkpoints lack it, and "begun"
        self.due_batches = {
            p.name: due.get(p.name, self.batches_seen // p.every) for p in self.phases
        }
        self.logged_at = state["logged_at"]
        self._window.load_state_dict(state["window"])
        self._begun = set(state.get("begun", self.due_batches))
        self._unfinished = unfinished_gradients(self, state)
        if any(name.startswith("averaged.") for name in checkpoint["state_dict"]):
            self.start_averaging()
        check_state_fits(self.state_dict(), checkpoint["state_dict"])

    def on_train_start(self) -> None:
        """Move what a checkpoint has restored to the device.

        Raises:
            CheckpointError: the state of a fused optimizer has other shapes than its parameters.
        """
        self._unfinished = {
            phase: {name: gradient.to(self.device) for name, gradient in gradients.items()}
            for phase, gradients in self._unfinished.items()
        }
        for optimizer in self.trainer.optimizers:
            lay_out_state(optimizer)
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

    def check_takes(
        self, name: str, network: Callable[..., Any], *inputs: Tensor
    ) -> tuple[int, ...]:
        """Return the shape of a network's output for inputs (N, …); () if it is not a Tensor.

        Raises:
            ConfigError: the network cannot take the inputs; the message calls it `name`.
        """
        try:
            with torch.no_grad():
                return tuple(getattr(network(*(x.to(self.device) for x in inputs)), "shape", ()))
        except (RuntimeError, ValueError, TypeError) as error:
            shapes = " and ".join(str(tuple(x.shape[1:])) for x in inputs)
            raise ConfigError(f"model.{name}: cannot take inputs of {shapes}: {error}") from error
