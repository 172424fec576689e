"""Checks that a checkpoint belongs to a model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ganlab.errors import CheckpointError


def check_state_fits(model: Mapping[str, Tensor], checkpoint: Mapping[str, Tensor]) -> None:
    """Raise unless a checkpoint's tensors have the names and shapes of the model's tensors.

    Args:
        model: the model's state dict.
        checkpoint: the checkpoint's state dict.

    Raises:
        CheckpointError: the message shows the first tensors that differ.
    """
    expected = {name: tuple(value.shape) for name, value in model.items()}
    saved = {name: tuple(value.shape) for name, value in checkpoint.items()}
    names = expected.keys() | saved.keys()
    if differing := sorted(n for n in names if expected.get(n) != saved.get(n)):
        shown = "\n".join(
            f"  {n}: checkpoint {saved.get(n, 'none')}, model {expected.get(n, 'none')}"
            for n in differing[:5]
        )
        raise CheckpointError(
            f"checkpoint: belongs to another model; {len(differing)} of {len(names)} tensors "
            f"differ:\n{shown}\nUse the run's own config.yaml, or start a new run."
        )
