"""One forward pass for several batches that do not influence each other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from ganlab.networks.minibatch import MinibatchStd
from ganlab.private import BatchNorm, Dropout


def in_one_pass(
    network: nn.Module,
    *batches: Tensor,
    call: Callable[[Tensor], Tensor | list[Tensor]] | None = None,
) -> list[Tensor | list[Tensor]]:
    """Return the network's output for each batch, as if each batch were passed alone.

    The batches are concatenated for one pass if this gives the same outputs, see `is_by_example`.
    A batch that requires gradients, for a penalty on them, gets its own pass, since the penalty
    would also be computed for the other batches.

    Args:
        network: maps a batch (N, …) to a Tensor of N rows, or to a list of such Tensors.
        batches: batches of equal shape apart from N.
        call: what calls the network with a batch; None for the network itself.
    """
    call = call or network
    if any(batch.requires_grad for batch in batches) or not is_by_example(network):
        return [call(batch) for batch in batches]
    sizes = [len(batch) for batch in batches]
    output = call(torch.cat(batches))
    if isinstance(output, Tensor):
        return list(output.split(sizes))
    return [list(parts) for parts in zip(*(part.split(sizes) for part in output), strict=True)]


def is_by_example(network: nn.Module) -> bool:
    """Whether a network treats the examples of a batch one by one, and no pass changes the network.

    It does not with batch norm, minibatch standard deviation, dropout, whose random numbers depend
    on the passes, or spectral norm, whose power iteration advances in each pass; nor, as far as is
    known, with other parametrizations, and modules of other packages than torch and ganlab.
    """
    return not any(
        isinstance(layer, (BatchNorm, MinibatchStd, Dropout, nn.RReLU))
        or (isinstance(layer, (nn.RNNBase, nn.MultiheadAttention)) and layer.dropout > 0)
        or is_parametrized(layer)
        or hasattr(layer, "weight_u")  # the older spectral norm of torch
        or type(layer).__module__.partition(".")[0] not in ("torch", "ganlab")
        for layer in network.modules()
    )
