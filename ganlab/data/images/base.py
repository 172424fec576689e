"""Image sets in memory as uint8, converted to the size and channels that a config asks for."""

from __future__ import annotations

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.data.base import TensorDataModule
from ganlab.data.checks import check_classes, check_integer
from ganlab.errors import DataError, one_of
from ganlab.modalities import IMAGE

MAX_SIZE = 1024  # pixels along a side
_VALUES = 1 << 24  # values of images converted at a time


class ImageDataModule(TensorDataModule):
    """Square images, uint8 in [0, 255] of shape (N, channels, size, size).

    A subclass implements `read`; `load` applies size, channels and limit once.

    Args:
        size: pixels along a side, 4 to 1024; images of another size are resized with antialiasing.
        channels: 1 (grey) or 3 (RGB). If the set has the other number, the grey channel is
            repeated or RGB is reduced to its luma.
        classes: the declared number of classes, checked against `truth`; None for no check.
        limit: the number of training images, a random subset fixed by the seed; None for all.
        batch_size, seed: as in `TensorDataModule`.

    Attributes:
        truth: the set's number of classes; None for a set without labels.
        channels_allowed: the allowed values of `channels`.

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
        self.size = check_integer("size", size, 4, MAX_SIZE)
        one_of("data.channels", channels, self.channels_allowed)
        self.channels = channels
        check_classes(classes, self.truth, self.title)
        self.limit = None if limit is None else check_integer("limit", limit, 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, size, size)."""
        return (self.channels, self.size, self.size)

    @property
    def classes(self) -> int | None:
        """The set's number of classes; None for a set without labels."""
        return self.truth

    def read(self, split: str) -> dict[str, Tensor]:
        """Return a split as published: "example" uint8 (N, C, H, W), and "label" int64 (N,) if any.

        Raises:
            DataError: if files are missing or damaged, or the set has no such split.
        """
        raise NotImplementedError

    def load(self, split: str) -> dict[str, Tensor]:
        """Return the split in the configured size and channels; `limit` applies to "train" only."""
        tensors = self.read(split)
        if split == "train":
            chosen = self.limited(len(tensors["example"]))
            if chosen is not None:
                tensors = {key: tensor[chosen] for key, tensor in tensors.items()}
        return {**tensors, "example": fit_images(tensors["example"], self.size, self.channels)}

    def limited(self, samples: int) -> Tensor | None:
        """Return the int64 indices of the training images that `limit` keeps; None for all.

        Raises:
            DataError: if `limit` is larger than `samples`, the number of training images.
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
    """Return images in another size and number of channels.

    Args:
        images: uint8 (N, C, H, W) in [0, 255], C 1 or 3.
        size: pixels along a side of the result; resizing is bilinear with antialiasing.
        channels: channels of the result, 1 or 3: RGB is reduced to luma, grey is repeated.

    Returns:
        uint8 (N, channels, size, size); `images` itself if its shape is right already.
    """
    if images.shape[1:] == (channels, size, size):
        return images
    result = torch.empty(len(images), channels, size, size, dtype=torch.uint8)
    step = max(1, _VALUES // max(images[0].numel(), result[0].numel())) if len(images) else 1
    for first in range(0, len(images), step):
        chunk = images[first : first + step]
        if chunk.shape[1] == 3 and channels == 1:
            chunk = luma(chunk)
        if chunk.shape[2:] != (size, size):
            chunk = torch.nn.functional.interpolate(
                chunk, size=(size, size), mode="bilinear", antialias=True, align_corners=False
            )
        result[first : first + step] = chunk  # broadcasts 1 channel to 3
    return result


def luma(images: Tensor) -> Tensor:
    """Return the luma of RGB images, uint8 (N, 3, H, W), as uint8 (N, 1, H, W).

    This is 0.299 R + 0.587 G + 0.114 B of ITU-R BT.601, rounded, in Pillow's integer arithmetic.
    """
    red, green, blue = images.to(torch.int32).unbind(1)
    grey = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return grey.to(torch.uint8).unsqueeze(1)
