"""Cache files of tensors with their hash, which shows whether a file is damaged."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import Tensor

from ganlab.data.base import hash_tensors
from ganlab.files import replacing
from ganlab.record.old_names import current_batch, original_batch

_LOG = logging.getLogger(__name__)


def read_cache(path: Path) -> dict[str, Tensor] | None:
    """Return the tensors of a cache file; None if it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 no mapping
            intact = (file.metadata() or {}).get("sha256") == hash_tensors(tensors)
    except (OSError, SafetensorError, RuntimeError, ValueError):
        intact = False
    if not intact:
        _LOG.warning("%s is damaged and is rebuilt.", path)
        return None
    return current_batch(tensors)


def write_cache(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors and their hash atomically; if that fails, warn and do not raise."""
    from safetensors.torch import save_file

    tensors = original_batch(tensors)  # so that older versions of ganlab can read the file
    try:
        with replacing(path) as part:
            save_file(tensors, part, metadata={"sha256": hash_tensors(tensors)})
    except Exception as error:  # safetensors raises its own error for a full disk
        _LOG.warning("%s could not be written (%s): the next start will be slower.", path, error)
