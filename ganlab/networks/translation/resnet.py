"""The residual generator of CycleGAN: Zhu et al. 2017, arXiv:1703.10593, after Johnson et al. 2016.

With four halvings it is pix2pixHD's global generator, see `ganlab.networks.translation.pix2pixhd`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ganlab.errors import ConfigError, one_of
from ganlab.networks.blocks import Norm, check_picture, has_bias, image_norm
from ganlab.networks.checks import check_count
from ganlab.networks.init import Init, initialise


def _normalise(norm: Norm, channels: int) -> nn.Module:
    """Return the norm, or an identity for "none", so that layer numbers do not depend on `norm`."""
    return image_norm(norm, channels, plain=True) or nn.Identity()


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions with reflection padding and norms, plus the input.

    With `dropout`, half of the values are dropped between the convolutions.
    """

    def __init__(self, channels: int, norm: Norm, dropout: bool) -> None:
        super().__init__()
        bias = has_bias(norm)
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            _normalise(norm, channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout(0.5)] if dropout else []),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            _normalise(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        return x + self.layers(x)


class ResNetGenerator(nn.Module):
    """Halvings, residual blocks, and doublings; the first and last convolutions are 7 × 7.

    11,378,179 parameters with 9 blocks (the paper's number for 256 pixels and more), 7,837,699 with
    6 blocks (for 128 pixels).

    Args:
        in_channels, out_channels: the channels of the input and of the output.
        features: the channels of the first map; each halving doubles the channels.
        blocks: the number of residual blocks, at the smallest size.
        downsamplings: the number of halvings, and of doublings.
        norm: "instance" without scale and offset, as in the paper, "batch", "layer" or "none". With
            "batch", only the last convolution has a bias.
        dropout: whether half of the values within each block are dropped.
        init: a name in `ganlab.networks.init.INITS`.
        upsampling: "transposed" convolutions as in the paper, or "resize": nearest-neighbour
            upsampling and a 3 × 3 convolution, against checkerboard patterns (Odena et al. 2016).

    Attributes:
        multiple: the number that must divide the pictures' sides, 2**downsamplings.
        layers: all layers except the last tanh, as `encode` numbers them: padding, convolution,
            norm, ReLU; convolution, norm, ReLU for each halving; the blocks; the doublings.

    Raises:
        ConfigError: a count or name that is not allowed.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        features: int = 64,
        blocks: int = 9,
        downsamplings: int = 2,
        norm: Norm = "instance",
        dropout: bool = False,
        init: Init = "dcgan",
        upsampling: Literal["transposed", "resize"] = "transposed",
    ) -> None:
        super().__init__()
        self.in_channels = check_count("in_channels", in_channels)
        self.out_channels = check_count("out_channels", out_channels)
        self.features = check_count("features", features)
        self.blocks = check_count("blocks", blocks, 0)
        self.downsamplings = check_count("downsamplings", downsamplings, 1)
        self.upsampling = one_of("upsampling", upsampling, ("transposed", "resize"))
        self.multiple = 2**self.downsamplings
        self.norm, self.dropout = norm, dropout

        bias = has_bias(norm)
        widths = [features * 2**level for level in range(downsamplings + 1)]
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(in_channels, features, 7, bias=bias),
            _normalise(norm, features),
            nn.ReLU(inplace=True),
        ]
        for inputs, width in pairwise(widths):
            layers += [
                nn.Conv2d(inputs, width, 3, 2, 1, bias=bias),
                _normalise(norm, width),
                nn.ReLU(inplace=True),
            ]
        layers += [ResidualBlock(widths[-1], norm, dropout) for _ in range(blocks)]
        for width, inputs in zip(widths[-2::-1], widths[::-1], strict=False):
            layers += [
                self._doubling(inputs, width, bias),
                _normalise(norm, width),
                nn.ReLU(inplace=True),
            ]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(features, out_channels, 7)]
        self.layers = nn.Sequential(*layers)
        initialise(self, init)

    def _doubling(self, inputs: int, outputs: int, bias: bool) -> nn.Module:
        if self.upsampling == "transposed":
            return nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1, bias=bias)
        return nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.ReflectionPad2d(1),
            nn.Conv2d(inputs, outputs, 3, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, in_channels, H, W) in [-1, 1] to (N, out_channels, H, W) in [-1, 1]."""
        check_picture(x, self.in_channels, self.multiple, 2 * self.multiple)
        return self.layers(x).tanh()

    def encode(self, x: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Return the outputs of some of `self.layers`; later layers are not computed.

        With two halvings and nine blocks, CUT uses 0 (the padded picture), 4 and 7 (the halving
        convolutions), 10 and 14 (the first and fifth block): Park et al. 2020, arXiv:2007.15651.

        Args:
            x: pictures (N, in_channels, H, W) in [-1, 1].
            layers: indices of `self.layers`, in rising order.

        Returns:
            One map (N, channels, H', W') for each index.

        Raises:
            ConfigError: `layers` is empty, out of range, or not in rising order.
        """
        check_picture(x, self.in_channels, self.multiple, 2 * self.multiple)
        wanted = list(layers)
        last = len(self.layers) - 1
        if not wanted or wanted != sorted(set(wanted)) or not 0 <= wanted[0] <= wanted[-1] <= last:
            raise ConfigError(
                f"layers: received {wanted}; allowed indices from 0 to {last} in rising order."
            )
        maps, h = [], x
        for index, layer in enumerate(self.layers[: wanted[-1] + 1]):
            # not in place, as the ReLU's input may be one of the returned maps
            h = F.relu(h) if isinstance(layer, nn.ReLU) else layer(h)
            if index in wanted:
                maps.append(h)
        return maps
