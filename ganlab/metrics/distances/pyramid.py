"""Laplacian pyramid of images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad


def laplacian_pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Return the levels of a Laplacian pyramid, the full size first.

    The last level is the smallest image itself. Every other level is the detail that an image loses
    when its sides are halved. Burt and Adelson 1983, "The Laplacian pyramid as a compact
    image code", with their 5×5 filter.

    Args:
        images: float (N, C, H, W).
        levels: number of levels, 1 or more; each has half the side of the previous level, rounded
            up.
    """
    pyramid = []
    for _ in range(levels - 1):
        smaller = _smooth(images)[:, :, ::2, ::2]
        pyramid.append(images - enlarge(smaller, images.shape))
        images = smaller
    return [*pyramid, images]


def enlarge(images: Tensor, shape: torch.Size) -> Tensor:
    """Return images (N, C, ⌈H/2⌉, ⌈W/2⌉) smoothly upsampled to `shape` (N, C, H, W)."""
    sparse = images.new_zeros(shape)
    sparse[:, :, ::2, ::2] = images
    return 4 * _smooth(sparse)


def _smooth(images: Tensor) -> Tensor:
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=images.dtype, device=images.device) / 16
    n, channels, height, width = images.shape
    flat = pad(images.reshape(n * channels, 1, height, width), (2, 2, 2, 2), mode="reflect")
    return conv2d(conv2d(flat, line.view(1, 1, 1, 5)), line.view(1, 1, 5, 1)).view_as(images)
