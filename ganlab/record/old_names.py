"""The one table of old names and new ones, for what earlier versions of ganlab have written.

Configurations of runs, checkpoints and reproductions are read through `current`, and so is what the
overrides of a sweep compose. Hashes of recipes and protocols are taken of `original` names, so that
a move of what ganlab's own configs name makes no kept hash outdated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

TARGETS = {  # new name by old; of several old names of one the first is the original
    "ganlab.reports.loggers.CSVLogger": "ganlab.record.loggers.CSVLogger",
    "ganlab.reports.loggers.TensorBoard": "ganlab.record.loggers.TensorBoard",
    "ganlab.reports.loggers.WandB": "ganlab.record.wandb_logger.WandB",
    "ganlab.reports.wandb_logger.WandB": "ganlab.record.wandb_logger.WandB",
    "ganlab.networks.segmenter.Segmenter": "ganlab.networks.Segmenter",
}
_ORIGINALS = {new: old for old, new in reversed(TARGETS.items())}
# these packages have sub-folders by now; what they export stands in the package itself
_FLAT = r"ganlab\.(data|metrics|networks)\.([a-z_0-9]+)\.([A-Z]\w*)"
_PACKAGE = Path(__file__).parents[1]


def current(config: Any) -> Any:
    """Plain containers with every `_target_` by the name that it has now."""
    return _renamed(config, _current)


def original(config: Any) -> Any:
    """Plain containers with every `_target_` by the name that it had first."""
    return _renamed(config, lambda name: _ORIGINALS.get(name, name))


def _current(name: str) -> str:
    flat = re.fullmatch(_FLAT, name)
    if flat and not (_PACKAGE / flat[1] / f"{flat[2]}.py").exists():
        return TARGETS.get(name, f"ganlab.{flat[1]}.{flat[3]}")
    return TARGETS.get(name, name)


def _renamed(config: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(config, dict):
        return {
            key: rename(value)
            if key == "_target_" and isinstance(value, str)
            else _renamed(value, rename)
            for key, value in config.items()
        }
    if isinstance(config, list):
        return [_renamed(value, rename) for value in config]
    return config
