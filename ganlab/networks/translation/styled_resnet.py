"""Translators that keep a picture's content and are given a style: MUNIT's networks.

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
    """Content of one domain and style of another, as a picture of the other.

    Of the two autoencoders of the paper it holds the content encoder of the domain that goes in,
    and the style encoder and the decoder of the domain that comes out.

    Args:
        in_channels, out_channels: of what goes in and comes out.
        latent: dimensions of a style.
        features: channels of the first map; each of the two halvings of the content doubles them.
        blocks: residual blocks in the content encoder, and as many in the decoder.
        style_features: units of the perceptron that turns a style into scales and offsets.
        init: of the weights.

    Attributes:
        multiple: sides of pictures must be multiples of it.

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
        """Pictures (N, in_channels, H, W) and styles (N, latent) to (N, out_channels, H, W).

        Raises:
            ConfigError: pictures of other channels, or sides that are not multiples of 4, from 16.
        """
        check_picture(x, self.in_channels, self.multiple, 16)
        return self.decode(self.content(x), style)

    def decode(self, content: Tensor, style: Tensor) -> Tensor:
        """Contents (N, 4·features, H/4, W/4) and styles (N, latent) to pictures in [−1, 1]."""
        parts = self.affine(style).chunk(len(self.styled), 1)
        for block, part in zip(self.styled, parts, strict=True):
            content = block(content, part)
        return self.drawing(content)


class _StyledBlock(nn.Module):
    """A residual block whose two instance norms are scaled and offset by the style."""

    parameters_per_channel = 4

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3)) for _ in range(2)
        )

    def forward(self, x: Tensor, affine: Tensor) -> Tensor:
        """Maps (N, C, H, W) and scales and offsets (N, 4·C) to maps of the same shape."""
        scale, offset, scale2, offset2 = affine[:, :, None, None].chunk(4, 1)
        h = F.relu(F.instance_norm(self.first(x)) * scale + offset)
        return x + F.instance_norm(self.second(h)) * scale2 + offset2


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, norm: str = "none"
) -> list[nn.Module]:
    """A reflected convolution, its norm if there is one, and a ReLU."""
    padding = (kernel - 1) // 2
    layers = [nn.ReflectionPad2d(padding), nn.Conv2d(inputs, outputs, kernel, stride)]
    normalise = image_norm(norm, outputs, plain=True)
    return [*layers, *([] if normalise is None else [normalise]), nn.ReLU(inplace=True)]
