"""One forward pass for several batches, where none influences another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def jointly(network: nn.Module, *batches: Tensor) -> list[Tensor | list[Tensor]]:
    """What a network makes of each batch, as if each were given alone.

    One pass takes them all where the network treats every sample by itself; a network with batch
    norm, whose statistics would be mixed, takes one after the other.

    Args:
        network: batches (N, …) to a Tensor, or a list of Tensors, of N rows.
        batches: of the same shape but for N.
    """
    if any(isinstance(layer, BATCH_NORMS) for layer in network.modules()):
        return [network(batch) for batch in batches]
    sizes = [len(batch) for batch in batches]
    made = network(torch.cat(batches))
    if isinstance(made, Tensor):
        return list(made.split(sizes))
    return [list(parts) for parts in zip(*(part.split(sizes) for part in made), strict=True)]
