"""The residual generator of CycleGAN: Zhu et al. 2017, arXiv:1703.10593, after Johnson et al. 2016.

pix2pixHD's global generator is the same with four halvings: see
`ganlab.networks.translation.pix2pixhd`.
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
    """The norm, or what keeps its place where there is none."""
    return image_norm(norm, channels, plain=True) or nn.Identity()


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions with norms, reflected at the border, and the input added.

    (N, channels, H, W), kept. With `dropout`, half of the values are dropped between them.
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
        """(N, channels, H, W), kept."""
        return x + self.layers(x)


class ResNetGenerator(nn.Module):
    """Halvings, residual blocks, and as many doublings; 7 × 7 convolutions at both ends.

    11,378,179 parameters with 9 blocks (the paper's for 256 pixels and more), 7,837,699 with 6
    (for 128).

    Args:
        in_channels, out_channels: of what comes in and goes out.
        features: channels of the first map; each halving doubles them.
        blocks: residual blocks at the smallest size.
        downsamplings: halvings.
        norm: "instance" without scale and offset, as in the paper, "batch", "layer" or "none".
            Convolutions have a bias but with "batch".
        dropout: whether half of the values within each block are dropped.
        init: a name in `ganlab.networks.init.INITS`.
        upsampling: "transposed" convolutions as in the paper, or "resize": nearest neighbours and
            a 3 × 3 convolution, which leave no checkerboard (Odena et al. 2016).

    Attributes:
        multiple: sides of pictures must be multiples of it, 2**downsamplings.
        layers: all of it but the last tanh, as `encode` counts: padding, convolution, norm, ReLU,
            then convolution, norm, ReLU for each halving, then the blocks.

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
        """Pictures (N, in_channels, H, W) in [-1, 1] to (N, out_channels, H, W) in [-1, 1]."""
        check_picture(x, self.in_channels, self.multiple, 2 * self.multiple)
        return self.layers(x).tanh()

    def encode(self, x: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """What some of `self.layers` give out, going no further than the last of them.

        CUT's, with two halvings and nine blocks, are 0 (the padded picture), 4 and 7 (the halving
        convolutions), 10 and 14 (the first and fifth block): Park et al. 2020, arXiv:2007.15651.

        Args:
            x: pictures (N, in_channels, H, W) in [-1, 1].
            layers: places in `self.layers`, in rising order.

        Returns:
            One map (N, channels, H', W') for each.

        Raises:
            ConfigError: no such place, or not in rising order.
        """
        check_picture(x, self.in_channels, self.multiple, 2 * self.multiple)
        wanted = list(layers)
        last = len(self.layers) - 1
        if not wanted or wanted != sorted(set(wanted)) or not 0 <= wanted[0] <= wanted[-1] <= last:
            raise ConfigError(
                f"layers: received {wanted}; allowed places from 0 to {last} in rising order."
            )
        maps, h = [], x
        for place, layer in enumerate(self.layers[: wanted[-1] + 1]):
            # not in place: the map before may have been asked for
            h = F.relu(h) if isinstance(layer, nn.ReLU) else layer(h)
            if place in wanted:
                maps.append(h)
        return maps
