"""Builds a game from a plain configuration."""

from __future__ import annotations

import re
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from ganlab.core.module import AdversarialModule
from ganlab.core.schedule import is_schedule
from ganlab.errors import ConfigError, GanlabError
from ganlab.networks import to_channels_last


def build_module(config: dict[str, Any]) -> AdversarialModule:
    """Build the game that a run's configuration describes, on the default device.

    `model` is instantiated without `players` and `phases`, and with the parts of `loss` as
    additional arguments; then the players and phases are bound. The module keeps the resolved
    configuration and adds it to every checkpoint.

    Args:
        config: plain containers, resolved; at least `model`, and the parts of `loss` that `model`
            needs.
    """
    parts = {k: v for k, v in (config.get("loss") or {}).items() if v is not None}
    model = {k: v for k, v in config["model"].items() if k not in ("players", "phases")}
    module: AdversarialModule = make(model, "model", **parts)
    if not hasattr(module, "due_batches"):
        title = type(module).__name__
        raise ConfigError(f"model: the constructor of {title} must call super().__init__() first.")
    players = {
        name: make(player, f"model.players.{name}")
        for name, player in config["model"].get("players", {}).items()
    }
    module.bind(players, config["model"].get("phases"))
    module.config = config
    module.seed = int(config.get("seed", 0))
    log_every = config.get("log_every")
    if not isinstance(log_every, (int, type(None))):
        raise ConfigError(f"log_every: received {log_every!r}; needs a whole number.")
    module.log_every = log_every or 50
    if config.get("memory_format") == "channels_last":
        to_channels_last(module)
    return module


def _with_path(
    error: GanlabError, config: dict[str, Any], further: dict[str, Any], path: str, key: str
) -> GanlabError:
    """Return an error whose message names an argument of a part by its key in the configuration.

    The messages "size: received …" and "DCGANGenerator.size: received …" of a constructor become
    "model.generator.size: received …". `further` are the parts of the loss if `path` is the
    model's.
    """
    where, part = _place(config, further, path, key)
    begin = re.match(r"(\w+)(\[\d+\])?: |(\w+)(?=[.:])", str(error))
    if not begin or not part or not where:
        return error
    if begin[1] in part:
        return type(error)(f"{where}.{error}")
    if begin[3] and begin[3] == str(part.get("_target_")).rpartition(".")[2]:
        return type(error)(where + str(error)[begin.end() :])
    return error


def _place(
    config: dict[str, Any], further: dict[str, Any], path: str, key: str
) -> tuple[str, dict[str, Any]]:
    """Return the place of a part in the configuration, and the part; {} if it is unknown."""
    if path == "model" and key.split(".")[0] in further:
        path = "loss"
    part: Any = config | further
    for name in key.split(".") if key else ():
        part = part.get(name) if isinstance(part, dict) else None
    return ".".join(filter(None, (path, key))), part if isinstance(part, dict) else {}


def make(config: dict[str, Any], path: str = "", /, **further: Any) -> Any:
    """Build the object that a plain configuration with a `_target_` describes.

    Args:
        config: the plain configuration.
        path: its key in the whole configuration, for messages.
        **further: arguments in addition to those of the configuration.

    Raises:
        GanlabError: a constructor raised it; Hydra's wrapping is removed.
        ConfigError: any other failure; the message names the target and the key.
    """
    if not isinstance(config, dict) or config.get("_target_") is None:
        where = ".".join(filter(None, (path, "_target_")))
        raise ConfigError(f"{where}: missing; it names the class that is built here.")
    try:
        return instantiate(config, **further, _convert_="all")
    except InstantiationException as error:
        cause: BaseException = error
        while not isinstance(cause, GanlabError) and cause.__cause__ is not None:
            cause = cause.__cause__
        key = re.search(r"full_key: (\S+)", str(error))
        if isinstance(cause, GanlabError):
            raise _with_path(cause, config, further, path, key[1] if key else "") from None
        if isinstance(cause, ImportError):
            name = ".".join(filter(None, (path, key[1] if key else "", "_target_")))
            raise ConfigError(
                f"{name}: {cause}. Install the package, or add its folder to PYTHONPATH."
            ) from error
        where, part = _place(config, further, path, key[1] if key else "")
        for name, value in part.items() if isinstance(cause, TypeError) else ():
            if is_schedule(value) and value["_target_"].rpartition(".")[2] in str(cause):
                key_of_schedule = ".".join(filter(None, (where, name)))
                raise ConfigError(
                    f"{key_of_schedule}: received a schedule; needs a number that stays the same."
                ) from error
        where = f" ({key[1]})" if key else ""
        reason = str(cause).partition("\n")[0] or type(cause).__name__
        raise ConfigError(f"{config.get('_target_')}{where}: {reason}") from error
