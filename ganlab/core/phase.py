"""Phases of a game: when each is due, and which players step in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import nn

from ganlab.core.player import Player
from ganlab.errors import ConfigError, nearest


@dataclass(frozen=True)
class Phase:
    """One optimizer step of one or several players; its loss is the method `<name>_loss`.

    A phase is active while start ≤ (what was seen before this batch) < until. It is due in those
    active batches whose number, counted from 1 in the run, is a multiple of `every`.

    Args:
        name: the name of the phase.
        players: names of the players that step together; empty for the player of the phase's name.
        every: a number n ≥ 1; the phase is due in every nth batch only. With n = 5, a generator is
            trained once after every five critic steps.
        start, until: examples seen at which the phase begins and ends; until None for no end.
        start_batches, until_batches: the same in batches, instead of `start` and `until`.

    Raises:
        ConfigError: `every` below 1, a number below 0, a start that is not before the end, or the
            same limit in examples and in batches.
    """

    name: str
    players: tuple[str, ...] = ()
    every: int = 1
    start: float = 0
    until: float | None = None
    start_batches: int = 0
    until_batches: int | None = None

    def __post_init__(self) -> None:
        players = (self.players,) if isinstance(self.players, str) else tuple(self.players)
        object.__setattr__(self, "players", players or (self.name,))
        for key in ("every", "start_batches", "until_batches"):
            value, least = getattr(self, key), int(key == "every")
            if value is None and key == "until_batches":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise self._error(key, f"a whole number of batches, {least} or more")
        for start, until in (("start", "until"), ("start_batches", "until_batches")):
            begin, end = getattr(self, start), getattr(self, until)
            if not isinstance(begin, (int, float)) or not begin >= 0:
                raise self._error(start, "a number, 0 or more")
            if end is not None and not (isinstance(end, (int, float)) and end > begin):
                raise self._error(until, f"more than {start} ({begin}), or null")
        for limit in ("start", "until"):
            if getattr(self, limit) and getattr(self, f"{limit}_batches"):
                raise self._error(limit, f"no value, or no {limit}_batches: give only one of both")

    def _error(self, key: str, needed: str) -> ConfigError:
        value = getattr(self, key)
        return ConfigError(f"model.phases.{self.name}.{key}: received {value!r}; needs {needed}.")

    def is_active(self, examples: int, batches: int) -> bool:
        """Whether the phase is active in the next batch after these examples and batches."""
        has_begun = self.start <= examples and self.start_batches <= batches
        return has_begun and not self.is_over(examples, batches)

    def is_over(self, examples: int, batches: int) -> bool:
        """Whether the phase has ended after `examples` examples and `batches` batches."""
        return (self.until is not None and examples >= self.until) or (
            self.until_batches is not None and batches >= self.until_batches
        )

    def is_due(self, examples: int, batches: int) -> bool:
        """Whether the phase is due in the batch after `examples` examples and `batches` batches."""
        return (batches + 1) % self.every == 0 and self.is_active(examples, batches)

    def due_batches(self, batches: int, examples: int) -> int:
        """Return how many of the first `batches` batches, each of `examples` examples, are due."""
        examples = max(examples, 1)  # 0 before the first batch
        first = max(self.start_batches, -(-self.start // examples))
        last = min(batches, self.last_batch(examples))
        return max(int(last // self.every - first // self.every), 0)

    def last_batch(self, examples: int) -> float:
        """Return after how many batches, each of `examples` examples, it ends; inf for never."""
        ends = self.until_batches, self.until and -(-self.until // examples)
        return min((end for end in ends if end is not None), default=math.inf)


def changed_phases(
    phases: Sequence[Phase],
    changes: Mapping[str, Mapping[str, Any]],
    players: Mapping[str, Player],
) -> tuple[Phase, ...]:
    """Return phases with the changes of `model.phases` and of `model.players.<name>.every`.

    Args:
        phases: the phases that a game declares.
        changes: fields of `Phase` to change, by the phase's name.
        players: the game's players; `every` of a player belongs to the phase of its name.

    Raises:
        ConfigError: a change of an unknown phase, field or player; or a phase's `every` is given
            twice.
    """
    names = [phase.name for phase in phases]
    known = f"the phases are {', '.join(names)}."
    for name, change in changes.items():
        if change is not None and not isinstance(change, Mapping):
            raise ConfigError(
                f"model.phases.{name}: received {change!r}; needs settings, e.g. "
                f"model.phases.{name}.every=2."
            )
    given = {name: dict(change or {}) for name, change in changes.items()}
    allowed = [field.name for field in fields(Phase) if field.name not in ("name", "players")]
    for name, change in given.items():
        if name not in names:
            raise ConfigError(f"model.phases: received {name!r}; {known}{nearest(name, names)}")
        for key in change:
            if key not in allowed:
                raise ConfigError(
                    f"model.phases.{name}.{key}: there is no such key; allowed "
                    f"{', '.join(allowed)}.{nearest(key, allowed)}"
                )
    for name, player in players.items():
        if player.every == 1:
            continue
        if name not in names:
            raise ConfigError(
                f"model.players.{name}.every: no phase has this name; {known} Give "
                "model.phases.<name>.every instead."
            )
        if "every" in given.setdefault(name, {}):
            raise ConfigError(
                f"model.phases.{name}.every: model.players.{name}.every is {player.every} and "
                f"means the same. Change only model.players.{name}.every."
            )
        given[name]["every"] = player.every
    return tuple(replace(phase, **given.get(phase.name, {})) for phase in phases)


def check_phases(
    module: nn.Module,
    phases: Sequence[Phase],
    players: Mapping[str, Player],
    parameters_of: Mapping[str, list[nn.Parameter]],
) -> None:
    """Raise unless a game can train in these phases.

    Raises:
        ConfigError: two phases have one name; a phase has no loss; two players of a phase train a
            parameter or accumulate differently; or a game of one phase skips batches.
    """
    title = type(module).__name__
    names = [phase.name for phase in phases]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"{title}: two phases are called {repeated!r}; give each its own name.")
    for phase in phases:
        losses = [f"{name}_loss" for name in phase.players]
        if not (hasattr(module, f"{phase.name}_loss") or all(hasattr(module, n) for n in losses)):
            raise ConfigError(
                f"{title}: the phase {phase.name!r} has no loss; define the method "
                f"{phase.name}_loss(batch)."
            )
        windows = {name: players[name].accumulate for name in phase.players}
        if len(set(windows.values())) > 1:
            raise ConfigError(
                f"model.players: the players of phase {phase.name!r} accumulate differently "
                f"({windows}); give all the same `accumulate`."
            )
        owner: dict[nn.Parameter, str] = {}
        for player in phase.players:
            for parameter in parameters_of[player]:
                if owner.setdefault(parameter, player) != player:
                    name = next(n for n, p in module.named_parameters() if p is parameter)
                    raise ConfigError(
                        f"model.players: {name} is trained by both {owner[parameter]!r} and "
                        f"{player!r} in phase {phase.name!r}. Take it out of the modules of one."
                    )
    if len(phases) == 1 and phases[0].every > 1:
        raise ConfigError(
            f"model.phases.{phases[0].name}.every: received {phases[0].every}; {title} has no "
            "other phase here, so the skipped batches would train nothing. Set it to 1."
        )
