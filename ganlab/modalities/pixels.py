"""Conversion of pixels from uint8 in [0, 255] to float32 in [-1, 1], and back."""

from __future__ import annotations

import torch
from torch import Tensor


def normalise(images: Tensor) -> Tensor:
    """Return uint8 images in [0, 255], of any shape, as float32 in [-1, 1] for networks."""
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def denormalise(images: Tensor) -> Tensor:
    """Return float images in [-1, 1] (clamped), of any shape, as uint8 in [0, 255]."""
    return images.to(torch.float32).add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
