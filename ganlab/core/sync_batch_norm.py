"""Batch normalisation over the joint batch of all ranks."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.plugins import TorchSyncBatchNorm
from torch import Tensor, nn
from torch.distributed import all_reduce, get_rank, get_world_size, is_available, is_initialized
from torch.nn.functional import one_hot

from ganlab.private import BatchNorm, BatchNormOfAnyRank


class SyncBatchNorm(BatchNormOfAnyRank):
    """Batch normalisation that in training uses the statistics of the joint batch of all ranks.

    Unlike torch's SyncBatchNorm it also runs on CPUs, and it has a second derivative, which
    gradient penalties need. All ranks must make the same number of forward passes, and the same
    number of backward passes.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input (N, C, …); N may differ between ranks."""
        ranks = get_world_size() if is_available() and is_initialized() else 1
        if not self.training or ranks == 1:
            return super().forward(input)
        self._check_input_dim(input)
        x = input if input.dtype == torch.float64 else input.float()
        rows = x.transpose(0, 1).flatten(1)  # (C, values of this rank)
        own_mean, own_variance = rows.mean(1), rows.var(1, correction=0)
        own_count = torch.full_like(own_mean[:1], rows.shape[1])
        # each rank fills its own row, so that the sum over ranks gathers all rows
        own_row = one_hot(torch.tensor(get_rank(), device=x.device), ranks)[:, None]
        parts = SumOverRanks.apply(own_row * torch.cat([own_mean, own_variance, own_count]))
        means, variances, counts = parts.split([self.num_features, self.num_features, 1], dim=1)
        total = counts.sum()
        shares = counts / total  # (ranks, 1)
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean).square())).sum(0)
        if self.track_running_stats:
            self._track(mean.detach(), variance.detach() * total / (total - 1))
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale
        if self.bias is not None:
            shift = shift + self.bias
        per_channel = (1, -1, *[1] * (x.dim() - 2))
        return (x * scale.view(per_channel) + shift.view(per_channel)).to(input.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)


class SumOverRanks(torch.autograd.Function):
    """The sum of a tensor over all ranks; gradients of any order are summed over all ranks too."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return SumOverRanks.apply(gradient)


class BatchNormSync(TorchSyncBatchNorm):
    """Lightning plugin that synchronises all batch norms of a game over the ranks of a run.

    Parameters, running statistics and their names do not change, so checkpoints are the same with
    and without synchronisation.

    Args:
        enabled: whether to synchronise; if None, `trainer.sync_batchnorm` in the run's
            configuration decides.
    """

    def __init__(self, enabled: bool | None = None) -> None:
        self.enabled = enabled
        self._before: dict[nn.Module, type[nn.Module]] = {}

    def apply(self, model: nn.Module) -> nn.Module:
        """Turn all batch norms into `SyncBatchNorm` in place, so that references stay valid."""
        enabled = self.enabled
        if enabled is None:
            enabled = ((model.config or {}).get("trainer") or {}).get("sync_batchnorm")
        if enabled:
            for layer in model.modules():
                if isinstance(layer, BatchNorm) and not isinstance(layer, SyncBatchNorm):
                    self._before[layer] = type(layer)
                    layer.__class__ = SyncBatchNorm
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Give all layers their former class back."""
        for layer, layer_class in self._before.items():
            layer.__class__ = layer_class
        self._before = {}
        return model
