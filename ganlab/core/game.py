"""Who plays a game: players, phases, and whose parameters require gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from ganlab.core.logged import LoggedModule
from ganlab.core.phase import Phase, changed_phases, check_phases
from ganlab.core.player import Player, assign_parameters
from ganlab.errors import ConfigError, nearest

T = TypeVar("T")
Bound = TypeVar("Bound", bound="Game")


class Game(LoggedModule):
    """Networks that players train in phases.

    Attributes:
        phases: the phases, in their order within a batch. If empty, each of `roles` has one.
        roles: names of the players, in the order of the phases.
        players: the players by name; empty until `bind` is called.
        parameters_of: the parameters that each player trains.
        due_batches: number of batches in which each phase was due.
    """

    phases: tuple[Phase, ...] = ()
    roles: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.players: dict[str, Player] = {}
        self.parameters_of: dict[str, list[nn.Parameter]] = {}
        self.due_batches: dict[str, int] = {}
        self._unfinished: dict[str, dict[str, Tensor]] = {}  # gradients, by phase and parameter
        self._shared: dict[str, tuple[tuple[str, ...], Any]] = {}
        self._trained: dict[str, set[str]] = {}  # names of the networks that a player trains
        self._remaining: list[Phase] = []  # due phases of this batch, the present one first
        self._moving: list[str] = []  # players whose parameters require gradients

    def schedule(self, **holders: Any) -> None:
        """Let the scalars of objects (losses, regularizers, …) follow their `Schedule`s."""
        for name, holder in holders.items():
            self.scheduled.bind(name, holder)

    def bind(
        self: Bound,
        players: Mapping[str, Player],
        phases: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Bound:
        """Give the game its players; call this once, before `fit`. Return the game.

        Players train the parameters that require gradients now; freeze a network before.

        Args:
            players: a `Player` for each player of the phases, in any order.
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
        declared_by_class = {*type(self).roles, *(n for p in type(self).phases for n in p.players)}
        for name in players:
            if name not in roles and name not in declared_by_class:
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
        self._moving = list(roles)
        self._trained = {
            name: {module.partition(".")[0] for module in player.modules or (name,)}
            for name, player in chosen.items()
        }
        return self

    def setup(self, stage: str) -> None:
        """Let all players' parameters require gradients, because DDP must see them.

        In training, only those of the present phase's players do.
        """
        self._require_gradients_of(*self.players)

    def trains(self, player: str, name: str) -> bool:
        """Whether a player trains the network `name`, or a part of it."""
        return name in self._trained[player]

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Return one optimizer for each player, in the order of `roles`.

        Raises:
            ConfigError: the game has no players yet.
        """
        if not self.players:
            title = type(self).__name__
            names = dict.fromkeys(n for p in self.phases for n in p.players) or self.roles
            raise ConfigError(
                f"players: this {title} has none. Call bind(players) once before fit; players: "
                f"{', '.join(names)}."
            )
        return [
            player.build_optimizer(role, self.parameters_of[role], self.scheduled)
            for role, player in self.players.items()
        ]

    @property
    def is_over(self) -> bool:
        """Whether no phase can be due any more."""
        return all(phase.is_over(self.examples_seen, self.batches_seen) for phase in self.phases)

    @property
    def phase_steps(self) -> int:
        """Number of optimizer steps that the present phase has made before; 0 outside a batch."""
        if not self._remaining:
            return 0
        phase = self._remaining[0]
        return self.due_batches[phase.name] // self.players[phase.players[0]].accumulate

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

    # --- gradients, and what phases share within a batch ----------------------------------------

    def _require_gradients_of(self, *players: str) -> None:
        for player in self._moving:
            for parameter in self.parameters_of[player]:
                parameter.requires_grad_(False)
        for player in players:
            for parameter in self.parameters_of[player]:
                parameter.requires_grad_(True)
        self._moving[:] = players  # in place, since modules are slow to set attributes

    @contextmanager
    def _gradients_of(self, *players: str) -> Iterator[None]:
        """In the block, let only these players' parameters require gradients."""
        before = tuple(self._moving)
        self._require_gradients_of(*players)
        try:
            with torch.set_grad_enabled(bool(players)):
                yield
        finally:
            self._require_gradients_of(*before)

    def shared(self, key: str, of: str | Sequence[str], make: Callable[[], T]) -> T:
        """Return the result of `make()`, kept within the batch until a player in `of` trains.

        Outside a training step, nothing is kept.

        Args:
            key: a name for the result.
            of: the player, or players, whose networks `make` uses.
            make: makes the result. Gradients flow through it to those players in `of` that train
                in this or a later phase of the batch; other phases must detach it.
        """
        if not self._remaining:
            return make()
        if key not in self._shared:
            owners = (of,) if isinstance(of, str) else tuple(of)
            moving = {player for phase in self._remaining for player in phase.players}
            with self._gradients_of(*(owner for owner in owners if owner in moving)):
                self._shared[key] = (owners, make())
        return self._shared[key][1]
