"""Adapts a run's configuration after its folder was moved."""

from __future__ import annotations

from typing import Any


def relocated(config: Any, old: str, new: str) -> Any:
    """Return a plain configuration with folder `old` replaced by `new` in all paths."""
    if isinstance(config, dict):
        return {key: relocated(value, old, new) for key, value in config.items()}
    if isinstance(config, list):
        return [relocated(value, old, new) for value in config]
    if isinstance(config, str) and (config == old or config.startswith(f"{old}/")):
        return new + config[len(old) :]
    return config
