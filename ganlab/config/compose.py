"""Composes configurations with Hydra, and says in one sentence what a user mistyped."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from functools import reduce
from typing import Any

from hydra import compose as hydra_compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ganlab.config.groups import bare, check_choice, groups
from ganlab.config.source import initialized
from ganlab.errors import ConfigError, nearest
from ganlab.record.old_names import current, refuse_old_names

# where the configuration of a training has what `protocol=` and `features=` speak of
PROTOCOL = "callbacks.evaluation.protocol"


def register_resolvers() -> None:
    """Let configs say `${sum:1,2}` and `${product:1,2}`; of null, a product is null."""
    OmegaConf.register_new_resolver("sum", lambda *terms: sum(terms), replace=True)
    OmegaConf.register_new_resolver(
        "product",
        lambda *factors: None if None in factors else reduce(operator.mul, factors),
        replace=True,
    )


def compose(overrides: list[str], name: str = "train") -> Any:
    """The configuration (a DictConfig) that `conf/<name>.yaml` and the overrides make.

    Raises:
        ConfigError: an unknown group, option or key (with the nearest right one), or an override
            that cannot be parsed.
    """
    register_resolvers()
    refuse_old_names(overrides)
    with initialized():
        overrides = [spelled_out(override) for override in overrides]
        try:
            config = hydra_compose(name, overrides, return_hydra_config=True)
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            _explain(overrides, name)
            raise ConfigError(str(error).splitlines()[0]) from None
        choices = OmegaConf.to_container(config.hydra.runtime.choices)
        # it is the data's unless chosen, and not each data set has one: Hydra lets all pass
        chosen = choices.get(f"protocol@{PROTOCOL}")
        if chosen != choices.get("data"):
            check_choice("protocol", chosen)
        with open_dict(config):
            del config["hydra"]
            name_and_choices(config, choices)
            mark_changed_protocol(config, overrides)
            _check_is_read(config, overrides)
    return config


def spelled_out(override: str) -> str:
    """An override of `ganlab train` with bare names of choices, and with its whole path.

    `experiment=lecture/dirac` is experiment=dirac, `protocol=x` is
    protocol@callbacks.evaluation.protocol=x, and `features.weights=x` is
    callbacks.evaluation.protocol.features.weights=x; all others stay as they are.
    """
    name, equals, value = override.partition("=")
    key = name.lstrip("+~")
    prefix = name.removesuffix(key)
    if key in groups():
        value = bare(key, value)
    for group, path in (("protocol", PROTOCOL), ("features", f"{PROTOCOL}.features")):
        if key == group:
            return f"{prefix}{group}@{path}{equals}{value}"
        if not prefix and key.startswith("protocol.metrics.") and key.count(".") > 2:
            return f"++{path}{key.removeprefix(group)}{equals}{value}"  # files leave defaults out
        if key.startswith(f"{group}."):
            return f"{prefix}{path}{key.removeprefix(group)}{equals}{value}"
    return f"{name}{equals}{value}"


def mark_changed_protocol(config: Any, overrides: list[str]) -> None:
    """Say in a protocol's name that it is not the one of that name any more.

    Args:
        config: of a training, open for changes.
        overrides: spelled out, see `spelled_out`.
    """
    keys = {override.partition("=")[0].lstrip("+~") for override in overrides}
    keys -= {f"{PROTOCOL}.features.weights"}  # where they lie is not what they are
    name = OmegaConf.select(config, f"{PROTOCOL}.name")
    if name and any(key.startswith((f"{PROTOCOL}.", f"features@{PROTOCOL}")) for key in keys):
        OmegaConf.select(config, PROTOCOL).name = f"{name} (changed)"


def _check_is_read(config: Any, overrides: list[str]) -> None:
    """Refuse a setting that the chosen model or protocol does not read."""
    for text in overrides:
        key, _, value = text.lstrip("+~").partition("=")
        if key.startswith("callbacks.evaluation.") and not OmegaConf.select(config, PROTOCOL):
            raise ConfigError(
                f"{text}: this run has no protocol to score by. Choose protocol=NAME, see `ganlab "
                "list protocols`, or leave this out."
            )
        if key == "discriminator_norm" and f"${{{key}}}" not in OmegaConf.to_yaml(
            config.model or {}
        ):
            model = OmegaConf.to_container(config.get("model") or OmegaConf.create())
            own = [k for k, v in model.items() if isinstance(v, dict) and "norm" in v]
            there = [f"model.{k}.norm={value}" for k in own if k.startswith("discriminator")]
            raise ConfigError(
                f"{text}: model={config.choices.model} does not read it. "
                + (f"Give {' '.join(there)}" if there else "Leave it out, or choose model=dcgan.")
            )


def _without_unchosen(plain: dict[str, Any]) -> dict[str, Any]:
    """Drop settings that an experiment makes for what the user has taken away."""
    evaluation = (plain.get("callbacks") or {}).get("evaluation")
    if evaluation and not evaluation.get("protocol"):  # {} if none is chosen, None without any
        plain["callbacks"]["evaluation"] = evaluation.get("protocol")
    loss = plain.get("loss") or {}
    if loss.get("regularizers"):
        chosen = {k: v for k, v in loss["regularizers"].items() if not v or "_target_" in v}
        plain["loss"] = loss | {"regularizers": chosen}
    return plain


def name_and_choices(config: Any, choices: dict[str, Any]) -> None:
    """Record which files were chosen, and name a run that has no name after them."""
    own = {k: v for k, v in choices.items() if not re.search("@|hydra|^base$", k)}
    config.choices = own
    if config.name is None:
        config.name = own.get("experiment") or "_".join(
            str(own.get(group)) for group in ("model", "data", "loss")
        )


def to_plain(config: Any) -> dict[str, Any]:
    """Plain containers with every interpolation resolved.

    Raises:
        ConfigError: an interpolation that leads nowhere, or a value that must still be given.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "config"
        reason = str(error).splitlines()[0]
        if reason.startswith("Interpolation key") and not re.search("'(data|model)\\.", reason):
            raise ConfigError(f"{key}: {reason}. Leave out what takes it away.") from None
        raise ConfigError(
            f"{key}: {reason}. The model asks for a value that the chosen data set or model does "
            "not have: images need an image model (dcgan, gan, …), points of the plane need "
            "model=mlp, a conditional model needs data with classes, and a translator needs pairs "
            "(data=paired, data=shapes) or two sets (data=unpaired, data=shapes_unpaired)."
        ) from None
    return _without_unchosen(current(plain))


