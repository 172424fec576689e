"""A player of a game: what it trains, with which optimizer, and in which batches.

A player's role is its name: the name of its loss method, and its key in `model.players`.
"""

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
        every: a number n ≥ 1; the player is due in every nth batch only. With n = 5, a generator is
            trained once after every five critic steps.
        gradient_clip: largest norm of the gradient of all the player's parameters together; None
            for no clipping.
        accumulate: number of due batches whose gradients are averaged for one optimizer step.
        jointly: names of submodules that this player may share with another player.

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
        """Whether the player is trained in this batch (counted from 0)."""
        return (batch + 1) % self.every == 0

    def due_batches(self, batches: int) -> int:
        """Return how many of the first `batches` batches are due."""
        return batches // self.every

    def build_optimizer(
        self, name: str, parameters: list[nn.Parameter], scheduled: ScheduledScalars
    ) -> Optimizer:
        """Return an optimizer of `parameters` whose scheduled options follow their schedules.

        Options that are null in the config are not passed to the optimizer. A loss config may
        replace the model config's optimizer, but Hydra cannot remove a key. So the loss config sets
        the old optimizer's options to null.

        Args:
            name: the player's name, for messages and the log.
            parameters: the parameters to train.
            scheduled: the game's schedules, to which the optimizer's schedules are added.

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
            raise ConfigError(
                f"model.players.{name}.optimizer: {error}. Correct its options."
            ) from error
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
    """Return a function that sets an option of a parameter group.

    If the option is a list, the function sets the list's item at `position`. It looks the group up
    at each call, because loading a checkpoint replaces the groups.
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
    """Return a dict that maps each role to the parameters that its player trains.

    A player trains those parameters of its submodules that require gradients.

    Raises:
        ConfigError: a player is missing, is unknown, has no parameters, or names an unknown
            submodule. Or a trainable parameter has no player. Or two players train a parameter,
            and neither has its submodule in `jointly`.
    """
    known = f"the players of {type(module).__name__} are {', '.join(roles)}."
    for name in players:
        if name not in roles:
            hint = nearest(name, list(roles))
            raise ConfigError(f"model.players: received {name!r}; {known}{hint}")
    for role in roles:
        if role not in players:
            raise ConfigError(
                f"model.players.{role}: missing; {known} Add a Player with an optimizer."
            )
    parameters = {role: _parameters_of(module, role, players[role]) for role in roles}
    _check_no_overlap(module, players, parameters)
    _check_all_trained(module, roles, parameters)
    return parameters


def _parameters_of(module: nn.Module, role: str, player: Player) -> list[nn.Parameter]:
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


def _check_all_trained(
    module: nn.Module, roles: Sequence[str], parameters: dict[str, list[nn.Parameter]]
) -> None:
    trained = {parameter for of_role in parameters.values() for parameter in of_role}
    for name, child in module.named_children():
        if any(p.requires_grad and p not in trained for p in child.parameters()):
            raise ConfigError(
                f"model.players: no player trains {name}. Add {name} to the submodules of a player "
                f"({', '.join(roles)}): model.players.<player>.modules=[…,{name}]."
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
                    f"model.players: {name} is trained by both {first!r} and {role!r}. If both "
                    f"should train it, list its submodule in model.players.{role}.jointly."
                )
