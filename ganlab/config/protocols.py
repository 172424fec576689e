"""Builds a protocol from arguments: `protocol=NAME`, `protocol.key=value`, `features=…`."""

from __future__ import annotations

from typing import Any

from hydra import compose
from omegaconf import OmegaConf

from ganlab.config.compose import check_key, merge, register_resolvers
from ganlab.config.groups import bare, check_choice
from ganlab.config.source import initialized
from ganlab.errors import ConfigError


def named_protocol(name: str) -> dict[str, Any]:
    """Return the plain configuration of the protocol with this name.

    Raises:
        ConfigError: there is no such protocol; the message suggests the nearest name.
    """
    check_choice("protocol", name)
    return _composed("protocol", bare("protocol", name))


def chosen(base: dict[str, Any] | None, arguments: list[str]) -> dict[str, Any]:
    """Return the plain configuration of the protocol that the arguments describe.

    Args:
        base: the protocol to change if no argument is `protocol=NAME`; None if there is none.
        arguments: texts `protocol=NAME`, `protocol.key=value`, `features=NAME`, and
            `features.key=value`.

    Raises:
        ConfigError: an unknown name or key (the message suggests the nearest), or no protocol.
    """
    pairs = [text.partition("=")[::2] for text in arguments]
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ConfigError(f"{' '.join(arguments)}: a setting is given twice; give it once.")
    if "protocol.features" in names and names["protocol.features"] != "null":
        raise ConfigError("protocol.features: choose them with features=NAME.")
    plain = named_protocol(names["protocol"]) if "protocol" in names else base
    if not plain:
        raise ConfigError("protocol: missing; choose one, see `ganlab list protocols`.")
    if "features" in names:
        check_choice("features", names["features"])
        plain = plain | {"features": _composed("features", names["features"])}
    tree = OmegaConf.create({"protocol": plain})
    values = []
    for key, value in pairs:
        if "." in key:
            path = f"protocol.{key}" if key.startswith("features.") else key
            if path.startswith("protocol.features.") and plain.get("features") is None:
                raise ConfigError(f"{key}: this protocol has no features; choose features=NAME.")
            # config files leave out arguments of a metric that have their default, so only the
            # metric's name is checked here; the constructor checks its arguments later
            is_setting = path.startswith("protocol.metrics.") and path.count(".") > 2
            check_key(tree, f"{key}={value}", path.rsplit(".", 1)[0] if is_setting else path)
            values.append(f"{path}={value}")
    plain = merge(tree, values)["protocol"]
    changed = set(names) - {"protocol", "features.weights"}
    return plain | {"name": f"{plain['name']} (changed)"} if changed and "name" in plain else plain


def _composed(group: str, choice: str) -> dict[str, Any]:
    register_resolvers()
    with initialized():
        return OmegaConf.to_container(compose(overrides=[f"+{group}={choice}"]))[group]
