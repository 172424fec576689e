"""What the processes of one training tell each other, beside gradients."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
import torch.distributed
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerStatus

T = TypeVar("T")


@torch.no_grad()
def share_buffers(module: LightningModule) -> None:
    """Give all processes the first one's running statistics, as parameters are equal anyway.

    DDP does so at the beginning of a batch; after the batch each process has moved them by its own
    samples, and scores and averages taken then would differ.
    """
    if module.trainer.world_size == 1:
        return
    named = module.named_buffers()
    own = [b for n, b in named if b.is_floating_point() and not n.startswith("averaged.")]
    for kind in sorted({b.dtype for b in own}, key=str):
        buffers = [b for b in own if b.dtype == kind]
        flat = torch.cat([buffer.reshape(-1) for buffer in buffers])
        torch.distributed.broadcast(flat, src=0)
        parts = flat.split([buffer.numel() for buffer in buffers])
        for buffer, part in zip(buffers, parts, strict=True):
            buffer.copy_(part.view_as(buffer))


def first_found(module: LightningModule, here: T | None) -> T | None:
    """What the first process has found that has found something, if one has; all must ask."""
    trainer = _trainer_of(module)
    if trainer is None or trainer.world_size == 1:
        return here
    if not trainer.strategy.reduce_boolean_decision(here is not None, all=False):
        return None
    found: list[T | None] = [None] * trainer.world_size
    torch.distributed.all_gather_object(found, here)
    return next(value for value in found if value is not None)


def gathered(module: LightningModule, state: Any) -> list[Any]:
    """What each process gives, on the first one; on the others an empty list.

    After an exception no process may wait for others: then it is the own state alone.

    Args:
        module: in training; all processes must call this.
        state: plain containers and tensors on the CPU.
    """
    trainer = _trainer_of(module)
    if trainer is None or trainer.world_size == 1 or trainer.state.status != TrainerStatus.RUNNING:
        return [state]
    states = [None] * trainer.world_size if trainer.is_global_zero else None
    torch.distributed.gather_object(state, states)
    return states or []


def _trainer_of(module: LightningModule) -> Trainer | None:
    try:
        return module.trainer
    except RuntimeError:  # it is in none
        return None
