"""Builds a protocol from arguments: `protocol=NAME`, `protocol.key=value`, `features=…`."""

from __future__ import annotations

from typing import Any

from hydra import compose
from omegaconf import OmegaConf

from ganlab.config.compose import check_key, merge, register_resolvers
from ganlab.config.groups import bare_names, check_choice
from ganlab.config.source import initialized
from ganlab.errors import ConfigError


def named_protocol(name: str) -> dict[str, Any]:
    """Return the plain configuration of the protocol with this name.

    Raises:
        ConfigError: there is no such protocol; the message suggests the nearest name.
    """
    check_choice("protocol", name)
    return _composed("protocol", bare_names("protocol", name))


def chosen(base: dict[str, Any] | None, arguments: list[str]) -> dict[str, Any]:
    """Return the plain configuration of the protocol that the arguments describe.

    Args:
        base: the protocol to change if no argument is `protocol=NAME`; None for no such protocol.
        arguments: texts `protocol=NAME`, `protocol.key=value`, `features=NAME`, and
            `features.key=value`.

    Raises:
        ConfigError: an unknown name or key (the message suggests the nearest), or no protocol.
    """
    pairs = [text.partition("=")[::2] for text in arguments]
    settings = dict(pairs)
    if len(settings) < len(pairs):
        raise ConfigError(f"{' '.join(arguments)}: a setting is given twice; give it once.")
    if settings.get("protocol.features", "null") != "null":
        raise ConfigError("protocol.features: choose features with features=NAME.")
    plain = named_protocol(settings["protocol"]) if "protocol" in settings else base
    if not plain:
        raise ConfigError("protocol: missing; choose one, see `ganlab list protocols`.")
    if "features" in settings:
        check_choice("features", settings["features"])
        plain = plain | {"features": _composed("features", settings["features"])}
    tree = OmegaConf.create({"protocol": plain})
    overrides = []
    for key, value in pairs:
        if "." in key:
            path = f"protocol.{key}" if key.startswith("features.") else key
            if path.startswith("protocol.features.") and plain.get("features") is None:
                raise ConfigError(f"{key}: this protocol has no features; choose features=NAME.")
            # Config files omit arguments of a metric whose default is used. So only the metric's
            # name is checked here. The metric's constructor checks the argument later.
            is_argument = path.startswith("protocol.metrics.") and path.count(".") > 2
            check_key(tree, f"{key}={value}", path.rsplit(".", 1)[0] if is_argument else path)
            overrides.append(f"{path}={value}")
    plain = merge(tree, overrides)["protocol"]
    changed = set(settings) - {"protocol", "features.weights"}
    return plain | {"name": f"{plain['name']} (changed)"} if changed and "name" in plain else plain


def _composed(group: str, choice: str) -> dict[str, Any]:
    register_resolvers()
    with initialized():
        return OmegaConf.to_container(compose(overrides=[f"+{group}={choice}"]))[group]
