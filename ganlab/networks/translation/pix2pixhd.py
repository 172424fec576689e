"""The networks of pix2pixHD: Wang et al. 2018, arXiv:1711.11585, section 3.1 and appendix."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ganlab.networks.blocks import Norm, check_picture
from ganlab.networks.checks import check_count
from ganlab.networks.init import Init
from ganlab.networks.translation.patchgan import PatchGAN
from ganlab.networks.translation.resnet import ResNetGenerator


class GlobalGenerator(ResNetGenerator):
    """The global generator: a `ResNetGenerator` with four halvings.

    182,546,755 parameters with 36 input channels (Cityscapes: 35 classes and the edges of
    instances).

    Args:
        in_channels: the channels of the source, e.g. one per class and one for edges.
        downsamplings: the number of halvings.
        **common: as in `ResNetGenerator`.

    Raises:
        ConfigError: a count or name that is not allowed.
    """

    def __init__(self, in_channels: int = 3, *, downsamplings: int = 4, **common: Any) -> None:
        super().__init__(in_channels, downsamplings=downsamplings, **common)


class MultiScale(nn.Module):
    """Several PatchGANs: the first gets the full picture, each next one a picture of half the size.

    5,603,202 parameters with 39 input channels and two scales.

    Args:
        in_channels, features, layers, norm, init, padding: see `PatchGAN`.
        scales: the number of PatchGANs.

    Raises:
        ConfigError: a count or name that is not allowed.
    """

    def __init__(
        self,
        in_channels: int = 3,
        features: int = 64,
        layers: int = 3,
        norm: Norm = "instance",
        scales: int = 2,
        init: Init = "dcgan",
        padding: int = 2,
    ) -> None:
        super().__init__()
        self.in_channels = check_count("in_channels", in_channels)
        self.scales = nn.ModuleList(
            PatchGAN(in_channels, features, layers, norm, init, padding)
            for _ in range(check_count("scales", scales))
        )

    def forward(
        self, x: Tensor, features: bool = False
    ) -> list[Tensor] | tuple[list[Tensor], list[Tensor]]:
        """Map pictures (N, in_channels, H, W) in [-1, 1] to the scores (N, 1, h, w) of each scale.

        With `features`, also return the maps of all scales, for a feature matching loss
        (equation 4).

        Raises:
            ConfigError: pictures of other channels, or too small for a score.
        """
        # each pooling halves a side and rounds up
        least = 2 ** (len(self.scales) - 1) * (self.scales[0].least - 1) + 1
        check_picture(x, self.in_channels, 1, least)
        scores, maps = [], []
        for level, scale in enumerate(self.scales):
            if level:
                x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            score, hidden = scale(x, features=True)
            scores.append(score)
            maps += hidden
        return (scores, maps) if features else scores
