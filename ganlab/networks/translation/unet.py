"""The U-Net of pix2pix, with any depth: Isola et al. 2017, arXiv:1611.07004, appendix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlab.errors import ConfigError
from ganlab.networks.blocks import Norm, check_picture, has_bias, image_norm
from ganlab.networks.checks import check_count, check_counts
from ganlab.networks.init import Init, initialise

DEEPEST = 8  # the paper's depth, and the largest default
LARGEST_BOTTLENECK = 16  # pixels along a side; checked unless the depth is given


def default_depth(size: int | Sequence[int]) -> int:
    """Return how often the sides can be halved, at most 8: 8 for 256, 7 for 128, 5 for 96."""
    sides = check_counts("size", (size,) if isinstance(size, int) else size, "the sides")
    # the lowest bit that is set in any side is the largest power of two that divides all sides
    bits = 0
    for side in sides:
        bits |= side
    return min((bits & -bits).bit_length() - 1, DEEPEST)


class UNetGenerator(nn.Module):
    """Halving convolutions down to a bottleneck, then doubling convolutions, with skips.

    54,413,955 parameters at 256, 41,828,995 at 128. The maps have features × 1, 2, 4, 8, 8, …
    channels. Neither the first nor the innermost halving has a norm, so that a batch of one picture
    with a bottleneck of 1 × 1 is possible.

    Args:
        size: the side of the pictures, or [height, width]; multiples of 2**depth. `forward` also
            takes other multiples.
        in_channels, out_channels: the channels of the input and of the output.
        features: the channels of the first map.
        depth: the number of halvings, at least 2; None for as many as `size` allows, at most 8.
        norm: "batch" as in the paper, "instance" without scale and offset, "layer" or "none". With
            "batch", only the last convolution has a bias.
        dropout: True to drop half of the values after the three innermost doublings, as in the
            paper; False for no dropout; or a list of doublings, numbered from 0, the innermost. The
            PyTorch port of pix2pix has [1, 2, 3] at 256.
        skips: whether each doubling's input is concatenated with the map of the same size from the
            way down; without skips this is an autoencoder, as in the paper's section 4.2 and in
            DiscoGAN.
        init: a name in `ganlab.networks.init.INITS`.

    Attributes:
        multiple: the number that must divide the pictures' sides, 2**depth.

    Raises:
        ConfigError: a size, count or name that is not allowed.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        in_channels: int = 3,
        out_channels: int = 3,
        features: int = 64,
        depth: int | None = None,
        norm: Norm = "batch",
        dropout: bool | Sequence[int] = True,
        skips: bool = True,
        init: Init = "dcgan",
    ) -> None:
        super().__init__()
        check_counts("size", (size,) if isinstance(size, int) else size, "the sides")
        self.in_channels = check_count("in_channels", in_channels)
        self.out_channels = check_count("out_channels", out_channels)
        self.features = check_count("features", features)
        self.depth = default_depth(size) if depth is None else check_count("depth", depth, 2)
        self.multiple = 2**self.depth
        self.norm, self.skips = norm, skips
        self._check_size(size)
        if depth is None:
            _check_bottleneck(size, self.depth)
        if isinstance(dropout, bool):
            dropout = range(3) if dropout else ()
            self.dropout = tuple(d for d in dropout if d < self.depth - 1)
        else:
            self.dropout = tuple(dropout)
            if outside := [d for d in self.dropout if d not in range(self.depth - 1)]:
                raise ConfigError(
                    f"dropout: received doubling {outside[0]}; allowed 0 (the innermost) to "
                    f"{self.depth - 2}. Remove {outside[0]} from the list, or set dropout=true."
                )

        bias = has_bias(norm)
        widths = [features * 2 ** min(level, 3) for level in range(self.depth)]
        self.down = nn.ModuleList()
        inputs = in_channels
        for level, width in enumerate(widths):
            stage = nn.Sequential(nn.Conv2d(inputs, width, 4, 2, 1, bias=bias))
            if 0 < level < self.depth - 1:
                _append(stage, image_norm(norm, width, plain=True))
            self.down.append(stage)
            inputs = width
        self.up = nn.ModuleList()
        for doubling, width in enumerate([*reversed(widths[:-1]), out_channels]):
            last = doubling == self.depth - 1
            stage = nn.Sequential(nn.ConvTranspose2d(inputs, width, 4, 2, 1, bias=bias or last))
            if not last:
                _append(stage, image_norm(norm, width, plain=True))
            if doubling in self.dropout:
                stage.append(nn.Dropout(0.5))
            self.up.append(stage)
            inputs = 2 * width if skips else width
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, in_channels, H, W) in [-1, 1] to (N, out_channels, H, W) in [-1, 1]."""
        check_picture(x, self.in_channels, self.multiple, self.multiple)
        maps = []
        h = x
        for level, stage in enumerate(self.down):
            # in place, as the way up uses only positive values, which a LeakyReLU does not change
            h = stage(h if level == 0 else F.leaky_relu(h, 0.2, inplace=True))
            maps.append(h)
        h = maps.pop()
        for stage in self.up:
            h = stage(F.relu(h, inplace=True))
            if maps and self.skips:
                h = torch.cat([maps.pop(), h], 1)
        return h.tanh()

    def _check_size(self, size: int | Sequence[int]) -> None:
        sides = (size,) if isinstance(size, int) else tuple(size)
        if self.depth < 2 or any(side % self.multiple for side in sides):
            multiple = max(self.multiple, 4)
            near = [max(round(side / multiple), 1) * multiple for side in sides]
            raise ConfigError(
                f"size: received {size} for a U-Net of depth {self.depth}; allowed multiples of "
                f"{multiple}; nearest {' × '.join(map(str, near))}. Set the data's size "
                "(data.size=…) to that, or depth to a smaller number (depth=null for the largest "
                "that the size allows)."
            )


def _check_bottleneck(size: int | Sequence[int], depth: int) -> None:
    """Raise a ConfigError if the bottleneck is so large that the receptive field is too small."""
    longest = max((size,) if isinstance(size, int) else size)
    if longest // 2**depth > LARGEST_BOTTLENECK:
        near = round(longest / 32) * 32
        raise ConfigError(
            f"size: {size} can be halved {depth} times only, which leaves a bottleneck of "
            f"{longest // 2**depth} pixels; nearest {near}. Set the data's size "
            f"(data.size=…) to a multiple of 32, or set depth={depth} to accept this bottleneck."
        )


def _append(stage: nn.Sequential, layer: nn.Module | None) -> None:
    if layer is not None:
        stage.append(layer)
