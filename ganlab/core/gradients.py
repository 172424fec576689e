"""Gradients of several players that step together, each of its own loss alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from ganlab.ranks import mean_over_ranks


def add_gradients(
    trainer: Trainer, losses: Mapping[str, Tensor], parameters_of: Mapping[str, list[nn.Parameter]]
) -> None:
    """Add to each player's parameters the gradient of its own loss, averaged over ranks.

    All gradients are taken at the same weights, and the losses may share a graph. DDP averages no
    gradient that `torch.autograd.grad` returns, so all of them are averaged here, in one call.

    Args:
        trainer: the trainer, whose gradient scaler (if any) scales the losses.
        losses: the loss of each player, by name.
        parameters_of: the parameters of each player, by name.
    """
    last = len(losses) - 1
    parameters: list[nn.Parameter] = []
    gradients: list[Tensor | None] = []
    for index, (player, loss) in enumerate(losses.items()):
        parameters += parameters_of[player]
        gradients += torch.autograd.grad(
            scaled(trainer, loss),
            parameters_of[player],
            retain_graph=index < last,
            allow_unused=True,
        )
    if trainer.world_size > 1:
        gradients = _averaged(parameters, gradients)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            before = parameter.grad
            parameter.grad = gradient if before is None else before + gradient


def _averaged(
    parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """Return the mean gradients; None where the loss of no rank depends on the parameter."""
    present = parameters[0].new_tensor([float(g is not None) for g in gradients])
    parts = [
        torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)
    ]
    flat = mean_over_ranks(torch.cat([present, *(part.flatten() for part in parts)]))
    present, *means = flat.split([len(parts), *(part.numel() for part in parts)])
    return [
        mean.view_as(parameter) if is_present else None
        for parameter, mean, is_present in zip(parameters, means, present.tolist(), strict=True)
    ]


def scaler_of(trainer: Trainer) -> Any | None:
    """Return the gradient scaler of mixed precision with float16, or None."""
    return getattr(trainer.precision_plugin, "scaler", None)


def scaled(trainer: Trainer, value: Tensor) -> Tensor:
    """Return a loss, or a gradient that `unscaled` returned, times the scaler's present scale."""
    scaler = scaler_of(trainer)
    return value if scaler is None else scaler.scale(value)


def unscaled(trainer: Trainer, gradient: Tensor) -> Tensor:
    """Return a gradient divided by the gradient scaler's scale, which other steps may change."""
    scaler = scaler_of(trainer)
    return gradient if scaler is None else gradient / scaler.scale(gradient.new_ones(()))


@contextmanager
def one_scaler_update(trainer: Trainer) -> Iterator[None]:
    """In the block, let several optimizers step with one scale; update the scale at the end.

    Lightning updates the scaler after each optimizer's step. The next optimizer's gradients, which
    were scaled before, would then be unscaled by the new scale.
    """
    scaler = scaler_of(trainer)
    if scaler is None:
        yield
        return
    scaler.update = lambda: None
    try:
        yield
    finally:
        del scaler.update
    scaler.update()
