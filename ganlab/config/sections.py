"""Checks that sections of a configuration are mappings; limits the length of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf

from ganlab.errors import ConfigError


def check_sections(config: Any) -> None:
    """Raise if a section of a composed configuration is no mapping.

    Raises:
        ConfigError: a section is a value or a list; the message names it.
    """
    patterns = ("budget", "callbacks", "callbacks.*", "data", "loss", "loss.regularizers")
    patterns += ("loss.regularizers.*", "model", "model.players", "model.players.*", "trainer")
    patterns += ("model.phases", "model.phases.*")
    for pattern in (*patterns, "model.players.*.optimizer"):
        for path, value in _matching(config, pattern.split(".")):
            if value is not None and not OmegaConf.is_dict(value):
                raise ConfigError(
                    f"{path}: received {value!r}; needs settings, not a single value. Give "
                    f"{path}.KEY=… for a setting in it."
                )


def _matching(node: Any, parts: list[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of each entry below `node` whose path has the form of `parts`."""
    if not parts:
        yield path, node
    elif OmegaConf.is_dict(node):
        for key in node if parts[0] == "*" else [parts[0]]:
            if key in node and not OmegaConf.is_interpolation(node, key):
                yield from _matching(node[key], parts[1:], f"{path}.{key}" if path else str(key))


def limit_minutes(config: Any) -> None:
    """Give a run that has no limit one of three minutes."""
    limits = OmegaConf.to_container(config.budget) if config.get("budget") else None
    if limits and all(value is None for key, value in limits.items() if key != "_target_"):
        config.budget.minutes = 3
