"""The settings of runs: config.yaml as dotted keys, and which keys differ between runs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import lru_cache
from typing import Any

import yaml

from ganlab.record.old_names import KEYS_OF, current
from ganlab.record.plain_yaml import parse
from ganlab.reports.comparison.facts import ComparedRun, value_of

# Keys that say where a run is written, and how it is shown or resumed, but do not change training.
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
# Keys of what is measured and saved during training. Runs that differ only in these keys count as
# equal, since each score is stored with its protocol.
WATCHING = (
    "evaluation",
    "log_every",
    "metrics_memory",
    "callbacks.evaluation",
    "callbacks.samples",
    "callbacks.doctor",
    "callbacks.checkpoints",
    "callbacks.export",
)
RUN_SEED = "the run's seed"  # shown in place of a seed that equals the run's seed
# The configuration groups that get a column whenever they differ, in the order of the columns.
MAIN_CHOICES = ("model", "loss", "regularizer", "data")

_SECTION = re.compile(r"^(?=\w)", re.MULTILINE)


def parse_sections(text: str) -> Any:
    """Parse a config.yaml section by section, with a cache: most runs have equal sections.

    Configurations with equal sections share them, so do not modify the result.
    """
    config: dict[str, Any] = {}
    try:
        for section in filter(None, _SECTION.split(text)):
            config |= _parsed_section(section)
    except (yaml.YAMLError, TypeError):  # not written by ganlab, e.g. with anchors
        return current(parse(text))
    return {KEYS_OF["run_dir"].get(key, key): value for key, value in config.items()}


@lru_cache(maxsize=8192)
def _parsed_section(text: str) -> Any:
    return current(parse(text))


def settings_of(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration as dotted keys, without `NOT_SETTINGS`, nulls and paths in `run_dir`.

    A list is one value.
    """
    run_dir = str(config.get("run_dir"))

    def is_kept(value: Any) -> bool:
        is_in_run_dir = isinstance(value, str) and f"{value}/".startswith(f"{run_dir}/")
        return value is not None and not is_in_run_dir

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
    """Return the choice of each configuration group as text, without empty choices and the logger.

    A list of choices is joined by commas. `MAIN_CHOICES` come first.
    """
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
    """Return the keys of overrides, e.g. "model.latents" for "+model.latents=uniform"."""
    given = overrides if isinstance(overrides, list) else []
    texts = [text for text in given if isinstance(text, str)]
    return {text.partition("=")[0].lstrip("+~") for text in texts if "=" in text}


def varying_keys(runs: Sequence[ComparedRun], given: Set[str] = frozenset()) -> tuple[str, ...]:
    """Return the keys in which runs differ, apart from the seed; see `Comparison.varying`.

    Of the differing keys, `MAIN_CHOICES` are always kept. Another key is left out if it follows
    from the choices, which means that runs of equal choices have equal values of the key. Even so
    it is kept if it was given as an override, unless it is "experiment", which stands for several
    choices and settings. Keys of `WATCHING` are left out.

    Args:
        runs: the runs; runs without settings are skipped.
        given: keys of overrides; the settings that they name come before other settings.
    """
    known = [run for run in runs if run.settings]
    groups = dict.fromkeys(key for run in known for key in run.choices)
    ordered = [key for key in MAIN_CHOICES if key in groups]
    ordered += sorted(key for key in groups if key not in (*MAIN_CHOICES, *WATCHING))
    kept: list[str] = []
    for key in ordered:
        is_always_kept = key in MAIN_CHOICES or (key in given and key != "experiment")
        if _differs(known, key) and (is_always_kept or not _implied(known, kept, key)):
            kept.append(key)
    overridden, others = [], []
    for key in dict.fromkeys(key for run in known for key in run.settings):
        is_watching = any(f"{key}.".startswith(f"{name}.") for name in WATCHING)
        if not is_watching and _differs(known, key):
            if any(_refers_to(name, key) for name in given if name not in groups):
                overridden.append(key)
            elif not _implied(known, ordered, key):
                others.append(key)
    return (*kept, *overridden, *others)


def _differs(runs: Sequence[ComparedRun], key: str) -> bool:
    """Whether the values of a key differ between runs, apart from seeds that are the run's seed."""
    plain = {hashable(value_of(run, key)) for run in runs}
    return len(plain) > 1 and len({compared_value(run, key) for run in runs}) > 1


def _implied(runs: Sequence[ComparedRun], by: Sequence[str], key: str) -> bool:
    """Whether in these runs the values of `key` are a function of the values of `by`."""
    values_by: dict[tuple, set] = defaultdict(set)
    for run in runs:
        values_by[tuple(value_of(run, k) for k in by)].add(compared_value(run, key))
    return all(len(values) == 1 for values in values_by.values())


def _refers_to(name: str, key: str) -> bool:
    """Whether an override of `name` sets `key`: `name` is `key`, its dotted end, or its parent."""
    is_end = "." in name and key.endswith(f".{name}")
    return is_end or f"{key}.".startswith(f"{name}.")


def shown_value(run: ComparedRun, key: str) -> Any:
    """Return a run's value of a key; `RUN_SEED` for another seed that equals the run's seed."""
    value = value_of(run, key)
    follows = key.endswith(".seed") and value is not None and value == run.seed
    return RUN_SEED if follows else value


def compared_value(run: ComparedRun, key: str) -> Any:
    """Return the value by which runs are compared, hashable.

    Other seeds, such as data.seed, give `RUN_SEED` if they equal the run's seed or are missing.
    """
    value = shown_value(run, key)
    return RUN_SEED if value is None and key.endswith(".seed") else hashable(value)


def hashable(value: Any) -> Any:
    """Return a hashable value; 1 and 1.0 give equal values, 1 and True do not."""
    if isinstance(value, dict):
        return ("dict", frozenset((key, hashable(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return ("list", *map(hashable, value))
    return ("bool", value) if isinstance(value, bool) else value


def short_names(keys: Sequence[str], others: Iterable[str] = ()) -> dict[str, str]:
    """Return for each key its shortest unique last part, such as "generator.lr".

    Args:
        keys: dotted keys.
        others: names that must not be used.
    """
    ends = {key: [key.split(".", n)[-1] for n in range(key.count("."), -1, -1)] for key in keys}
    uses = Counter(end for key in set(keys) for end in ends[key])
    taken, names = set(others), {}
    for key in keys:
        candidates = ends[key]
        if candidates[0] == "_target_":
            candidates = candidates[1:] or candidates
        names[key] = next((e for e in candidates if e not in taken and uses[e] == 1), key)
    return names


def _ends(key: str, end: str) -> bool:
    return key == end or key.endswith(f".{end}")


def matching(key: str, keys: Iterable[str]) -> list[str]:
    """Return [key] if `key` is one of the dotted keys, else all keys that end in `key`."""
    keys = list(keys)
    return [key] if key in keys else [k for k in keys if _ends(k, key)]
