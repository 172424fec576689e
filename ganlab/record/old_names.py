"""All renamed classes and keys, so that files of earlier versions of ganlab can be read.

Files of runs, checkpoints, sweeps, searches and reproductions are read through `current`. Hashes
of recipes and protocols are computed with `original` names, so that a renaming does not change
stored hashes. On a command line, old names are refused, see `refuse_old_names`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from ganlab.errors import ConfigError

T = TypeVar("T")

# old name to new name; if several old names have the same new name, the first one is the original
TARGETS = {
    "ganlab.reports.loggers.CSVLogger": "ganlab.record.loggers.CSVLogger",
    "ganlab.reports.loggers.TensorBoard": "ganlab.record.loggers.TensorBoard",
    "ganlab.reports.loggers.WandB": "ganlab.record.wandb_logger.WandB",
    "ganlab.reports.wandb_logger.WandB": "ganlab.record.wandb_logger.WandB",
    "ganlab.networks.segmenter.Segmenter": "ganlab.networks.Segmenter",
    "ganlab.regularizers.InstanceNoise": "ganlab.augment.InstanceNoise",
}
KEYS = {  # old name to new name, for keys of all mappings and for columns of metrics.csv
    "images_seen": "examples_seen",
    "every_images": "every_examples",
    "images_per_second": "examples_per_second",
    "best_images": "best_examples",
    "last_images": "last_examples",
    "doctor/training_images": "doctor/training_examples",
    "doctor/compared_images": "doctor/compared_examples",
}
# Keys with a new name in certain mappings only. Such a mapping is identified by the key under which
# it stands, by its `_target_`, or by another key in it.
KEYS_OF = {
    "budget": {"images": "examples"},
    "ganlab.core.Ramp": {"images": "examples"},
    "ganlab.core.schedule.Ramp": {"images": "examples"},
    "ganlab.core.Player": {"shared": None, "jointly": None},  # has no effect any more
    "ganlab.metrics.DensityCoverage": {"memory_mib": None},
    "ganlab.metrics.MemorizationInformedFrechetDistance": {"memory_mib": None},
    "ganlab.metrics.NearestNeighbours": {"memory_mib": None},
    "ganlab.metrics.PrecisionRecall": {"memory_mib": None},
    "run_dir": {"study": "lesson"},
}
# pattern to replacement, for key=value texts: OVERRIDES for keys, VALUES and LENGTHS for values
OVERRIDES = {
    r"(?<=\.)every_images$": "every_examples",
    r"^budget\.images$": "budget.examples",
    r"^((?:model|loss|callbacks)\.(?!.*\bprotocol\.).+)\.images$": r"\1.examples",
    r"^study\.": "lesson.",
}
VALUES = {
    r"\$\{budget\.images\}": "${budget.examples}",
    r"([{,]\s*)every_images(\s*:)": r"\1every_examples\2",
}
LENGTHS = r"([{,]\s*)images(\s*:)", r"\1examples\2"  # only if the value is a budget or has a Ramp
BATCH_KEYS = {"image": "example"}
SEEN = "images_seen"  # entries of scores.json keep this old key, which users' programs read

REMOVED = {  # pattern of key=value texts without effect, to what holds instead
    r"[+~]*model\.players\.\w+\.(shared|jointly)=": (
        "any players may train the same submodule, in different phases."
    ),
    r"[+~]*(\w+\.)*metrics\.\w+\.memory_mib=": "metrics_memory bounds the memory of all metrics.",
}

_TEXTS = ("overrides", "fixed")  # keys of lists of key=value texts
_TO_STUDY = r"^(ganlab\.lectures\.\w+\.)lesson$", r"\1study"
_ORIGINAL_TARGETS = {new: old for old, new in reversed(TARGETS.items())}
_ORIGINAL_KEYS = {new: old for old, new in KEYS.items()}
_ORIGINAL_KEYS_OF = {
    parent: {new: old for old, new in names.items() if new} for parent, names in KEYS_OF.items()
}
# modules of these packages have moved to sub-folders; the packages themselves export the classes
_FLAT = r"ganlab\.(data|metrics|networks)\.([a-z_0-9]+)\.([A-Z]\w*)"
_PACKAGE = Path(__file__).parents[1]


def current(content: Any) -> Any:
    """Return plain containers in which keys, `_target_`s and overrides have their current names."""
    return _renamed(content, _current_target, KEYS, KEYS_OF, current_override)


def original(content: Any) -> Any:
    """Return plain containers in which keys and `_target_`s have their original names."""
    return _renamed(
        content,
        lambda name: _ORIGINAL_TARGETS.get(name, re.sub(*_TO_STUDY, name)),
        _ORIGINAL_KEYS,
        _ORIGINAL_KEYS_OF,
        lambda text: text,
    )


def current_override(text: str) -> str:
    """Return a key=value text with current names, also within its value."""
    name, equals, value = text.partition("=")
    key = name.lstrip("+~")
    prefix = name.removesuffix(key)
    if key == "study" and (value == "null" or value.startswith("{") or name.startswith("~")):
        return f"{prefix}lesson{equals}{value}"  # other values choose an Optuna study
    if key == "evaluation":  # evaluation= took a data set's name, as protocol= does
        is_off = name.startswith("~") or value == "null"
        return "protocol=none" if is_off else f"protocol{equals}{value}"
    for old, new in OVERRIDES.items():
        key = re.sub(old, new, key)
    for old, new in VALUES.items():
        value = re.sub(old, new, value)
    if key == "budget" or re.search(r"\bganlab\.core\.(schedule\.)?Ramp\b", value):
        value = re.sub(*LENGTHS, value)
    return prefix + key + equals + value


def current_batch(tensors: dict[str, T]) -> dict[str, T]:
    """Return a saved batch with the current names of its keys."""
    return {BATCH_KEYS.get(key, key): value for key, value in tensors.items()}


def original_batch(tensors: dict[str, T]) -> dict[str, T]:
    """Return a batch with the original names of its keys, so that hashes do not change."""
    names = {new: old for old, new in BATCH_KEYS.items()}
    return {names.get(key, key): value for key, value in tensors.items()}


def refuse_old_names(texts: Iterable[str]) -> None:
    """Raise for a user's key=value text with an old name.

    Raises:
        ConfigError: a text has an old name; the message shows the text with the new name.
    """
    for text in texts:
        for pattern, instead in REMOVED.items():
            if re.match(pattern, text):
                raise ConfigError(f"{text}: {instead} Leave this out.")
        if (new := current_override(text)) != text:
            raise ConfigError(f"{text}: this has been renamed. Write {new}")


def _current_target(name: str) -> str:
    name = re.sub(r"^(ganlab\.lectures\.\w+\.)study$", r"\1lesson", name)
    flat = re.fullmatch(_FLAT, name)
    if flat and not (_PACKAGE / flat[1] / f"{flat[2]}.py").exists():
        return TARGETS.get(name, f"ganlab.{flat[1]}.{flat[3]}")
    return TARGETS.get(name, name)


def _renamed(
    content: Any,
    target: Callable[[str], str],
    keys: dict[str, str],
    keys_of: dict[str, dict[str, str | None]],
    override: Callable[[str], str],
    parent: str = "",
) -> Any:
    def inner(value: Any, key: str) -> Any:
        if key == "_target_" and isinstance(value, str):
            return target(value)
        if key in _TEXTS and isinstance(value, list):
            texts = [override(text) if isinstance(text, str) else text for text in value]
            return [x for x in texts if not any(re.match(p, str(x)) for p in REMOVED)]
        return _renamed(value, target, keys, keys_of, override, key)

    if isinstance(content, dict):
        marks = (parent, str(content.get("_target_")), *(key for key in keys_of if key in content))
        names = keys | {k: v for mark in marks for k, v in keys_of.get(mark, {}).items()}
        return {
            names.get(key, key): inner(value, key)
            for key, value in content.items()
            if key not in names
            or (names[key] and names[key] not in content)  # if both exist, keep the new name's
        }
    if isinstance(content, list):
        return [_renamed(value, target, keys, keys_of, override, parent) for value in content]
    return content
