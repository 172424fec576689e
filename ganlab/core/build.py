"""From a plain configuration to a game."""

from __future__ import annotations

import re
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from ganlab.core.module import AdversarialModule
from ganlab.errors import ConfigError, GanlabError


def build_module(config: dict[str, Any]) -> AdversarialModule:
    """The game that a whole run's configuration describes, on the default device.

    `model` is instantiated with the parts of `loss` as further arguments; the resolved
    configuration travels with the module into every checkpoint.

    Args:
        config: plain containers, resolved; at least `model`, and what `model` needs of `loss`.
    """
    parts = {k: v for k, v in (config.get("loss") or {}).items() if v is not None}
    module: AdversarialModule = make(config["model"], **parts)
    module.config = config
    module.seed = int(config.get("seed", 0))
    module.log_every = int(config.get("log_every", 50))
    if config.get("memory_format") == "channels_last":
        module.to(memory_format=torch.channels_last)
    return module


def make(config: dict[str, Any], **further: Any) -> Any:
    """The object that a plain configuration with a `_target_` describes.

    Raises:
        GanlabError: what a constructor raised, without Hydra's wrapping; a ConfigError that names
            the place for any other failure.
    """
    try:
        return instantiate(config, **further, _convert_="all")
    except InstantiationException as error:
        cause: BaseException = error
        while not isinstance(cause, GanlabError) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, GanlabError):
            raise cause from None
        place = re.search(r"full_key: (\S+)", str(error))
        where = f" ({place[1]})" if place else ""
        raise ConfigError(f"{config.get('_target_')}{where}: {cause}") from error
