"""From feature maps to vectors of patches, as contrastive translation compares them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ganlab.errors import ConfigError
from ganlab.networks.checks import check_count, check_counts
from ganlab.networks.init import Init, initialise


def draw_places(maps: Sequence[Tensor], patches: int) -> list[Tensor]:
    """For each map (N, C, H, W) the places (min(patches, H·W),) to look at, int64 in 0 … H·W − 1.

    Drawn without repetition from torch's default generator of the maps' device; all images of a
    batch are looked at in the same places.
    """
    return [torch.randperm(x[0, 0].numel(), device=x.device)[:patches] for x in maps]


class PatchHeads(nn.Module):
    """A two-layer perceptron for each feature map, onto the unit sphere.

    The heads H_l of Park et al. 2020 (arXiv:2007.15651): Linear, ReLU, Linear, length 1.

    Args:
        channels: of each feature map.
        features: units of both layers.
        init: of the weights.

    Raises:
        ConfigError: no channels, or a number below 1.
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

    def forward(self, maps: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Maps (N, C, H, W) and places (S,) of each to unit vectors (N, S, features).

        Raises:
            ConfigError: not one map and one set of places for each head.
        """
        if not len(maps) == len(places) == len(self.heads):
            raise ConfigError(
                f"PatchHeads: received {len(maps)} maps and {len(places)} sets of places; needs "
                f"{len(self.heads)} of both, one for each head."
            )
        return [
            normalize(head(x.flatten(2)[:, :, at].transpose(1, 2)), dim=-1, eps=1e-6)
            for head, x, at in zip(self.heads, maps, places, strict=True)
        ]
