"""How images get the size of a feature extractor; a Fréchet distance depends on it noticeably.

Parmar et al. 2022 (arXiv:2104.11222) compare these resizers, and name the one that is right.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganlab.errors import ConfigError, one_of

Resizer = Callable[[Tensor, int], Tensor]


def clean(images: Tensor, size: int) -> Tensor:
    """Bicubic, antialiased, not rounded: the resizer of clean-fid, Parmar et al. 2022.

    It is Pillow's bicubic filter on each channel as floats.

    Args:
        images: uint8 (N, C, H, W) in [0, 255].
        size: pixels along a side of the result.

    Returns:
        float32 (N, C, size, size), in [0, 255] but for the filter's overshoot, which is cut off.
    """
    return _torch(images, size, "bicubic").clamp(0, 255)


def tensorflow(images: Tensor, size: int) -> Tensor:
    """Bilinear without antialiasing, as TensorFlow 1 did it within the first FID.

    Samples the image at i·H/size, without the half pixel that aligns centres; downscaling aliases.
    Arguments and result as of `clean`.
    """
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x as like_tensorflow,
    )

    if images.shape[-2:] == (size, size):
        return images.float()
    return like_tensorflow(images.float(), size=(size, size), align_corners=False)


def bilinear(images: Tensor, size: int) -> Tensor:
    """Bilinear with antialiasing, as in torchmetrics. Arguments and result as of `clean`."""
    return _torch(images, size, "bilinear")


def none(images: Tensor, size: int) -> Tensor:
    """No resizing; arguments and result as of `clean`.

    Raises:
        ConfigError: if the images have another size.
    """
    if images.shape[-2:] != (size, size):
        height, width = images.shape[-2:]
        raise ConfigError(
            f"features.resizer: got none with images of {height}×{width} pixels, but the extractor "
            f"needs {size}×{size}. Set features.resizer=clean, or give images of that size."
        )
    return images.float()


RESIZERS: dict[str, Resizer] = {
    "clean": clean,
    "tensorflow": tensorflow,
    "torch": bilinear,
    "none": none,
}


def find_resizer(name: str) -> Resizer:
    """The resizer of that name.

    Raises:
        ConfigError: if there is none.
    """
    return RESIZERS[one_of("features.resizer", name, RESIZERS)]


def _torch(images: Tensor, size: int, mode: str) -> Tensor:
    images = images.to(torch.float32)
    if images.shape[-2:] == (size, size):
        return images
    return interpolate(images, (size, size), mode=mode, antialias=True, align_corners=False)
