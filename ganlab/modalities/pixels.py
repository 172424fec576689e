"""Pixels from uint8 in [0, 255] to float32 in [-1, 1], and back."""

from __future__ import annotations

import torch
from torch import Tensor


def normalise(images: Tensor) -> Tensor:
    """Images as networks see them: uint8 in [0, 255], any shape, to float32 in [-1, 1]."""
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def denormalise(images: Tensor) -> Tensor:
    """The inverse of `normalise`: float in [-1, 1] (clamped), any shape, to uint8 in [0, 255]."""
    return images.to(torch.float32).add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
