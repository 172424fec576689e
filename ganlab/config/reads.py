"""Refuses overrides that nothing reads, and warns of those that are given twice."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from ganlab.config.groups import CONF, PROTOCOL, groups
from ganlab.errors import ConfigError, nearest
from ganlab.ranks import is_main
from ganlab.record.plain_yaml import parse

# keys of a configuration that a lesson uses
OF_LESSONS = (
    "debug",
    "dry_run",
    "experiment",
    "lesson",
    "name",
    "resume",
    "run_dir",
    "seed",
    "threads",
)


def warn_of_repeated(overrides: Sequence[str]) -> None:
    """Say on stderr which keys a command line gives twice; the last value counts."""
    given: dict[str, str] = {}
    for text in overrides:
        key = text.partition("=")[0].lstrip("+~")
        if key in given and is_main():
            print(f"ganlab: {key} is given twice; {text} counts.", file=sys.stderr, flush=True)
        given[key] = text


def check_is_read(config: Any, overrides: Sequence[str]) -> None:
    """Raise for an override that nothing in a composed configuration reads.

    Raises:
        ConfigError: the message says what to give instead.
    """

    def model_reads(reference: str) -> bool:
        return reference in OmegaConf.to_yaml(config.get("model") or {})

    known = [*_known_keys(), *groups()]
    for text in overrides:
        key, _, value = text.lstrip("+~").partition("=")
        root = re.split("[.@]", key)[0]
        if config.get("lesson") and root not in OF_LESSONS:
            raise ConfigError(f"{text}: a lesson does not use it; leave it out.")
        is_unknown = text.startswith("+") and root not in known
        reference = rf"\$\{{{re.escape(root)}[.[}}]"
        if is_unknown and not re.search(reference, OmegaConf.to_yaml(config)):
            raise ConfigError(
                f"{text}: nothing reads {root}.{nearest(root, known)} Leave it out, or "
                f"refer to it by ${{{root}}}."
            )
        if key == "schedule" and value != "null" and not model_reads("${schedule."):
            raise ConfigError(
                f"{text}: experiment={config.choices.get('experiment')} sets learning rates of its "
                "own. Leave this out, or give model.players.<name>.optimizer.lr=…."
            )
        if key.startswith("callbacks.evaluation.") and not OmegaConf.select(config, PROTOCOL):
            raise ConfigError(
                f"{text}: this run has no protocol. Choose protocol=NAME, see `ganlab list "
                "protocols`, or leave this argument out."
            )
        if key == "discriminator_norm" and not model_reads("${discriminator_norm}"):
            parts = OmegaConf.to_container(config.get("model") or OmegaConf.create())
            normed = [k for k, v in parts.items() if isinstance(v, dict) and "norm" in v]
            instead = [f"model.{k}.norm={value}" for k in normed if k.startswith("discriminator")]
            raise ConfigError(
                f"{text}: model={config.choices.get('model')} does not read it. "
                + (f"Give {' '.join(instead)}" if instead else "Leave this out.")
            )


@cache
def _known_keys() -> list[str]:
    """Return the keys of a configuration that are no groups."""
    content = parse((CONF / "train.yaml").read_text(encoding="utf-8"))
    return [*(key for key in content if key != "defaults"), "baseline"]
