"""Reads a run's folder back: its configuration, its checkpoints, its model."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from ganlab.core import AdversarialModule
from ganlab.core.build import build_module
from ganlab.errors import CheckpointError
from ganlab.record.old_names import current
from ganlab.record.run import read_config

CHECKPOINTS = ("last", "previous")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's contents, tensors on the CPU; only plain containers and tensors are read.

    Raises:
        CheckpointError: missing, damaged, or not written by ganlab.
    """
    if not path.exists():
        raise CheckpointError(
            f"checkpoint: there is no {path}. Give last, best or previous, or a checkpoint's file."
        )
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"checkpoint: {path} holds more than tensors and plain containers, and is not read, "
            "since that could run its code. It was not written by ganlab."
        ) from error
    except Exception as error:  # zip and torch errors of many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"checkpoint: {path} is damaged or cut short: {reason}") from error
    if not isinstance(checkpoint, dict) or "ganlab" not in checkpoint:
        raise CheckpointError(f"checkpoint: {path} was not written by ganlab.")
    checkpoint["ganlab"] = current(checkpoint["ganlab"])
    return checkpoint


def newest_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint of a run that can be read, and its contents; None where there is none.

    A damaged `last.ckpt` is passed over with a warning, and the one before it is used.

    Raises:
        CheckpointError: there are checkpoints, and none can be read.
    """
    failure = None
    for name in CHECKPOINTS:
        path = folder / "checkpoints" / f"{name}.ckpt"
        if not path.exists():
            continue
        try:
            checkpoint = read_checkpoint(path)
        except CheckpointError as error:
            failure = error
            warnings.warn(f"{error} Trying the one before it.", stacklevel=2)
            continue
        return path, checkpoint
    if failure:
        raise failure
    return None


def load_module(folder: str | Path, checkpoint: str = "last") -> AdversarialModule:
    """A run's model with its trained weights, in evaluation mode on the CPU.

    Args:
        folder: the run's folder.
        checkpoint: "last", "best", or a checkpoint's file.

    Raises:
        RunError, CheckpointError: no run, or no readable checkpoint there.
    """
    folder = Path(folder)
    config = read_config(folder)
    if checkpoint == "last":
        found = newest_checkpoint(folder)
        if found is None:
            raise CheckpointError(
                f"checkpoint: {folder} has none yet. Train it further: "
                f"ganlab train run={folder} resume=true"
            )
        contents = found[1]
    else:
        named = folder / "checkpoints" / f"{checkpoint}.ckpt"
        contents = read_checkpoint(named if named.exists() else Path(checkpoint))
    own = contents["ganlab"]["config"] or {}
    if own.get("model") != config.get("model"):
        raise CheckpointError(
            f"checkpoint: {checkpoint} is of another model than {folder}. Give the run that it "
            "belongs to."
        )
    module = build_module(own)
    module.on_load_checkpoint(contents)
    module.load_state_dict(contents["state_dict"])
    return module.eval()
