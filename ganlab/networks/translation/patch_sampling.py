"""Vectors of patches from feature maps, for the contrastive loss of CUT."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ganlab.errors import ConfigError
from ganlab.networks.checks import check_count, check_counts
from ganlab.networks.init import Init, initialise


def sample_positions(maps: Sequence[Tensor], patches: int) -> list[Tensor]:
    """Return random positions of maps (N, C, H, W): int64 below H·W, shape (min(patches, H·W),).

    The positions are sampled without replacement by torch's default generator of the maps' device.
    All images of a batch have the same positions.
    """
    return [torch.randperm(x[0, 0].numel(), device=x.device)[:patches] for x in maps]


class PatchHeads(nn.Module):
    """Two-layer perceptrons, one for each feature map, whose output vectors have L2 norm 1.

    The heads H_l of Park et al. 2020 (arXiv:2007.15651): Linear, ReLU, Linear, normalisation.

    Args:
        channels: the channels of each feature map.
        features: the units of both layers.
        init: a name in `ganlab.networks.init.INITS`.

    Raises:
        ConfigError: `channels` is empty, a number is below 1, or a name is not allowed.
    """

    def __init__(self, channels: Sequence[int], features: int = 256, init: Init = "dcgan") -> None:
        super().__init__()
        widths = check_counts("channels", channels, "the channels of each feature map")
        check_count("features", features)
        self.channels = widths
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, features), nn.ReLU(inplace=True), nn.Linear(features, features)
            )
            for width in widths
        )
        initialise(self, init)

    def forward(self, maps: Sequence[Tensor], positions: Sequence[Tensor]) -> list[Tensor]:
        """Return unit vectors (N, S, features) for each map (N, C, H, W) and its positions (S,).

        Raises:
            ConfigError: the numbers of maps, position tensors and heads differ.
        """
        if not len(maps) == len(positions) == len(self.heads):
            raise ConfigError(
                f"PatchHeads: received {len(maps)} maps and {len(positions)} sets of positions; "
                f"needs {len(self.heads)} maps and sets, one per head."
            )
        return [
            normalize(head(x.flatten(2)[:, :, chosen].transpose(1, 2)), dim=-1, eps=1e-6)
            for head, x, chosen in zip(self.heads, maps, positions, strict=True)
        ]
