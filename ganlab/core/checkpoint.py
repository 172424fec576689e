"""Whether a checkpoint is of this model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ganlab.errors import CheckpointError


def check_state_fits(own: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    """Check that a checkpoint's tensors have the names and shapes of the model's.

    Args:
        own: the model's state.
        other: the checkpoint's.

    Raises:
        CheckpointError: shows the first tensors that differ.
    """
    mine = {name: tuple(value.shape) for name, value in own.items()}
    theirs = {name: tuple(value.shape) for name, value in other.items()}
    names = mine.keys() | theirs.keys()
    if differing := sorted(n for n in names if mine.get(n) != theirs.get(n)):
        shown = "\n".join(
            f"  {n}: checkpoint {theirs.get(n, 'none')}, model {mine.get(n, 'none')}"
            for n in differing[:5]
        )
        raise CheckpointError(
            f"checkpoint: of another model; {len(differing)} of {len(names)} tensors differ:\n"
            f"{shown}\nUse the run's own config.yaml, or start a new run."
        )
