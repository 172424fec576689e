"""What data sets of two sides have in common: pairs, and two sets that nobody has paired."""

from __future__ import annotations

from torch import Tensor

from ganlab.data.base import TensorDataModule
from ganlab.data.checks import one_of


class TranslationData(TensorDataModule):
    """Pictures of two sides, uint8 (N, C, H, W) in [0, 255] under the two `keys`.

    A subclass says `shapes`, and loads both sides of a split.

    Attributes:
        keys: of the batches, where a translation starts and where it ends.
        has_pairs: whether row i of both sides of the split "test" belong together.
    """

    keys: tuple[str, str]
    has_pairs: bool = False
    provides: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of the second side, where a translation ends."""
        return self.shapes[self.keys[1]]

    @property
    def classes(self) -> None:
        """There are none."""
        return None

    def domain(self, key: str) -> Domain:
        """One side as a set of images, to measure the distance of generated ones from it.

        Args:
            key: of the side, one of `keys`.

        Raises:
            ConfigError: for another key.
        """
        one_of("domain", key, self.keys)
        return Domain(self, key)

    def reference_rows(self, split: str = "train", n: int | None = None) -> dict[str, Tensor]:
        """Real samples of both sides, see `TensorDataModule.reference_rows`.

        Where rows of the two sides do not belong together, each has `n` of its own.
        """
        if n is None or not self.independent or (self.has_pairs and split == "test"):
            return super().reference_rows(split, n)
        return {key: self.domain(key).reference(split, n) for key in self.keys}


class Domain(TensorDataModule):
    """One side of a set of two, as the images ("image") of a set of its own.

    Args:
        data: the set of two sides.
        key: the side.
    """

    provides = ("image",)
    classes = None

    def __init__(self, data: TranslationData, key: str) -> None:
        super().__init__(batch_size=data.batch_size, seed=data.seed)
        self.data, self.key = data, key
        self.splits = data.splits

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return self.data.shapes[self.key]

    def load(self, split: str) -> dict[str, Tensor]:
        """The side's pictures."""
        return {"image": self.data.split(split)[self.key]}

    @property
    def title(self) -> str:
        """The whole set's, and the side."""
        return f"{self.data.title} ({self.key})"
