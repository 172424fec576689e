"""The statistics that a generator's batch normalisation uses in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from torch import Tensor, nn

from ganlab.errors import one_of
from ganlab.private import BatchNorm

BatchNormMode = Literal["running", "batch", "standing"]
MODES = ("running", "batch", "standing")


@contextmanager
def batch_norm_statistics(
    network: nn.Module, mode: BatchNormMode, run: Callable[[], object]
) -> Iterator[None]:
    """Within the block, let a network in evaluation mode use the statistics that `mode` names.

    "running" are the averages from training, and "batch" the statistics of each batch. "standing"
    are means of the statistics of all batches that `run` feeds to the network (Brock et al. 2019,
    arXiv:1809.11096, appendix C). After the block, the running averages are restored.

    Args:
        network: any module; nothing changes if it has no batch normalisation.
        mode: see above.
        run: runs the network on some batches; called only if `mode` is "standing".

    Raises:
        ConfigError: an unknown mode.
    """
    one_of("batch_norm", mode, MODES)
    layers = [layer for layer in network.modules() if isinstance(layer, BatchNorm)]
    before = [(layer.running_mean, layer.running_var) for layer in layers]
    try:
        if mode != "running":
            for layer in layers:  # a layer without running averages uses the batch's statistics
                layer.running_mean = layer.running_var = None
        if mode == "standing" and layers:
            means = _mean_statistics(layers, run)
            for layer, (mean, variance) in zip(layers, means, strict=True):
                layer.running_mean, layer.running_var = mean, variance
        yield
    finally:
        for layer, (mean, variance) in zip(layers, before, strict=True):
            layer.running_mean, layer.running_var = mean, variance


def _mean_statistics(
    layers: list[nn.Module], run: Callable[[], object]
) -> list[tuple[Tensor, Tensor]]:
    """Call `run`, and return the means of each layer's batch means and batch variances."""
    recorded: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}

    def record(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        rows = inputs[0].detach().transpose(0, 1).flatten(1)
        recorded[layer].append((rows.mean(1), rows.var(1)))

    handles = [layer.register_forward_pre_hook(record) for layer in layers]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return [
        (sum(m for m, _ in pairs) / len(pairs), sum(v for _, v in pairs) / len(pairs))
        for pairs in recorded.values()
    ]
