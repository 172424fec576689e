"""Communication between the ranks of a run, apart from gradients."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
import torch.distributed
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerStatus

T = TypeVar("T")


@torch.no_grad()
def broadcast_buffers(module: LightningModule) -> None:
    """Broadcast rank 0's floating-point buffers, e.g. running statistics, to all ranks.

    Buffers of EMA copies are left out. DDP broadcasts buffers too, but at the beginning of a batch.
    During the batch each rank updates its buffers with its own examples. Without this function,
    scores and EMA weights computed after the batch would differ between ranks.
    """
    if module.trainer.world_size == 1:
        return
    named = module.named_buffers()
    shared = [b for n, b in named if b.is_floating_point() and not n.startswith("averaged.")]
    for dtype in sorted({b.dtype for b in shared}, key=str):
        buffers = [b for b in shared if b.dtype == dtype]
        flat = torch.cat([buffer.reshape(-1) for buffer in buffers])
        torch.distributed.broadcast(flat, src=0)
        parts = flat.split([buffer.numel() for buffer in buffers])
        for buffer, part in zip(buffers, parts, strict=True):
            buffer.copy_(part.view_as(buffer))


def first_not_none(module: LightningModule, value: T | None) -> T | None:
    """Return the `value` of the lowest rank whose `value` is not None, or else None.

    All ranks must call this function.
    """
    trainer = _trainer_of(module)
    if trainer is None or trainer.world_size == 1:
        return value
    if not trainer.strategy.reduce_boolean_decision(value is not None, all=False):
        return None
    values: list[T | None] = [None] * trainer.world_size
    torch.distributed.all_gather_object(values, value)
    return next(value for value in values if value is not None)


def gather_on_rank_0(module: LightningModule, state: Any) -> list[Any]:
    """Return the `state` of every rank on rank 0, and an empty list on the other ranks.

    All ranks must call this function. After an exception the list has only the rank's own state,
    because a failed rank must not wait for other ranks.

    Args:
        module: a game; without a trainer the list has only `state`.
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
    except RuntimeError:  # not attached to a trainer
        return None
