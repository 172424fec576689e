"""Drawn images of any size, for tests and in place of sets that cannot be downloaded."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.data.base import SPLITS
from ganlab.data.checks import check_integer
from ganlab.data.images.base import ImageDataModule

_CHUNK = 1 << 24  # pixel values computed at a time


class Synthetic(ImageDataModule):
    """Stripes with a bright blob, whose directions depend on the class.

    For class k of K, the blob lies at the angle 2πk/K about the middle, and the brightness of the
    stripes varies along the angle πk/K. Colours, the stripes' phase, the blob's size and small
    shifts of the blob are random.

    Args:
        size: pixels along a side.
        channels: 1 to 4.
        classes: the number of classes, K.
        samples: images in each of the two splits.
        limit, batch_size, seed: as in `ImageDataModule`; the seed also decides the images.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    channels_allowed = (1, 2, 3, 4)

    def __init__(
        self,
        size: int = 32,
        channels: int = 3,
        classes: int = 10,
        samples: int = 512,
        **common: Any,
    ) -> None:
        self.truth = check_integer("classes", classes, 1)
        self.samples = check_integer("samples", samples, 1)
        super().__init__(size=size, channels=channels, classes=classes, **common)

    def read(self, split: str) -> dict[str, Tensor]:
        """Return `samples` images of random classes, sampled with a different seed per split."""
        seed = mix(self.seed, SPLITS.index(split), 0x696D61676573)
        generator = torch.Generator().manual_seed(seed)
        label = torch.randint(self.classes, (self.samples,), generator=generator)
        step = max(1, _CHUNK // math.prod(self.shape))
        parts = [
            draw(label[first : first + step], self.classes, self.size, self.channels, generator)
            for first in range(0, self.samples, step)
        ]
        return {"example": torch.cat(parts), "label": label}

    def load(self, split: str) -> dict[str, Tensor]:
        """Return the split; `limit` applies to "train". The images need no resizing."""
        tensors = self.read(split)
        chosen = self.limited(self.samples) if split == "train" else None
        return tensors if chosen is None else {key: t[chosen] for key, t in tensors.items()}


def draw(
    label: Tensor, classes: int, size: int, channels: int, generator: torch.Generator
) -> Tensor:
    """Return images of given classes.

    Args:
        label: int64 (n,), each from 0 to classes - 1.
        classes: the number of classes.
        size: pixels along a side.
        channels: the channels of each image.
        generator: source of all random numbers.

    Returns:
        uint8 (n, channels, size, size) in [0, 255].
    """

    def uniform(low: float, high: float, values: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(len(label), values, 1, 1, generator=generator)

    line = torch.linspace(-1, 1, size)
    x, y = line.view(1, 1, 1, -1), line.view(1, 1, -1, 1)
    share = (label.to(torch.float32) / classes).view(-1, 1, 1, 1)
    angle = math.pi * share
    across = x * angle.cos() + y * angle.sin()
    stripes = 0.5 + 0.5 * torch.sin(2 * math.pi * (1.5 * across + uniform(0, 1)))
    angle = 2 * angle
    right, down = (
        angle.cos() * 0.55 + uniform(-0.08, 0.08),
        angle.sin() * 0.55 + uniform(-0.08, 0.08),
    )
    blob = torch.exp(-((x - right) ** 2 + (y - down) ** 2) / uniform(0.03, 0.08))
    ground = uniform(0.1, 0.4, channels) * stripes
    image = ground * (1 - blob) + uniform(0.7, 1.0, channels) * blob
    return image.mul_(255).round_().clamp_(0, 255).to(torch.uint8)
