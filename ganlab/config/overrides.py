"""Overrides of `ganlab train`: checks before they are composed, and full paths of keys."""

from __future__ import annotations

import re
from contextlib import suppress

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ganlab.config.checks import CALLBACKS
from ganlab.config.groups import PROTOCOL, bare_names, check_choice, groups, protocol_of
from ganlab.errors import ConfigError
from ganlab.record.old_names import refuse_old_names


def refuse_wrong(overrides: list[str]) -> None:
    """Raise for old names, a base, a wrong protocol, and settings of `protocol=none`.

    Raises:
        ConfigError: the message says what to give instead.
    """
    refuse_old_names(overrides)
    given = dict(text.partition("=")[::2] for text in overrides)
    for key, value in given.items():
        if key in groups() and key != "regularizer" and re.fullmatch(r"\[.*\]", value):
            raise ConfigError(
                f"{key}={value}: takes one choice. For one run with each of them use ganlab train "
                f"-m {key}={value.strip('[]')}."
            )
        if key.lstrip("+~") == "base":
            raise ConfigError(f"{key}={value}: only experiment files have a base; leave this out.")
        if key == PROTOCOL or (key == "protocol" and value == "null"):
            name = "none" if value == "null" else value
            raise ConfigError(f"{key}={value}: choose a protocol by its name: protocol={name}")
        if key == "protocol" and protocol_of(value) is None and "," not in value:
            check_choice(key, value)
        if given.get("protocol") == "none" and is_about_protocol(key) and key != "protocol":
            raise ConfigError(f"{key}={value}: protocol=none has no settings; leave this out.")


def is_about_protocol(text: str) -> bool:
    """Whether an argument is `protocol=…`, `protocol.key=…`, `features=…` or `features.key=…`."""
    return text.partition("=")[0].lstrip("+~").split(".")[0] in ("protocol", "features")


def spelled_out(override: str) -> str:
    """Return an override of `ganlab train` with bare names of choices and the full path of its key.

    `experiment=lecture/dirac` becomes experiment=dirac, `protocol=x` becomes
    protocol@callbacks.evaluation.protocol=x, and `features.weights=x` becomes
    callbacks.evaluation.protocol.features.weights=x. `model.phases.x.every=2` gets a ++, and
    `progress.pictures=false` becomes callbacks.progress.pictures=false. Other overrides are
    returned unchanged.
    """
    name, equals, value = in_section(override).partition("=")
    key = name.lstrip("+~")
    prefix = name.removesuffix(key)
    if key in groups():
        value = bare_names(key, value)
    if not prefix and key.split(".")[:2] == ["model", "phases"]:
        return f"++{key}{equals}{value}"  # config files leave out phases that are not changed
    for group, path in (("protocol", PROTOCOL), ("features", f"{PROTOCOL}.features")):
        if key == group:
            return f"{prefix}{group}@{path}{equals}{value}"
        if not prefix and key.startswith("protocol.metrics.") and key.count(".") > 2:
            # ++ may add a key: config files omit a metric's arguments that keep their default
            return f"++{path}{key.removeprefix(group)}{equals}{value}"
        if key.startswith(f"{group}."):
            return f"{prefix}{path}{key.removeprefix(group)}{equals}{value}"
    return f"{name}{equals}{value}"


def in_section(override: str) -> str:
    """Return an override of a callback with `callbacks.` before its key, and others unchanged."""
    name, equals, value = override.partition("=")
    key = name.lstrip("+~")
    callback, dot, _ = key.partition(".")
    if not dot or callback not in CALLBACKS:
        return override
    return f"{name.removesuffix(key)}callbacks.{key}{equals}{value}"


def replacing(overrides: list[str]) -> list[str]:
    """Return overrides with which a list, or a mapping with a `_target_`, replaces the old value.

    Hydra merges mappings: of a replaced schedule, the arguments that the new one does not have
    would remain; and no list can replace a mapping. So such an override follows one that sets its
    key to null.
    """
    parser, found = OverridesParser.create(), []
    for text in overrides:
        name, _, value = text.partition("=")
        is_setting = "." in name and re.match(r"(\+\+)?(?!hydra\.)\w", name)
        if is_setting and re.match(r"\s*[\[{]", value):
            with suppress(HydraException):  # which is explained later
                new = parser.parse_override(text).value()
                if isinstance(new, list) or (isinstance(new, dict) and "_target_" in new):
                    found.append(f"{name}=null")
        found.append(text)
    return found
