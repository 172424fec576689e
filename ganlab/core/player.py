"""Players of a game: what each trains, and with which optimizer."""

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
        every: `every` of the phase that has the player's name, see `Phase`.
        gradient_clip: largest norm of the gradient of all the player's parameters together; None
            for no clipping.
        accumulate: number of due batches whose gradients are averaged for one optimizer step.

    Raises:
        ConfigError: `every` or `accumulate` below 1, or a clip that is not positive.
    """

    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    modules: Sequence[str] = field(default_factory=tuple)
    every: int = 1
    gradient_clip: float | None = None
    accumulate: int = 1

    def __post_init__(self) -> None:
        for name in ("every", "accumulate"):
            if getattr(self, name) < 1 or getattr(self, name) != int(getattr(self, name)):
                raise ConfigError(
                    f"player.{name}: received {getattr(self, name)}; needs a whole number, 1 or "
                    "more."
                )
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            raise ConfigError(
                f"player.gradient_clip: received {self.gradient_clip}; needs a norm above 0, "
                "or null for no clipping."
            )

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
    module: nn.Module, players: Mapping[str, Player]
) -> dict[str, list[nn.Parameter]]:
    """Return a dict that maps each player's name to the parameters that it trains.

    A player trains those parameters of its submodules that require gradients.

    Raises:
        ConfigError: a player has no parameters, or names an unknown submodule; or a trainable
            parameter has no player.
    """
    parameters = {name: _parameters_of(module, name, player) for name, player in players.items()}
    trained = {parameter for of_player in parameters.values() for parameter in of_player}
    for parameter_name, parameter in module.named_parameters():
        if parameter.requires_grad and parameter not in trained:
            name = parameter_name.partition(".")[0]
            raise ConfigError(
                f"model.players: no player trains {name}. Add {name} to the submodules of a player "
                f"({', '.join(players)}): model.players.<player>.modules=[…,{name}]. For a network "
                "that is to stay fixed, call requires_grad_(False)."
            )
    return parameters


def _parameters_of(module: nn.Module, role: str, player: Player) -> list[nn.Parameter]:
    submodules = dict(module.named_modules())
    parameters: dict[nn.Parameter, None] = {}
    for name in player.modules or (role,):
        if name not in submodules:
            networks = [
                n
                for n, child in module.named_children()
                if next(child.parameters(), None) is not None
            ]
            raise ConfigError(
                f"model.players.{role}.modules: {type(module).__name__} has no submodule "
                f"{name!r}; it has {', '.join(networks)}.{nearest(name, networks)}"
            )
        trained = (p for p in submodules[name].parameters() if p.requires_grad)
        parameters.update(dict.fromkeys(trained))
    if not parameters:
        raise ConfigError(
            f"model.players.{role}: has no parameters to train. A player needs at least one "
            "submodule with parameters that require gradients."
        )
    return list(parameters)
