"""A run's configuration as a tree, beside the values that it would have by default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ganlab.config.compose import compose, to_plain
from ganlab.config.groups import file_of, groups
from ganlab.errors import GanlabError
from ganlab.record.stored import SOURCES
from ganlab.reports.page.groups import text_of

# keys at the top level that say which run it is, or how it was started: they are not compared
OWN = ("name", "seed", "run_dir", "run", "resume", "dry_run")
MAIN = ("model", "data", "loss", "schedule")  # groups that define a run without an experiment
ENTRIES = 2000  # maximum number of entries in a tree
TEXT = 300  # maximum number of characters in a value
MISSING = object()


@dataclass(frozen=True)
class Defaults:
    """What a run's configuration is compared with.

    Attributes:
        overrides: the choices of groups that are common to both, as for `ganlab train`.
        config: the configuration with nothing but these choices; None if there is none.
        why: the reason, as a sentence, if there is none.
    """

    overrides: list[str]
    config: dict[str, Any] | None
    why: str = ""


def defaults_of(config: dict[str, Any], folder: Path) -> Defaults:
    """Return what `ganlab train` would do with the run's experiment and no other override.

    A run without an experiment is compared with its choices of `MAIN`.

    Args:
        config: the run's configuration, plain and with paths of its present place.
        folder: the run's folder.
    """
    choices = config.get("choices")
    if config.get("lesson") and not isinstance(choices, dict):
        choices = {}
    if not isinstance(choices, dict):
        return Defaults([], None, "It was written by an older version, without the choices made.")
    keys = ("experiment",) if choices.get("experiment") else MAIN
    overrides = []
    for key in keys:
        if (choice := choices.get(key)) is None:
            continue
        if not isinstance(choice, str) or file_of(key, choice) is None:
            return Defaults([], None, f"This version of ganlab has no {key}={choice}.")
        overrides.append(f"{key}={choice}")
    try:
        return Defaults(overrides, composed(overrides, config, folder))
    except Exception as error:  # GanlabError, or whatever Hydra raises for a choice's own file
        reason = str(error) if isinstance(error, GanlabError) else type(error).__name__
        return Defaults(overrides, None, f"Its defaults cannot be composed: {reason}")


def composed(overrides: list[str], config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the plain configuration of overrides, in a run's folder and with its seed.

    Raises:
        GanlabError: the overrides do not fit this version of ganlab.
    """
    tree = compose(overrides)
    tree.run_dir = str(folder)
    if isinstance(config.get("seed"), int):
        tree.seed = config["seed"]
    return to_plain(tree)


def derived_keys(overrides: list[str]) -> set[str]:
    """Return the dotted keys of a configuration whose values are made from other settings."""

    def walk(node: Any, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                yield from walk(value, f"{path}.{key}" if path else str(key))
        elif "${" in str(node):
            yield path

    return set(walk(OmegaConf.to_container(compose(overrides)), ""))


def tree_of(
    config: dict[str, Any], base: dict[str, Any] | None
) -> tuple[list[dict[str, Any]], bool]:
    """Return a configuration as the page's scripts read it, and whether it is complete.

    Each entry is a dict with a `key`, and with a `text` or its own entries, `inner`. An entry that
    differs from its default is `changed`; `default` is the default's text, if it has one.

    Args:
        config: the configuration, plain.
        base: the defaults; None to mark no entry.
    """
    left = [ENTRIES]
    tree = list(_entries(config, MISSING if base is None else base, left, OWN))
    return tree, left[0] > 0


def differing(
    config: dict[str, Any], base: dict[str, Any], own: tuple[str, ...] = OWN, path: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted key, the value and the default of all values that differ; else `MISSING`."""
    for key in [*config, *(key for key in base if key not in config)]:
        value, default = config.get(key, MISSING), base.get(key, MISSING)
        if str(key) in (*own, *SOURCES) or (not path and key == "choices") or value == default:
            continue
        if isinstance(value, dict) and isinstance(default, dict):
            yield from differing(value, default, (), f"{path}{key}.")
        else:
            yield f"{path}{key}", value, default


def is_group(key: Any) -> bool:
    """Whether a key of `choices` is one of the config groups of this version."""
    return isinstance(key, str) and key in groups()


def _entries(
    config: dict[Any, Any], base: Any, left: list[int], own: tuple[str, ...] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the entries of a mapping; `left` holds how many more may be made.

    `base` is the default mapping, None if the default has no such mapping, or `MISSING` if nothing
    is compared.
    """
    defaults = base if isinstance(base, dict) else {}
    for key in [*config, *(key for key in defaults if key not in config)]:
        if left[0] <= 0:
            return
        left[0] -= 1
        value, default = config.get(key, MISSING), defaults.get(key, MISSING)
        is_compared = base is not MISSING and str(key) not in (*own, *SOURCES)
        entry: dict[str, Any] = {"key": _short(str(key))}
        if isinstance(value, dict) and value:
            inner = default if isinstance(default, dict) else None
            entry["inner"] = list(_entries(value, inner if is_compared else MISSING, left))
        else:
            entry["text"] = "not set" if value is MISSING else _short(text_of(value))
            if is_compared and value != default:
                entry["changed"] = True
                if default is not MISSING:
                    entry["default"] = _short(text_of(default))
        yield entry


def _short(text: str) -> str:
    return text if len(text) <= TEXT else f"{text[:TEXT]}…"
