"""Functions that resize images for a feature extractor.

The choice changes a Fréchet distance noticeably: Parmar et al. 2022 (arXiv:2104.11222) compare
these resizers and recommend `clean`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganlab.errors import ConfigError, one_of

Resizer = Callable[[Tensor, int], Tensor]


def clean(images: Tensor, size: int) -> Tensor:
    """Resize with a bicubic, antialiased filter and without rounding, as clean-fid does.

    It is Pillow's bicubic filter, applied to each channel as floats (Parmar et al. 2022).

    Args:
        images: uint8 (N, C, H, W) in [0, 255].
        size: pixels along a side of the result.

    Returns:
        float32 (N, C, size, size); the filter's overshoot is clamped to [0, 255].
    """
    return _torch(images, size, "bicubic").clamp(0, 255)


def tensorflow(images: Tensor, size: int) -> Tensor:
    """Resize bilinearly without antialiasing, as TensorFlow 1 did for the first FID.

    Output pixel i reads the image at i·H/size, without the half-pixel offset that aligns centres,
    so downscaling aliases. Arguments and result are those of `clean`.
    """
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x as like_tensorflow,
    )

    if images.shape[-2:] == (size, size):
        return images.float()
    return like_tensorflow(images.float(), size=(size, size), align_corners=False)


def bilinear(images: Tensor, size: int) -> Tensor:
    """Resize bilinearly with antialiasing, as torchmetrics does. For arguments see `clean`."""
    return _torch(images, size, "bilinear")


def none(images: Tensor, size: int) -> Tensor:
    """Return the images as float32 without resizing. For arguments see `clean`.

    Raises:
        ConfigError: the images have another size.
    """
    if images.shape[-2:] != (size, size):
        height, width = images.shape[-2:]
        raise ConfigError(
            f"features.resizer: received none with images of {height}×{width} pixels, but the "
            f"extractor needs {size}×{size}. Set features.resizer=clean, or give images of "
            f"{size}×{size} pixels."
        )
    return images.float()


RESIZERS: dict[str, Resizer] = {
    "clean": clean,
    "tensorflow": tensorflow,
    "torch": bilinear,
    "none": none,
}


def find_resizer(name: str) -> Resizer:
    """Return the resizer called `name`.

    Raises:
        ConfigError: there is no such resizer.
    """
    return RESIZERS[one_of("features.resizer", name, RESIZERS)]


def _torch(images: Tensor, size: int, mode: str) -> Tensor:
    images = images.to(torch.float32)
    if images.shape[-2:] == (size, size):
        return images
    return interpolate(images, (size, size), mode=mode, antialias=True, align_corners=False)
