"""Reads checkpoints and the trained model from a run's folder."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from ganlab.core import AdversarialModule
from ganlab.core.build import build_module
from ganlab.core.model_files import model_file, packaged, read_model
from ganlab.errors import CheckpointError
from ganlab.reading import check_extent
from ganlab.record.old_names import current
from ganlab.record.run import read_record, refuse_lesson
from ganlab.record.states import state_of
from ganlab.record.stored import differences, stored_config
from ganlab.torch_files import check_torch_file

CHECKPOINTS = ("last", "previous")
# what restoring raises if the contents of a checkpoint were changed
CHANGED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint's contents with tensors on the CPU.

    Raises:
        CheckpointError: the file is missing or damaged, contains more than plain containers and
            tensors, or was not written by ganlab.
    """
    if not path.is_file():
        raise CheckpointError(
            f"checkpoint: there is no file {path}. Give last, best, previous or a file's path."
        )
    try:
        check_torch_file(path)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        check_extent(checkpoint, 1_000_000)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"checkpoint: {path} holds more than tensors and plain containers, so it was not "
            "written by ganlab. It is not read, since that could run its code."
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"checkpoint: {path} cannot be read: {error.strerror}. Check its permissions and its "
            "disk."
        ) from error
    except Exception as error:  # zip and torch errors of many kinds
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise CheckpointError(
            f"checkpoint: {path} is damaged or cut short: {reason}. Put back a copy of it, "
            "or use another checkpoint of the run."
        ) from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("ganlab"), dict):
        raise CheckpointError(f"checkpoint: {path} was not written by ganlab.")
    checkpoint["ganlab"] = current(checkpoint["ganlab"])
    return checkpoint


def newest_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return path and contents of a run's newest readable checkpoint; None if the run has none.

    If `last.ckpt` is damaged, a warning is issued and `previous.ckpt` is used.

    Raises:
        CheckpointError: the run has checkpoints, but none can be read.
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
            warnings.warn(f"{error} Trying the previous checkpoint, if there is one.", stacklevel=2)
            continue
        return path, checkpoint
    if failure:
        raise failure
    return None


def check_belongs(
    checkpoint: dict[str, Any], config: dict[str, Any], title: str, folder: Path
) -> None:
    """Raise if a checkpoint was written with another model or loss than a configuration has.

    Args:
        checkpoint: the contents, see `read_checkpoint`.
        config: the configuration, plain and resolved.
        title: the checkpoint, for the message.
        folder: the run of the configuration, for the message.

    Raises:
        CheckpointError: the message lists the settings that differ.
    """
    saved = checkpoint["ganlab"].get("config") or {}
    lines = [
        line
        for part in ("model", "loss")
        for _, line in differences(saved.get(part), config.get(part), part)
    ]
    if lines:
        raise CheckpointError(
            f"{title} belongs to another model than that of {folder}; these settings differ:\n  "
            + "\n  ".join(lines)
            + "\nGive the run that the checkpoint belongs to."
        )


def load_module(
    folder: str | Path, checkpoint: str = "last", trust: bool = False
) -> AdversarialModule:
    """Return a run's model with its trained weights, in evaluation mode on the CPU.

    Args:
        folder: the run's folder; or a model file, or the name of a model that comes with ganlab,
            see `ganlab.core.model_files`.
        checkpoint: "last" (the newest that can be read), "best", "previous", or a file.
        trust: whether the run may name classes that are not part of ganlab: building the model
            runs their code.

    Raises:
        RunError: the folder is not a run's folder or holds a lesson, its config.yaml is damaged, or
            it may not be built; see `ganlab.record.stored.stored_config`.
        CheckpointError: the checkpoint is missing or damaged, or belongs to another model; or
            another checkpoint than "last" is asked of a model file.
    """
    folder = Path(folder)
    if (path := model_file(folder)) is not None:
        if folder.is_dir():
            warnings.warn(
                f"run: the folder {folder} holds no run; ganlab's model of that name is used.",
                stacklevel=2,
            )
        if checkpoint != "last":
            raise CheckpointError(
                f"checkpoint: received {checkpoint}; {folder} is a single model. Leave it out."
            )
        return read_model(path, trust)
    if str(folder) in packaged():
        warnings.warn(
            f"run: the folder {folder} is used, not ganlab's model of that name.", stacklevel=2
        )
    config = stored_config(folder, trust)
    refuse_lesson(folder, config)
    if checkpoint == "last":
        newest = newest_checkpoint(folder)
        if newest is None:
            raise CheckpointError(f"checkpoint: {folder} has none. {_without_checkpoint(folder)}")
        contents = newest[1]
    else:
        named = folder / "checkpoints" / f"{checkpoint}.ckpt"
        contents = read_checkpoint(named if named.exists() else Path(checkpoint))
    check_belongs(contents, config, f"checkpoint: {checkpoint}", folder)
    module = build_module(config)
    try:
        module.on_load_checkpoint(contents)
        module.load_state_dict(contents["state_dict"])
    except CHANGED as error:
        raise cannot_be_restored(checkpoint, error) from error
    return module.eval()


def _without_checkpoint(folder: Path) -> str:
    """Return what to do about a run without a checkpoint."""
    record = read_record(folder)
    if record.get("has_checkpoint"):
        return f"They were deleted; put them back into {folder / 'checkpoints'}."
    if state_of(folder, record) == "running":
        return "The run is being trained; wait until it saves one."
    return f"Train the run further: ganlab train run={folder} resume=true"


def cannot_be_restored(checkpoint: str | Path, error: Exception) -> CheckpointError:
    """Return the error for a checkpoint of the right model whose other contents do not fit."""
    reason = f"{type(error).__name__}: {error}".rstrip(".")
    return CheckpointError(
        f"checkpoint: {checkpoint} cannot be restored ({reason}). Put back a copy of the file, or "
        "use another checkpoint of the run: without last.ckpt, previous.ckpt is used."
    )
