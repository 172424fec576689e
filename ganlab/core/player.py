"""A player of the game: what it trains, with which optimizer, and how often it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ganlab.core.schedule import Schedule, ScheduledScalars
from ganlab.errors import ConfigError, nearest


@dataclass
class Player:
    """One player of an adversarial game.

    Args:
        optimizer: makes an optimizer from parameters, e.g. a Hydra `_partial_` of
            torch.optim.Adam. Any of its scalars may be a `Schedule`.
        modules: names of the submodules that this player trains. If empty, the player trains the
            submodule that has the player's name.
        every: the player moves in one of this many batches; with `every: 5` a generator moves
            after each fifth critic step.
        gradient_clip: largest norm of the player's gradient, over all its parameters; None for no
            clipping.
        accumulate: number of moves whose gradients are averaged for one optimizer step.
        jointly: names of submodules that another player may train as well.

    Raises:
        ConfigError: `every` or `accumulate` below 1, or a clip that is not positive.
    """

    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    modules: Sequence[str] = field(default_factory=tuple)
    every: int = 1
    gradient_clip: float | None = None
    accumulate: int = 1
    jointly: Sequence[str] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        for name in ("every", "accumulate"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"player.{name}: received {getattr(self, name)}; needs 1 or more."
                )
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            raise ConfigError(
                f"player.gradient_clip: received {self.gradient_clip}; needs a norm above 0, "
                "or null for no clipping."
            )

    def is_due(self, batch: int) -> bool:
        """Whether the player moves in this batch (counted from 0)."""
        return (batch + 1) % self.every == 0

    def moves(self, batches: int) -> int:
        """Return the number of moves in the first `batches` batches."""
        return batches // self.every

    def build_optimizer(
        self, name: str, parameters: list[nn.Parameter], scheduled: ScheduledScalars
    ) -> Optimizer:
        """Return the optimizer of `parameters`, and bind its schedules to its parameter groups.

        Options that are null in the config are left out. A loss config can so remove options of
        the model config's optimizer when it replaces that optimizer: Hydra cannot remove a key.

        Args:
            name: the player's name, for messages and the log.
            parameters: the parameters to train.
            scheduled: receives the optimizer's schedules.

        Raises:
            ConfigError: the optimizer does not accept its options.
        """
        options = {
            key: value
            for key, value in getattr(self.optimizer, "keywords", {}).items()
            if value is not None
        }
        make = getattr(self.optimizer, "func", self.optimizer)
        start = {key: _at_start(value) for key, value in options.items()}
        try:
            optimizer = make(parameters, **start)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"model.players.{name}.optimizer: {error}. Change it.") from error
        for index, group in enumerate(optimizer.param_groups):
            for key, value in options.items():
                if isinstance(value, Schedule):
                    scheduled.drive(f"{name}.{key}", value, _setter(optimizer, index, key))
                elif isinstance(value, (list, tuple)):
                    group[key] = [_at_start(v) for v in value]
                    for position, item in enumerate(value):
                        if isinstance(item, Schedule):
                            assign = _setter(optimizer, index, key, position)
                            scheduled.drive(f"{name}.{key}.{position}", item, assign)
        return optimizer


def _setter(
    optimizer: Optimizer, group: int, key: str, position: int | None = None
) -> Callable[[float], None]:
    """Return a function that sets an option of a parameter group, or the option's list item.

    The function looks the group up at each call, because loading a checkpoint replaces the groups.
    """

    def assign(value: float) -> None:
        options = optimizer.param_groups[group]
        if position is None:
            options[key] = value
        else:
            options[key][position] = value

    return assign


def _at_start(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value(0)
    if isinstance(value, (list, tuple)):
        return [_at_start(v) for v in value]
    return value


def assign_parameters(
    module: nn.Module, roles: Sequence[str], players: Mapping[str, Player]
) -> dict[str, list[nn.Parameter]]:
    """Return the parameters that each role trains: those of its submodules that require gradients.

    Raises:
        ConfigError: a role without a player, an unknown player, a player without parameters, an
            unknown submodule, a trainable parameter that no player trains, or one that two players
            train though neither declares it in `jointly`.
    """
    played_by = f"{type(module).__name__} is played by {', '.join(roles)}."
    for name in players:
        if name not in roles:
            hint = nearest(name, list(roles))
            raise ConfigError(f"model.players: received {name!r}; {played_by}{hint}")
    for role in roles:
        if role not in players:
            raise ConfigError(f"model.players.{role}: missing; {played_by} Give it an optimizer.")
    parameters = {role: _trained_by(module, role, players[role]) for role in roles}
    _check_no_overlap(module, players, parameters)
    _check_none_left(module, roles, parameters)
    return parameters


def _trained_by(module: nn.Module, role: str, player: Player) -> list[nn.Parameter]:
    children = dict(module.named_children())
    parameters: dict[nn.Parameter, None] = {}
    for name in player.modules or (role,):
        if name not in children:
            raise ConfigError(
                f"model.players.{role}.modules: {type(module).__name__} has no submodule "
                f"{name!r}; it has {', '.join(children)}.{nearest(name, list(children))}"
            )
        parameters.update(dict.fromkeys(p for p in children[name].parameters() if p.requires_grad))
    if not parameters:
        raise ConfigError(
            f"model.players.{role}: has no parameters to train. A player needs at least one "
            "submodule with parameters that require gradients."
        )
    return list(parameters)


def _check_none_left(
    module: nn.Module, roles: Sequence[str], parameters: dict[str, list[nn.Parameter]]
) -> None:
    trained = {parameter for of_role in parameters.values() for parameter in of_role}
    for name, child in module.named_children():
        if any(p.requires_grad and p not in trained for p in child.parameters()):
            raise ConfigError(
                f"model.players: no player trains {name}. Name it in the `modules` of one of "
                f"{', '.join(roles)}: model.players.<player>.modules."
            )


def _check_no_overlap(
    module: nn.Module, players: Mapping[str, Player], parameters: dict[str, list[nn.Parameter]]
) -> None:
    children = dict(module.named_children())
    declared: set[nn.Parameter] = set()
    for role, player in players.items():
        for name in player.jointly:
            if name not in children:
                raise ConfigError(
                    f"model.players.{role}.jointly: {type(module).__name__} has no submodule "
                    f"{name!r}; it has {', '.join(children)}.{nearest(name, list(children))}"
                )
            declared.update(children[name].parameters())
    owner: dict[nn.Parameter, str] = {}
    for role, trained in parameters.items():
        for parameter in trained:
            first = owner.setdefault(parameter, role)
            if first != role and parameter not in declared:
                name = next(n for n, p in module.named_parameters() if p is parameter)
                raise ConfigError(
                    f"model.players: {name} is trained by both {first!r} and {role!r}. If that is "
                    f"meant, name its submodule in model.players.{role}.jointly."
                )
