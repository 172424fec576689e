"""From a plain configuration to a game."""

from __future__ import annotations

from typing import Any

from ganlab.core.module import AdversarialModule


def build_module(config: dict[str, Any]) -> AdversarialModule:
    """The game that a whole run's configuration describes, on the default device.

    `model` is instantiated with the parts of `loss` as further arguments; the resolved
    configuration travels with the module into every checkpoint.

    Args:
        config: plain containers, resolved; at least `model`, and what `model` needs of `loss`.
    """
    import torch
    from hydra.utils import instantiate

    parts = {k: v for k, v in (config.get("loss") or {}).items() if v is not None}
    module: AdversarialModule = instantiate(config["model"], **parts, _convert_="all")
    module.config = config
    module.seed = int(config.get("seed", 0))
    module.log_every = int(config.get("log_every", 50))
    if config.get("memory_format") == "channels_last":
        module.to(memory_format=torch.channels_last)
    return module
