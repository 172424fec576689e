"""The base class of all families: training step, counters, log and checkpoint contents."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import reduce
from typing import Any, TypeVar

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from ganlab.core.averaging import AveragedModule
from ganlab.core.checkpoint import check_state_fits, unfinished_gradients
from ganlab.core.gradients import add_gradients, one_scaler_update
from ganlab.core.phase import Phase, changed_phases, check_phases
from ganlab.core.player import Player, assign_parameters
from ganlab.core.processes import broadcast_buffers, first_not_none
from ganlab.core.randomness import mix, seed_device
from ganlab.core.schedule import ScheduledScalars
from ganlab.core.window import LogWindow
from ganlab.errors import CheckpointError, ConfigError, NonFiniteLossError, nearest
from ganlab.record.old_names import current

Batch = dict[str, Tensor]
T = TypeVar("T")
Game = TypeVar("Game", bound="AdversarialModule")


class AdversarialModule(AveragedModule):
    """A game between players, each minimising its own loss in turn.

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
        phases: the phases, in their order within a batch. If empty, each of `roles` has one.
        roles: names of the players, in the order of the phases.
        needs: keys that a batch must have.
        batches_seen, examples_seen: counters; examples are counted over all ranks.
        examples_in_batch: number of examples in the newest batch, over all ranks.
        scored_at: examples seen when the newest scores were taken; None before the first scores.
        logged_at: examples seen when values were last logged; 0 before the first log row.
        steps: number of optimizer steps of each player.
        due_batches: number of batches in which each phase was due.
        latest: the newest value of every logged quantity.
        watched: the newest tensors given to `watch`, by name.
    """

    phases: tuple[Phase, ...] = ()
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
        self.due_batches: dict[str, int] = {}
        self.latest: dict[str, float] = {}
        self.watched: dict[str, Tensor] = {}
        self.parameters_of: dict[str, list[nn.Parameter]] = {}
        self._window = LogWindow()
        self._begun: set[str] = set()  # phases for which begin_phase was called
        self._unfinished: dict[str, dict[str, Tensor]] = {}  # gradients, by phase and parameter
        self._shared: dict[str, tuple[tuple[str, ...], Any]] = {}
        self._phase_of: dict[str, str] = {}  # for each term of this batch
        self._remaining: tuple[Phase, ...] = ()  # due phases of this batch, the present one first
        self._training: tuple[str, ...] = ()  # players whose parameters require gradients

    # --- who plays -------------------------------------------------------------------------

    def schedule(self, **holders: Any) -> None:
        """Let the scalars of objects (losses, regularizers, …) follow their `Schedule`s."""
        for name, holder in holders.items():
            self.scheduled.bind(name, holder)

    def bind(
        self: Game,
        players: Mapping[str, Player],
        phases: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Game:
        """Give the game its players; call this once, before `fit`. Return the game.

        Args:
            players: a `Player` for each name in `roles`, in any order.
            phases: changed fields of phases by the phase's name, e.g. {"generator": {"every": 5}}.

        Raises:
            ConfigError: the game has players already; a player is missing or unknown; see also
                `assign_parameters`, `changed_phases` and `check_phases`.
        """
        title = type(self).__name__
        if self.players:
            raise ConfigError(
                f"players: this {title} has its players already. Build a new one to change them."
            )
        declared = self.phases or tuple(Phase(role) for role in self.roles)
        roles = tuple(dict.fromkeys(name for phase in declared for name in phase.players))
        known = f"the players of {title} are {', '.join(roles)}."
        unused = {*type(self).roles, *(n for p in type(self).phases for n in p.players)}
        for name in players:
            if name not in roles and name not in unused:
                hint = nearest(name, list(roles))
                raise ConfigError(f"model.players: received {name!r}; {known}{hint}")
        for role in roles:
            if role not in players:
                raise ConfigError(
                    f"model.players.{role}: missing; {known} Add a Player with an optimizer."
                )
        chosen = {role: players[role] for role in roles}
        bound = changed_phases(declared, phases or {}, chosen)
        parameters_of = assign_parameters(self, chosen)
        check_phases(self, bound, chosen, parameters_of)
        self.players, self.phases, self.roles = chosen, bound, roles
        self.parameters_of = parameters_of
        self.steps = dict.fromkeys(roles, 0)
        self.due_batches = {phase.name: 0 for phase in bound}
        return self

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Return one optimizer for each player, in the order of `roles`.

        Raises:
            ConfigError: the game has no players yet.
        """
        if not self.players:
            title = type(self).__name__
            raise ConfigError(
                f"players: this {title} has none. Call bind(players) once before fit; players: "
                f"{', '.join(self.roles)}."
            )
        return [
            player.build_optimizer(role, self.parameters_of[role], self.scheduled)
            for role, player in self.players.items()
        ]

    def steps_after(self, player: str, batches: int, examples: int | None = None) -> int:
        """Return how many optimizer steps a player takes in the first batches of a run.

        Args:
            player: the player's name.
            batches: number of batches.
            examples: number of examples in a batch, over all ranks; None for that of the newest.
        """
        examples = examples or self.examples_in_batch
        due = (p.due_batches(batches, examples) for p in self.phases if player in p.players)
        return sum(n // self.players[player].accumulate for n in due)

    def optimizers_in_order(self) -> list[LightningOptimizer]:
        """Return the trainer's optimizers, wrapped by Lightning, in the order of `roles`."""
        optimizers = self.optimizers()  # Lightning returns no list if there is only one
        return optimizers if isinstance(optimizers, list) else [optimizers]

    # --- one batch ---------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train the players of every due phase once, in the order of `phases`."""
        seed_device(self.device, mix(self.seed, self.global_rank, self.batches_seen))
        self.scheduled.update(self.examples_seen)
        seen = self.examples_seen, self.batches_seen
        for phase in self.phases:
            if phase.name not in self._begun and phase.is_active(*seen):
                self._begun.add(phase.name)
                self.begin_phase(phase.name)
        self._remaining = tuple(phase for phase in self.phases if phase.is_due(*seen))
        self.examples_in_batch = len(batch[self.needs[0]]) * self.trainer.world_size
        self._phase_of.clear()
        while self._remaining:
            self._play(self._remaining[0], batch)
            self._remaining = self._remaining[1:]
        self._shared.clear()
        broadcast_buffers(self)
        self.batches_seen += 1
        self.examples_seen += self.examples_in_batch
        if all(phase.is_over(self.examples_seen, self.batches_seen) for phase in self.phases):
            self.trainer.should_stop = True  # before the callbacks, which act at the end of a run
            rank_zero_info("All phases have ended, and with them the run.")
        if self.batches_seen % self.log_every == 0:
            self.flush_log()

    def _play(self, phase: Phase, batch: Batch) -> None:
        self._require_gradients_of(*phase.players)
        parameters = dict(self.named_parameters()) if phase.name in self._unfinished else {}
        for name, gradient in self._unfinished.pop(phase.name, {}).items():
            parameters[name].grad = gradient
        window = self.players[phase.players[0]].accumulate
        losses = {
            player: self._total(player, terms, phase.name)
            for player, terms in self._terms(phase, batch).items()
        }
        if window > 1:
            losses = {player: loss / window for player, loss in losses.items()}
        if len(losses) == 1:
            self.manual_backward(losses[phase.players[0]])
        else:
            add_gradients(self.trainer, losses, self.parameters_of)
        self.due_batches[phase.name] += 1
        if self.due_batches[phase.name] % window == 0:
            self._step(phase.players)
        else:  # set aside, so that another phase may move the same parameters meanwhile
            self._unfinished[phase.name] = {
                name: parameter.grad
                for name, parameter in self.named_parameters()
                if parameter.grad is not None
            }
            for parameter in self.parameters():
                parameter.grad = None
        moved = set(phase.players)
        self._shared = {key: (of, v) for key, (of, v) in self._shared.items() if not moved & {*of}}

    def _terms(self, phase: Phase, batch: Batch) -> dict[str, dict[str, Tensor]]:
        if loss := getattr(self, f"{phase.name}_loss", None):
            terms = loss(batch)
            if len(phase.players) == 1:
                return {phase.players[0]: terms}
            if set(terms) != set(phase.players):
                raise ConfigError(
                    f"{type(self).__name__}.{phase.name}_loss: returned losses of "
                    f"{', '.join(terms)}; needs {{player: {{term: scalar}}}} for each of "
                    f"{', '.join(phase.players)}."
                )
            return terms
        return {player: getattr(self, f"{player}_loss")(batch) for player in phase.players}

    def _step(self, players: tuple[str, ...]) -> None:
        optimizers = dict(zip(self.roles, self.optimizers_in_order(), strict=True))
        with one_scaler_update(self.trainer) if len(players) > 1 else nullcontext():
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

        It is called once, before the first batch in which the phase is active.
        """

    def after_step(self, player: str) -> None:
        """Do nothing; families override this, e.g. for weight clipping after an optimizer step."""

    def _total(self, player: str, terms: dict[str, Tensor], phase: str) -> Tensor:
        for term, value in terms.items():
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

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient of the optimizer's player; Lightning has already unscaled it."""
        for role, candidate in zip(self.roles, self.trainer.optimizers, strict=True):
            clip = self.players[role].gradient_clip
            if candidate is optimizer and clip is not None:
                clip_grad_norm_(self.parameters_of[role], clip)

    # --- gradients, and what phases share within a batch ----------------------------------------

    def _require_gradients_of(self, *players: str) -> None:
        self._training = players
        for parameters in self.parameters_of.values():
            for parameter in parameters:
                parameter.requires_grad_(False)
        for player in players:
            for parameter in self.parameters_of[player]:
                parameter.requires_grad_(True)

    @contextmanager
    def _gradients_of(self, *players: str) -> Iterator[None]:
        """In the block, let only these players' parameters require gradients."""
        before = self._training
        self._require_gradients_of(*players)
        try:
            with torch.set_grad_enabled(bool(players)):
                yield
        finally:
            self._require_gradients_of(*before)

    def shared(self, key: str, of: str | Sequence[str], make: Callable[[], T]) -> T:
        """Return the result of `make()`, computed once per batch and kept until `of` has moved.

        Args:
            key: a name for the result.
            of: the player, or players, whose networks `make` uses.
            make: makes the result. It carries gradients of those of the players that this phase or
                a later due phase of the batch moves; other phases must detach it.
        """
        if key not in self._shared:
            owners = (of,) if isinstance(of, str) else tuple(of)
            moving = {player for phase in self._remaining for player in phase.players}
            with self._gradients_of(*(owner for owner in owners if owner in moving)):
                self._shared[key] = (owners, make())
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
        checkpoint["ganlab"] = {
            "config": self.config,
            "counters": {
                "batches_seen": self.batches_seen,
                "examples_seen": self.examples_seen,
                "steps": dict(self.steps),
                "due_batches": dict(self.due_batches),
            },
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
                "checkpoint: this file was not written by ganlab (it has no counters or config)."
            )
        checkpoint |= {
            key: current(checkpoint[key]) for key in ("ganlab", "callbacks") if key in checkpoint
        }
        state = checkpoint["ganlab"]
        counters = state["counters"]
        self.batches_seen, self.examples_seen = counters["batches_seen"], counters["examples_seen"]
        self.steps = dict(counters["steps"])
        self.due_batches = {
            phase.name: counters.get("due_batches", {}).get(
                phase.name, self.batches_seen // phase.every
            )
            for phase in self.phases
        }
        self.logged_at = state["logged_at"]
        self._window.load_state_dict(state["window"])
        self._begun = set(state.get("begun", self.due_batches))
        self._unfinished = unfinished_gradients(self, state)
        if any(name.startswith("averaged.") for name in checkpoint["state_dict"]):
            self.start_averaging()
        check_state_fits(self.state_dict(), checkpoint["state_dict"])

    def on_train_start(self) -> None:
        """Move what a checkpoint has restored to the device."""
        self._unfinished = {
            phase: {name: gradient.to(self.device) for name, gradient in gradients.items()}
            for phase, gradients in self._unfinished.items()
        }
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