def _explain(overrides: list[str], name: str) -> None:
    """Raise a ConfigError for the first override that is wrong, if it can be found."""
    parser = OverridesParser.create()
    choices, emptied, values = [], [], []
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
            emptied.append(text)
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
    for text in emptied:
        try:
            hydra_compose(name, [*choices, text])
        except (HydraException, OmegaConfBaseException, ValueError):
            raise ConfigError(f"{text}: choose one, see `ganlab list`, or leave it out.") from None


def merge(base: Any, texts: Sequence[str], resolve: bool = False) -> dict[str, Any]:
    """Plain containers of a configuration with key=value texts, of keys that it has.

    Raises:
        ConfigError: a text that cannot be read.
    """
    try:
        changed = OmegaConf.merge(base, OmegaConf.from_dotlist(list(texts)))
        return OmegaConf.to_container(changed, resolve=resolve, throw_on_missing=True)
    except (OmegaConfBaseException, YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{' '.join(texts)}: cannot be read: {reason}") from None


def check_key(base: Any, text: str, key: str, more: str = "") -> None:
    """Refuse a dotted `key` that is not in `base`.

    Raises:
        ConfigError: the nearest right key, and what `more` says, or the new name of an old key.
    """
    refuse_old_names([text])
    node, walked = base, []
    for part in key.split("."):
        if isinstance(node, DictConfig):
            if part not in node:
                allowed = [str(k) for k in node]
                candidates = allowed + ([] if walked else list(groups()))
                where = ".".join(walked) or "the top level"
                raise ConfigError(
                    f"{text}: {where} has no key {part!r}; it has {', '.join(allowed)}."
                    f"{nearest(part, candidates)}{more}"
                )
            child = OmegaConf.select(node, part)
            node = child
        walked.append(part)
