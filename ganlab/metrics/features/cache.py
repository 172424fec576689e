"""Features of real data on disk, so that a second evaluation need not compute them again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ganlab.data.archives.files import cache_folder
from ganlab.data.readers.caching import read_cache, write_cache

_VERSION = 1  # raise it where a resizer or an extractor changes what it computes


def cached_features(
    key_parts: dict[str, Any], compute: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Tensors from the cache, or computed and kept there.

    They lie in `features/` of `ganlab.data.archives.files.cache_folder()`, a file for each key, of
    8 kB for a sample of 2,048 features; nothing is ever removed, and all of it may be deleted at
    any time.
    Several processes may ask for one key at once: each may compute it, and none sees half a file.
    A damaged file is computed again, with a warning; one that cannot be written is only a warning.

    Args:
        key_parts: everything that the tensors depend on, as JSON knows it: the data's content hash,
            split, number, `Extractor.described()`.
        compute: makes the tensors, on the CPU; called where there are none.

    Returns:
        What `compute` gives, by name.

    Raises:
        TypeError: if the parts are not plain numbers, texts, lists and dicts.
    """
    path = cache_path(key_parts)
    tensors = read_cache(path)
    if tensors is None:
        tensors = {name: tensor.contiguous() for name, tensor in compute().items()}
        write_cache(path, tensors)
    return tensors


def cache_path(key_parts: dict[str, Any]) -> Path:
    """The file of a key: the SHA-256 of its parts as JSON, whatever their order."""
    text = json.dumps({"version": _VERSION, "parts": key_parts}, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()
    return cache_folder() / "features" / f"{key}.safetensors"
