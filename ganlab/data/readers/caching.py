"""Cache files of tensors with their hash, which shows whether a file is damaged."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ganlab.data.base import hash_tensors
from ganlab.files import replacing
from ganlab.record.old_names import current_batch, original_batch

_LOG = logging.getLogger(__name__)


Kinds = dict[str, tuple[tuple[int, ...], torch.dtype]]  # shape and dtype of each tensor


def is_own(*paths: Path) -> bool:
    """Whether files and folders of a cache exist, and were written by this user or by root.

    A symbolic link is no such file, wherever it leads.
    """
    try:
        states = [path.lstat() for path in paths]
    except OSError:
        return False
    users = (os.geteuid(), 0) if hasattr(os, "geteuid") else None
    return all(
        (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode))
        and (users is None or state.st_uid in users)
        for state in states
    )


def kinds_of(tensors: dict[str, Tensor]) -> Kinds:
    """Return a dict from the names of tensors to their shapes and dtypes."""
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}


def read_cache(path: Path, fits: Callable[[Kinds], bool]) -> dict[str, Tensor] | None:
    """Return the tensors of a cache file.

    Args:
        path: the file.
        fits: whether the file may hold tensors of these names, shapes and dtypes.

    Returns:
        The tensors; None if the file is missing or, with a warning, if it is damaged, was written
        by another user, is a symbolic link, or does not fit.
    """
    from safetensors import SafetensorError, safe_open

    if not os.path.lexists(path):
        return None
    if not is_own(path):
        _LOG.warning("%s is a link, or was written by another user; it is rebuilt.", path)
        return None
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 no mapping
            intact = (file.metadata() or {}).get("sha256") == hash_tensors(tensors)
    except (OSError, SafetensorError, RuntimeError, TypeError, ValueError):
        intact = False
    if not intact or not fits(kinds_of(current_batch(tensors))):
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
