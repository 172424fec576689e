"""One forward pass for several batches that do not influence each other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganlab.private import BatchNorm


def in_one_pass(network: nn.Module, *batches: Tensor) -> list[Tensor | list[Tensor]]:
    """Return the network's output for each batch, as if each batch were passed alone.

    The batches are concatenated for one pass. If the network has batch norm, whose statistics would
    mix the batches, each batch gets its own pass.

    Args:
        network: maps a batch (N, …) to a Tensor of N rows, or to a list of such Tensors.
        batches: batches of equal shape apart from N.
    """
    if any(isinstance(layer, BatchNorm) for layer in network.modules()):
        return [network(batch) for batch in batches]
    sizes = [len(batch) for batch in batches]
    output = network(torch.cat(batches))
    if isinstance(output, Tensor):
        return list(output.split(sizes))
    return [list(parts) for parts in zip(*(part.split(sizes) for part in output), strict=True)]
