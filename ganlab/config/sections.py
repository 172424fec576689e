"""Checks that sections of a configuration are mappings; limits the length of a run."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from ganlab.errors import ConfigError
from ganlab.record.sections import wrong_section


def check_sections(config: Any) -> None:
    """Raise if a section of a composed configuration is no mapping.

    Raises:
        ConfigError: a section is a value or a list; the message names it.
    """
    if wrong := wrong_section(OmegaConf.to_container(config, resolve=False)):
        path, value = wrong
        advice = f"Give {path}.KEY=… for a setting in it."
        if path == "lesson":
            advice = "Choose a lesson, e.g. experiment=lecture/dirac."
        raise ConfigError(
            f"{path}: received {value!r}; needs settings, not a single value. {advice}"
        )


def limit_minutes(config: Any) -> None:
    """Give a run that has no limit one of three minutes."""
    limits = OmegaConf.to_container(config.budget) if config.get("budget") else None
    if limits and all(value is None for key, value in limits.items() if key != "_target_"):
        config.budget.minutes = 3
