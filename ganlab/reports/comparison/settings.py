"""The settings of runs: config.yaml as dotted keys, and which of them differ."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ganlab.errors import RunError
from ganlab.reports.comparison.facts import ComparedRun, value_of

# What says where a run was written and how it was shown or continued, not what it is.
NOT_SETTINGS = (
    "name",
    "seed",
    "run_dir",
    "run",
    "resume",
    "dry_run",
    "choices",
    "baseline",
    "logger",
    "callbacks.progress",
)
# What says how a run is watched: its scores carry their protocols, and the rest changes nothing.
WATCHING = (
    "evaluation",
    "log_every",
    "callbacks.evaluation",
    "callbacks.samples",
    "callbacks.doctor",
    "callbacks.checkpoints",
    "callbacks.export",
)
RUN_SEED = "the run's seed"  # in place of a seed that equals it
# Groups of the configuration that make a run what it is, in the order of columns.
MAIN_CHOICES = ("model", "loss", "regularizer", "data")

# As OmegaConf reads and writes: 1e-5 is a number, and a date is a text.
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\d[\d_]*)\.[\d_]*(?:[eE][-+]?\d+)?|[-+]?(?:\d[\d_]*)(?:[eE][-+]?\d+)"
    r"|[-+]?\.\d[\d_]*(?:[eE][-+]?\d+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


_SECTION = re.compile(r"^(?=\w)", re.MULTILINE)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Plain values alone, by libyaml where it is there."""

    yaml_implicit_resolvers = {
        first: [
            (tag, regexp) for tag, regexp in resolvers if not tag.endswith(("float", "timestamp"))
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def read_yaml(path: Path) -> dict[str, Any]:
    """A run's config.yaml, to be read and not changed: runs of a sweep share what is equal.

    Raises:
        RunError: it is not there, cannot be read, or holds something else.
    """
    try:
        content = _parsed(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise RunError(f"{path} is damaged: {' '.join(str(error).split())[:200]}.") from error
    if not isinstance(content, dict) or not content:
        raise RunError(f"{path} is damaged: it holds no settings.")
    return content


def _parsed(text: str) -> Any:
    """The contents, each top-level section by itself, since most are those of another run too."""
    config: dict[str, Any] = {}
    try:
        for section in filter(None, _SECTION.split(text)):
            config |= _parsed_section(section)
    except (yaml.YAMLError, TypeError):  # not as ganlab writes it, e.g. with anchors
        return yaml.load(text, _Loader)
    return config


@lru_cache(maxsize=8192)
def _parsed_section(text: str) -> Any:
    return yaml.load(text, _Loader)


def settings_of(config: dict[str, Any]) -> dict[str, Any]:
    """Dotted keys of what a run is; lists stay whole, and what is null is left out."""
    place = str(config.get("run_dir"))

    def is_kept(value: Any) -> bool:
        is_place = isinstance(value, str) and f"{value}/".startswith(f"{place}/")
        return value is not None and not is_place

    return {key: value for key, value in _flat(config) if is_kept(value)}


def _flat(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if (full := f"{prefix}{key}") in NOT_SETTINGS:
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{full}.")
        else:
            yield full, value


def choices_of(choices: Any) -> dict[str, str]:
    """Those groups that chose something, but for the logger; a list becomes one text."""
    if not isinstance(choices, dict):
        return {}
    named = {
        key: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in choices.items()
        if value not in (None, [], "") and key != "logger"
    }
    first = {key: named[key] for key in MAIN_CHOICES if key in named}
    return first | named


def given_keys(overrides: Any) -> set[str]:
    """The keys of overrides on a command line, e.g. "model.latents" of "+model.latents=uniform"."""
    texts = [text for text in overrides if isinstance(text, str)] if overrides else []
    return {text.partition("=")[0].lstrip("+~") for text in texts if "=" in text}


def varying_keys(runs: Sequence[ComparedRun], given: Set[str] = frozenset()) -> tuple[str, ...]:
    """Keys of what differs between runs, seed apart; see `Comparison.varying`.

    A choice that is no main one, and a setting, is left out where the choices imply it: runs of
    equal choices have equal values of it. What somebody gave on a command line is kept all the
    same, but for an experiment, which is a name for other choices and settings. How a run is
    watched (`WATCHING`) makes it no other one.

    Args:
        runs: those whose settings are unknown do not count.
        given: keys of overrides, whose settings come before others.
    """
    known = [run for run in runs if run.settings]
    groups = dict.fromkeys(key for run in known for key in run.choices)
    ordered = [key for key in MAIN_CHOICES if key in groups]
    ordered += sorted(key for key in groups if key not in (*MAIN_CHOICES, *WATCHING))
    kept: list[str] = []
    for key in ordered:
        is_asked = key in MAIN_CHOICES or (key in given and key != "experiment")
        if _differs(known, key) and (is_asked or not _implied(known, kept, key)):
            kept.append(key)
    by_hand, others = [], []
    for key in dict.fromkeys(key for run in known for key in run.settings):
        is_watching = any(f"{key}.".startswith(f"{name}.") for name in WATCHING)
        if not is_watching and _differs(known, key):
            if any(_speaks_of(name, key) for name in given if name not in groups):
                by_hand.append(key)
            elif not _implied(known, ordered, key):
                others.append(key)
    return (*kept, *by_hand, *others)


def _differs(runs: Sequence[ComparedRun], key: str) -> bool:
    """Whether values differ, both as they are and as what follows the run's seed."""
    plain = {comparable(value_of(run, key)) for run in runs}
    return len(plain) > 1 and len({compared_value(run, key) for run in runs}) > 1


def _implied(runs: Sequence[ComparedRun], by: Sequence[str], key: str) -> bool:
    """Whether the values of `key` are a function of those of `by`, as far as these runs tell."""
    found: dict[tuple, set] = defaultdict(set)
    for run in runs:
        found[tuple(value_of(run, k) for k in by)].add(compared_value(run, key))
    return all(len(values) == 1 for values in found.values())


def _speaks_of(name: str, key: str) -> bool:
    """Whether an override's key is a setting's, its end (protocol.samples), or above it."""
    is_end = "." in name and key.endswith(f".{name}")
    return is_end or f"{key}.".startswith(f"{name}.")


def shown_value(run: ComparedRun, key: str) -> Any:
    """A run's value for a table; `RUN_SEED` for a setting such as data.seed that follows it."""
    value = value_of(run, key)
    follows = key.endswith(".seed") and value is not None and value == run.seed
    return RUN_SEED if follows else value


def compared_value(run: ComparedRun, key: str) -> Any:
    """What two runs are compared by: `comparable`, and seeds that follow the run's are alike.

    A run without such a setting is as one that follows its seed.
    """
    value = shown_value(run, key)
    return RUN_SEED if value is None and key.endswith(".seed") else comparable(value)


def comparable(value: Any) -> Any:
    """A value that can be put into a set; 1 and 1.0 are the same, 1 and True are not."""
    if isinstance(value, dict):
        return ("dict", frozenset((key, comparable(one)) for key, one in value.items()))
    if isinstance(value, (list, tuple)):
        return ("list", *map(comparable, value))
    return ("bool", value) if isinstance(value, bool) else value


def short_names(keys: Sequence[str], others: Iterable[str] = ()) -> dict[str, str]:
    """Keys shortened to the last parts that tell them from each other, e.g. "generator.lr".

    Args:
        keys: dotted.
        others: names that are taken.
    """
    taken, names = set(others), {}
    for key in keys:
        parts = key.split(".")
        ends = [".".join(parts[-n:]) for n in range(1, len(parts) + 1)]
        if parts[-1] == "_target_":
            ends = ends[1:] or ends
        rivals = [other for other in keys if other != key]
        names[key] = next(
            (e for e in ends if e not in taken and not any(_ends(r, e) for r in rivals)), key
        )
    return names


def _ends(key: str, end: str) -> bool:
    return key == end or key.endswith(f".{end}")


def matching(key: str, keys: Iterable[str]) -> list[str]:
    """The dotted keys that a user may mean by `key`: itself, or those that end so."""
    keys = list(keys)
    return [key] if key in keys else [k for k in keys if _ends(k, key)]
