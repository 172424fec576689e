"""MUNIT's networks, which translate a picture's content into a given style.

Huang et al. 2018 (arXiv:1804.04732), section 5.1 and appendix.
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ganlab.networks.blocks import check_picture, image_norm
from ganlab.networks.checks import check_count
from ganlab.networks.init import Init, initialise
from ganlab.networks.translation.resnet import ResidualBlock


class StyledResNet(nn.Module):
    """A translator from the source to the target domain, with a style of the target domain.

    The paper has an autoencoder per domain. This network has the content encoder of the source
    domain, and the style encoder and decoder of the target domain.

    Args:
        in_channels, out_channels: the channels of source and target pictures.
        latent: the dimensions of a style.
        features: the channels of the first map; each of the two halvings in the content encoder
            doubles the channels.
        blocks: the number of residual blocks in the content encoder, and in the decoder.
        style_features: the units of the perceptron that maps a style to scales and offsets.
        init: a name in `ganlab.networks.init.INITS`.

    Attributes:
        multiple: the number that must divide the pictures' sides.
        content: the content encoder.
        style: the style encoder.

    Raises:
        ConfigError: numbers below 1, or an unknown name.
    """

    multiple = 4

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        latent: int = 8,
        features: int = 64,
        blocks: int = 4,
        style_features: int = 256,
        init: Init = "he",
    ) -> None:
        super().__init__()
        self.in_channels = check_count("in_channels", in_channels)
        self.out_channels = check_count("out_channels", out_channels)
        self.latent = check_count("latent", latent)
        check_count("features", features)
        check_count("blocks", blocks)
        widths = [features, 2 * features, 4 * features]
        width = widths[-1]

        layers = _convolution(in_channels, features, 7, norm="instance")
        for inputs, outputs in pairwise(widths):
            layers += _convolution(inputs, outputs, 4, stride=2, norm="instance")
        layers += [ResidualBlock(width, "instance", dropout=False) for _ in range(blocks)]
        self.content = nn.Sequential(*layers)

        layers = _convolution(out_channels, features, 7)
        for inputs, outputs in pairwise([*widths, width, width]):
            layers += _convolution(inputs, outputs, 4, stride=2)
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, latent)]
        self.style = nn.Sequential(*layers)

        self.styled = nn.ModuleList(_StyledBlock(width) for _ in range(blocks))
        self.affine = nn.Sequential(
            nn.Linear(latent, check_count("style_features", style_features)),
            nn.ReLU(inplace=True),
            nn.Linear(style_features, style_features),
            nn.ReLU(inplace=True),
            nn.Linear(style_features, blocks * _StyledBlock.parameters_per_channel * width),
        )
        layers = []
        for inputs, outputs in pairwise(widths[::-1]):
            layers += [nn.Upsample(scale_factor=2, mode="nearest")]
            layers += _convolution(inputs, outputs, 5, norm="layer")
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(features, out_channels, 7), nn.Tanh()]
        self.drawing = nn.Sequential(*layers)
        initialise(self, init)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map pictures (N, in_channels, H, W) and styles (N, latent) to (N, out_channels, H, W).

        Raises:
            ConfigError: pictures of other channels, or sides below 16 or not divisible by 4.
        """
        check_picture(x, self.in_channels, self.multiple, 16)
        return self.decode(self.content(x), style)

    def decode(self, content: Tensor, style: Tensor) -> Tensor:
        """Map contents (N, 4·features, H/4, W/4) and styles (N, latent) to pictures in [−1, 1]."""
        parts = self.affine(style).chunk(len(self.styled), 1)
        for block, part in zip(self.styled, parts, strict=True):
            content = block(content, part)
        return self.drawing(content)


class _StyledBlock(nn.Module):
    """A residual block whose two instance norms get their scales and offsets from the style."""

    parameters_per_channel = 4  # two scales and two offsets

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3)) for _ in range(2)
        )

    def forward(self, x: Tensor, affine: Tensor) -> Tensor:
        """Map `x` (N, C, H, W) to the same shape; `affine` (N, 4·C) has scales and offsets."""
        scale, offset, scale2, offset2 = affine[:, :, None, None].chunk(4, 1)
        h = F.relu(F.instance_norm(self.first(x)) * scale + offset)
        return x + F.instance_norm(self.second(h)) * scale2 + offset2


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, norm: str = "none"
) -> list[nn.Module]:
    """Return reflection padding, a convolution, its norm unless "none", and a ReLU."""
    padding = (kernel - 1) // 2
    layers = [nn.ReflectionPad2d(padding), nn.Conv2d(inputs, outputs, kernel, stride)]
    normalise = image_norm(norm, outputs, plain=True)
    return [*layers, *([] if normalise is None else [normalise]), nn.ReLU(inplace=True)]
