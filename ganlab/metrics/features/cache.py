"""A cache on disk for features of real examples, which later evaluations read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ganlab.data.archives.files import cache_folder
from ganlab.data.readers.caching import Kinds, read_cache, write_cache

_VERSION = 1  # increment when a resizer or an extractor changes what it computes


def cached_features(
    key_parts: dict[str, Any], compute: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Return tensors from the cache; compute and store them if they are not cached.

    Each key has a file in the folder `features/` of `ganlab.data.archives.files.cache_folder()`. An
    example with 2,048 features takes 8 kB. Files are never removed; you may delete them at any
    time. Several processes may request the same key at once: each may compute the tensors, and
    none reads an incomplete file. A damaged file causes a warning and is computed again. A file
    that cannot be written only causes a warning.

    Args:
        key_parts: everything that the tensors depend on, as JSON values: the data's content hash,
            split, number of examples, `Extractor.protocol_entries()`.
        compute: returns the tensors by name, on the CPU; called only if they are not cached.

    Returns:
        The tensors that `compute` returns, by name.

    Raises:
        TypeError: `key_parts` holds anything but numbers, strings, lists and dicts.
    """
    path = cache_path(key_parts)
    start, stop = key_parts.get("part", (0, None))

    def fits(kinds: Kinds) -> bool:
        rows = {shape[0] for shape, _ in kinds.values() if len(shape) == 2}
        are_features = "features" in kinds and all(d.is_floating_point for _, d in kinds.values())
        return stop is None or (are_features and rows == {stop - start})

    tensors = read_cache(path, fits)
    if tensors is None:
        tensors = {name: tensor.contiguous() for name, tensor in compute().items()}
        write_cache(path, tensors)
    return tensors


def cache_path(key_parts: dict[str, Any]) -> Path:
    """Return the file of a key, named by the SHA-256 of the sorted `key_parts` as JSON."""
    text = json.dumps({"version": _VERSION, "parts": key_parts}, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()
    return cache_folder() / "features" / f"{key}.safetensors"
