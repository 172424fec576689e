"""What a game reads from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganlab.errors import CheckpointError

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from ganlab.core.game import Game


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


def unfinished_gradients(module: Game, state: Mapping[str, Any]) -> dict[str, dict[str, Tensor]]:
    """Return the gradients of unfinished accumulation, by phase and name of the parameter.

    Older checkpoints have them by name alone; there, no parameter belonged to two phases.

    Args:
        module: the game, with its phases.
        state: what the game has written to the checkpoint.

    Raises:
        CheckpointError: a gradient has another shape than its parameter.
    """
    pending = state["pending_gradients"]
    parameters = dict(module.named_parameters())

    def fitting(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: laid_out(gradient, parameters[name], f"the gradient of {name}")
            for name, gradient in gradients.items()
        }

    if not any(isinstance(value, Tensor) for value in pending.values()):
        return {phase: fitting(gradients) for phase, gradients in pending.items()}
    names = {parameter: name for name, parameter in parameters.items()}
    by_phase = {}
    for phase in module.phases:
        own = [names[p] for player in phase.players for p in module.parameters_of[player]]
        if found := {name: pending[name] for name in own if name in pending}:
            by_phase[phase.name] = fitting(found)
    return by_phase


def lay_out_state(optimizer: Optimizer) -> None:
    """Give restored state of a fused optimizer the layout of its parameters, in place.

    Fused kernels read and write as many numbers as a parameter has, without a check.

    Raises:
        CheckpointError: the state has other shapes than the parameters.
    """
    if not any(group.get("fused") for group in optimizer.param_groups):
        return
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            like = parameter.new_empty(()) if name == "step" else parameter
            if isinstance(value, Tensor):
                state[name] = laid_out(value, like, f"the optimizer's {name}")


def laid_out(value: Tensor, like: Tensor, name: str) -> Tensor:
    """Return `value` with the strides and the device of `like`.

    Raises:
        CheckpointError: the shapes differ; the message calls the tensor `name`.
    """
    if value.shape != like.shape:
        raise CheckpointError(
            f"checkpoint: {name} has the shape {tuple(value.shape)}, and the model needs "
            f"{tuple(like.shape)}. The file was changed; put back a copy of it."
        )
    return torch.empty_like(like, dtype=value.dtype).copy_(value)
