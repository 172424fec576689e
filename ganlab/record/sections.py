"""The sections of a configuration, which are mappings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SECTIONS = (
    "budget",
    "callbacks",
    "callbacks.*",
    "callbacks.evaluation.protocol",
    "choices",
    "data",
    "logger",
    "logger.*",
    "loss",
    "loss.adversarial",
    "loss.regularizers",
    "loss.regularizers.*",
    "model",
    "model.phases",
    "model.phases.*",
    "model.players",
    "model.players.*",
    "model.players.*.optimizer",
    "trainer",
)


def wrong_section(config: dict[str, Any]) -> tuple[str, Any] | None:
    """Return path and value of the first section of a configuration that is no mapping.

    Args:
        config: the configuration as plain containers. Null and interpolations count as mappings.
    """
    for pattern in SECTIONS:
        for path, value in _matching(config, pattern.split(".")):
            is_reference = isinstance(value, str) and value.startswith("${")
            if value is not None and not is_reference and not isinstance(value, dict):
                return path, value
    return None


def _matching(node: Any, parts: list[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of each entry below `node` whose path has the form of `parts`."""
    if not parts:
        yield path, node
    elif isinstance(node, dict):
        for key in node if parts[0] == "*" else [parts[0]]:
            if key in node:
                yield from _matching(node[key], parts[1:], f"{path}.{key}" if path else str(key))
