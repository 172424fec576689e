"""Image sets in memory as uint8, brought to the size and channels that a config asks for."""

from __future__ import annotations

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.data.base import TensorDataModule
from ganlab.data.checks import agree_on_classes, whole
from ganlab.errors import DataError, one_of
from ganlab.modalities import IMAGE

MAX_SIZE = 1024  # pixels along a side
_CHUNK = 2048  # images converted at a time


class ImageDataModule(TensorDataModule):
    """Square images, uint8 in [0, 255] of shape (N, channels, size, size).

    A subclass implements `read`; size, channels and limit are applied here, once, at load.

    Args:
        size: pixels along a side; images of another size are resized, antialiased.
        channels: 1 (grey) or 3 (RGB); other images are repeated, or reduced to their luma.
        classes: what the config declares; checked against `truth`, None leaves it open.
        limit: train on this many images alone, a subset drawn with the seed; None for all.
        batch_size, seed: as in `TensorDataModule`.

    Attributes:
        truth: how many labels the set has; None if it has none.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    modality = IMAGE
    truth: int | None = None
    channels_allowed: tuple[int, ...] = (1, 3)

    def __init__(
        self,
        *,
        size: int,
        channels: int,
        classes: int | None = None,
        limit: int | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        self.size = whole("size", size, 4, MAX_SIZE)
        one_of("data.channels", channels, self.channels_allowed)
        self.channels = channels
        agree_on_classes(classes, self.truth, self.title)
        self.limit = None if limit is None else whole("limit", limit, 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, size, size)."""
        return (self.channels, self.size, self.size)

    @property
    def classes(self) -> int | None:
        """How many labels the set has; None if it has none."""
        return self.truth

    def read(self, split: str) -> dict[str, Tensor]:
        """A split as it is published: "example" uint8 (N, C, H, W), "label" int64 (N,) if any.

        Raises:
            DataError: if files are missing or damaged, or the set has no such split.
        """
        raise NotImplementedError

    def load(self, split: str) -> dict[str, Tensor]:
        """The split, limited, and in the size and channels asked for."""
        tensors = self.read(split)
        if split == "train":
            chosen = self.limited(len(tensors["example"]))
            if chosen is not None:
                tensors = {key: tensor[chosen] for key, tensor in tensors.items()}
        return {**tensors, "example": fit_images(tensors["example"], self.size, self.channels)}

    def limited(self, samples: int) -> Tensor | None:
        """Which training images `limit` keeps, int64 indices; None for all of them.

        Raises:
            DataError: if the limit is larger than the set.
        """
        if self.limit is None:
            return None
        if self.limit > samples:
            raise DataError(
                f"data.limit: received {self.limit}, but {self.title} has {samples} training "
                f"images. Set data.limit to at most {samples}, or to null for all."
            )
        generator = torch.Generator().manual_seed(mix(self.seed, 0x6C696D6974))
        return torch.randperm(samples, generator=generator)[: self.limit]


def fit_images(images: Tensor, size: int, channels: int) -> Tensor:
    """Images in another size and number of channels.

    Args:
        images: uint8 (N, C, H, W) in [0, 255], C 1 or 3.
        size: pixels along a side of the result; bilinear with antialiasing, where it differs.
        channels: 1 or 3 of the result; 3 to 1 by luma, 1 to 3 by repetition.

    Returns:
        uint8 (N, channels, size, size); the images themselves where they fit already.
    """
    if images.shape[1:] == (channels, size, size):
        return images
    result = torch.empty(len(images), channels, size, size, dtype=torch.uint8)
    for first in range(0, len(images), _CHUNK):
        chunk = images[first : first + _CHUNK]
        if chunk.shape[1] == 3 and channels == 1:
            chunk = luma(chunk)
        if chunk.shape[2:] != (size, size):
            chunk = torch.nn.functional.interpolate(
                chunk, size=(size, size), mode="bilinear", antialias=True, align_corners=False
            )
        result[first : first + _CHUNK] = chunk  # repeats one channel into three
    return result


def luma(images: Tensor) -> Tensor:
    """Grey of RGB images, uint8 (N, 3, H, W) to uint8 (N, 1, H, W).

    0.299 R + 0.587 G + 0.114 B of ITU-R BT.601, rounded, in the integer arithmetic of Pillow.
    """
    red, green, blue = images.to(torch.int32).unbind(1)
    grey = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return grey.to(torch.uint8).unsqueeze(1)
