"""A small network that classifies each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganlab.errors import ConfigError


class Segmenter(nn.Module):
    """A narrow U-Net (arXiv:1505.04597) from pictures to the logits of each pixel's class.

    Every level has two convolutions on the way down and one on the way up, each with batch norm and
    ReLU. On the way up, the smaller map is upsampled (nearest neighbour) and concatenated to the
    level's map from the way down. 103,686 parameters by default.

    Args:
        in_channels: the channels of the pictures.
        classes: the number of classes.
        widths: the channels of each level; the levels have the pictures' size, half of it, …

    Attributes:
        multiple: the number that must divide the pictures' sides.
    """

    def __init__(
        self, in_channels: int = 3, classes: int = 6, widths: Sequence[int] = (16, 24, 32, 48)
    ) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        down = zip([in_channels, *widths], widths, strict=False)
        self.down = nn.ModuleList(
            nn.Sequential(*_conv_norm_relu(a, b), *_conv_norm_relu(b, b)) for a, b in down
        )
        up = pairwise(widths)
        self.up = nn.ModuleList(nn.Sequential(*_conv_norm_relu(a + b, a)) for a, b in up)
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, in_channels, H, W) in [−1, 1] to logits (N, classes, H, W).

        Raises:
            ConfigError: H or W is not divisible by `multiple`.
        """
        if images.shape[-2] % self.multiple or images.shape[-1] % self.multiple:
            raise ConfigError(
                f"Segmenter: received pictures of {images.shape[-2]} × {images.shape[-1]}; needs "
                f"sides that are multiples of {self.multiple}. Set data.size to such a multiple."
            )
        x, levels = images, []
        for number, level in enumerate(self.down):
            x = level(nn.functional.max_pool2d(x, 2) if number else x)
            levels.append(x)
        for number in reversed(range(len(self.up))):
            upsampled = interpolate(x, scale_factor=2.0)
            x = self.up[number](torch.cat([levels[number], upsampled], 1))
        return self.head(x)


def _conv_norm_relu(channels: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
