"""Composes configurations with Hydra, and explains mistyped overrides in one sentence."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ganlab.config.groups import PROTOCOL, check_choice, groups
from ganlab.config.overrides import refuse_wrong, replacing, spelled_out
from ganlab.config.precision import check_precisions, set_precision
from ganlab.config.reads import check_is_read
from ganlab.config.sections import check_sections, limit_minutes
from ganlab.config.source import initialized
from ganlab.errors import ConfigError, nearest
from ganlab.files import check_name
from ganlab.record.old_names import current, refuse_old_names
from ganlab.record.stored import absolute


def register_resolvers() -> None:
    """Let configs contain `${sum:1,2}` and `${product:1,2}`; with a null they are null."""
    for name, operation in (("sum", operator.add), ("product", operator.mul)):
        OmegaConf.register_new_resolver(
            name,
            lambda *values, operation=operation: (
                None if None in values else reduce(operation, values)
            ),
            replace=True,
        )


def compose(overrides: list[str], name: str = "train") -> Any:
    """Return the configuration (a DictConfig) made from `conf/<name>.yaml` and the overrides.

    Raises:
        ConfigError: an unknown group, option or key (the message suggests the nearest), or an
            override that cannot be parsed.
    """
    register_resolvers()
    with initialized():
        refuse_wrong(overrides)
        overrides = [spelled_out(override) for override in overrides]
        try:
            config = hydra_compose(name, replacing(overrides), return_hydra_config=True)
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            _explain(overrides, name)
            texts = [str(e).partition("\n")[0].rstrip(".") for e in (error, error.__cause__) if e]
            text = ": ".join(filter(None, texts)).replace("is not in struct", "does not exist")
            raise ConfigError(f"{text}.") from None
        choices = OmegaConf.to_container(config.hydra.runtime.choices)
        with open_dict(config):
            del config["hydra"]
            check_sections(config)
            if name == "train" and not any(t.startswith("budget.minutes=") for t in overrides):
                limit_minutes(config)
            _check_resolves(config)
            name_and_choices(config, choices)
            mark_changed_protocol(config, overrides)
            check_precisions(overrides)
            check_is_read(config, overrides)
    return config


def _check_resolves(config: Any) -> None:
    """Raise if an interpolation at the top level, e.g. of the name, has no value."""
    for key in config:
        try:
            config.get(key)
        except OmegaConfBaseException as error:
            reason = str(error).partition("\n")[0]
            raise ConfigError(f"{key}: {reason}. Give a value, {key}=….") from None


def mark_changed_protocol(config: Any, overrides: list[str]) -> None:
    """Append " (changed)" to the protocol's name if an override changes the protocol.

    Args:
        config: a run's configuration, changed in place.
        overrides: the run's overrides, as `spelled_out` returns them.
    """
    keys = {override.partition("=")[0].lstrip("+~") for override in overrides}
    keys -= {f"{PROTOCOL}.features.weights"}  # the path of a file does not change the protocol
    name = OmegaConf.select(config, f"{PROTOCOL}.name")
    if name and any(key.startswith((f"{PROTOCOL}.", f"features@{PROTOCOL}")) for key in keys):
        OmegaConf.select(config, PROTOCOL).name = f"{name} (changed)"


def _without_unchosen(plain: dict[str, Any]) -> dict[str, Any]:
    """Return `plain` without settings for a protocol or regularizers that are not chosen."""
    evaluation = (plain.get("callbacks") or {}).get("evaluation")
    if evaluation and not evaluation.get("protocol"):
        plain["callbacks"]["evaluation"] = evaluation.get("protocol")  # None or {}
    loss = plain.get("loss") or {}
    if loss.get("regularizers"):
        chosen = {k: v for k, v in loss["regularizers"].items() if not v or "_target_" in v}
        plain["loss"] = loss | {"regularizers": chosen}
    return plain


def name_and_choices(config: Any, choices: dict[str, Any]) -> None:
    """Write the chosen files to `config.choices`; if the run has no name, make one from them.

    Raises:
        ConfigError: the name could lead out of the folder of all runs.
    """
    chosen = {k: v for k, v in choices.items() if not re.search("@|hydra|^base$", k)}
    config.choices = chosen
    if config.name is None:
        config.name = chosen.get("experiment") or "_".join(
            str(chosen.get(group)) for group in ("model", "data", "loss")
        )
    check_name("name", str(config.name))


def to_plain(config: Any, base: Path | None = None) -> dict[str, Any]:
    """Return plain containers with every interpolation resolved, and with absolute paths.

    Args:
        config: a composed configuration; its `run_dir` is made absolute in place.
        base: the folder that relative paths begin in; None for the working directory.

    Raises:
        ConfigError: an interpolation refers to a missing key, or a mandatory value is missing.
    """
    if isinstance(config.get("run_dir"), str):
        config.run_dir = os.path.abspath(config.run_dir)
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "config"
        reason = str(error).splitlines()[0]
        if reason.startswith("Interpolation key") and not re.search("'(data|model)\\.", reason):
            raise ConfigError(
                f"{key}: {reason}. Leave out the argument that removes the key."
            ) from None
        raise ConfigError(
            f"{key}: {reason}. The model asks for a value that the chosen data set or model does "
            "not have: images need an image model (dcgan, gan, …), points of the plane need "
            "model=mlp, a conditional model needs data with classes, and a translator needs pairs "
            "(data=paired, data=shapes) or two sets (data=unpaired, data=shapes_unpaired)."
        ) from None
    set_precision(plain)
    return absolute(_without_unchosen(current(plain)), base or Path.cwd())


def _explain(overrides: list[str], name: str) -> None:
    """Raise a ConfigError that explains the first wrong override; return if none is found."""
    parser = OverridesParser.create()
    choices, removed, values = [], [], []
    for text in overrides:
        try:
            override = parser.parse_override(text)
        except HydraException:
            raise ConfigError(
                f"{text}: cannot be read; write key=value, e.g. seed=1. Quote values with special "
                "characters twice: 'name=\"a, b\"'."
            ) from None
        key = override.key_or_group.split("@")[0]
        if key in groups() and (override.is_delete() or override.value() is None):
            removed.append(text)
        elif key in groups():
            check_choice(key, override.value())
            choices.append(text)
        elif not override.is_add() and not override.is_force_add():
            values.append((text, override.key_or_group, override.is_delete()))
    try:
        base = hydra_compose(name, choices)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(str(error).splitlines()[0]) from None
    for text, key, is_delete in values:
        check_key(base, text, key, "" if is_delete else f" (+{text} adds a new key.)")
        if is_delete and OmegaConf.select(base, key) is None:
            raise ConfigError(f"{text}: {key} is null already. Leave {text} out.")
    for text in removed:
        try:
            hydra_compose(name, [*choices, text])
        except (HydraException, OmegaConfBaseException, ValueError):
            raise ConfigError(
                f"{text}: the group needs a file. Choose one, see `ganlab list`, or leave it out."
            ) from None


def merge(base: Any, texts: Sequence[str], resolve: bool = False) -> dict[str, Any]:
    """Return a configuration, overridden by key=value texts, as plain containers.

    Args:
        base: the configuration.
        texts: key=value texts. Use `check_key` first, since unknown keys are added.
        resolve: whether to resolve interpolations.

    Raises:
        ConfigError: a text that cannot be parsed.
    """
    try:
        changed = OmegaConf.merge(base, OmegaConf.from_dotlist(list(texts)))
        return OmegaConf.to_container(changed, resolve=resolve, throw_on_missing=True)
    except (OmegaConfBaseException, YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{' '.join(texts)}: cannot be read: {reason}") from None


def check_key(base: Any, text: str, key: str, more: str = "") -> None:
    """Raise unless `base` has the dotted `key`.

    Args:
        base: the configuration.
        text: the user's argument, for the message.
        key: the dotted key of `text`.
        more: text that is appended to the message.

    Raises:
        ConfigError: `base` does not have the key, or the key is an old name. The message suggests
            the nearest key or the new name.
    """
    refuse_old_names([text])
    if key.startswith("model.phases."):
        return  # config files leave out phases that are not changed
    node, walked = base, []
    for part in key.split("."):
        if isinstance(node, DictConfig):
            if part not in node:
                allowed = [str(k) for k in node]
                candidates = allowed + (
                    [] if walked else [name for name in groups() if name != part]
                )
                where = ".".join(walked) or "the top level"
                raise ConfigError(
                    f"{text}: {where} has no key {part!r}; it has {', '.join(allowed)}."
                    f"{nearest(part, candidates)}{more}"
                )
            node = OmegaConf.select(node, part)
        walked.append(part)
