"""Batch normalisation over the joint batch of all processes."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.plugins import TorchSyncBatchNorm
from torch import Tensor, nn
from torch.distributed import all_reduce, get_rank, get_world_size, is_available, is_initialized
from torch.nn.functional import one_hot

from ganlab.networks.jointly import BATCH_NORMS


class SyncBatchNorm(nn.SyncBatchNorm):
    """Batch normalisation whose statistics, while training, are those of all processes together.

    Unlike torch's own it runs on CPUs as well, and has a second derivative, which penalties on
    gradients need. All processes must call it equally often, and go back through it equally often.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) to the same; N may differ between processes."""
        ranks = get_world_size() if is_available() and is_initialized() else 1
        if not self.training or ranks == 1:
            return nn.BatchNorm2d.forward(self, input)
        x = input if input.dtype == torch.float64 else input.float()
        rows = x.transpose(0, 1).flatten(1)  # (C, samples)
        own_mean, own_variance = rows.mean(1), rows.var(1, correction=0)
        own_count = torch.full_like(own_mean[:1], rows.shape[1])
        place = one_hot(torch.tensor(get_rank(), device=x.device), ranks)[:, None]
        parts = SumOverRanks.apply(place * torch.cat([own_mean, own_variance, own_count]))
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
        wide = (1, -1, *[1] * (x.dim() - 2))
        return (x * scale.view(wide) + shift.view(wide)).to(input.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)


class SumOverRanks(torch.autograd.Function):
    """The sum of a tensor over all processes; so is its gradient, of any order."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return SumOverRanks.apply(gradient)


class BatchNormSync(TorchSyncBatchNorm):
    """Lets a trainer of several processes synchronise all batch norms of a game while it trains.

    Parameters, running statistics and their names stay what they are, so that checkpoints do not
    tell the difference.

    Args:
        enabled: False leaves each process its own; None does what `trainer.sync_batchnorm` of the
            run's configuration says.
    """

    def __init__(self, enabled: bool | None = None) -> None:
        self.enabled = enabled
        self._before: dict[nn.Module, type[nn.Module]] = {}

    def apply(self, model: nn.Module) -> nn.Module:
        """Synchronise; the layers stay the same objects, whoever else holds them."""
        enabled = self.enabled
        if enabled is None:
            enabled = ((model.config or {}).get("trainer") or {}).get("sync_batchnorm")
        if enabled:
            for layer in model.modules():
                if isinstance(layer, BATCH_NORMS) and not isinstance(layer, SyncBatchNorm):
                    self._before[layer] = type(layer)
                    layer.__class__ = SyncBatchNorm
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Make all layers what they were."""
        for layer, kind in self._before.items():
            layer.__class__ = kind
        self._before = {}
        return model
