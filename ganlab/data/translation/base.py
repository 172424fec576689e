"""What data sets of two sides have in common: pairs, and two sets that nobody has paired."""

from __future__ import annotations

from torch import Tensor

from ganlab.data.base import TensorDataModule
from ganlab.errors import one_of
from ganlab.modalities import IMAGE


class TranslationData(TensorDataModule):
    """Pictures of two sides, uint8 (N, C, H, W) in [0, 255] under the two `keys`.

    A subclass says `shapes`, and loads both sides of a split.

    Attributes:
        keys: of the batches, where a translation starts and where it ends.
        has_pairs: whether row i of both sides of the split "test" belong together.
        label_classes: how many classes the pictures of both sides have, whose labels splits hold
            under "a_label" and "b_label", or "label" for a pair; None without.
    """

    modality = IMAGE
    keys: tuple[str, str]
    has_pairs: bool = False
    label_classes: int | None = None
    provides: tuple[str, ...] = ()

    def __init__(self, *, batch_size: int = 64, seed: int = 0) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        self._domains: dict[str, Domain] = {}

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
        if key not in self._domains:  # each hashes its pictures once
            self._domains[key] = Domain(self, key)
        return self._domains[key]

    def reference_rows(self, split: str = "train", n: int | None = None) -> dict[str, Tensor]:
        """Real samples of both sides, see `TensorDataModule.reference_rows`.

        Where rows of the two sides do not belong together, each has `n` of its own.
        """
        if n is None or not self.independent or (self.has_pairs and split == "test"):
            return super().reference_rows(split, n)
        return {key: self.domain(key).reference(split, n) for key in self.keys}


class Domain(TensorDataModule):
    """One side of a set of two, as the images ("example") of a set of its own.

    Args:
        data: the set of two sides.
        key: the side.
    """

    provides = ("example",)

    def __init__(self, data: TranslationData, key: str) -> None:
        super().__init__(batch_size=data.batch_size, seed=data.seed)
        self.data, self.key = data, key
        self.splits = data.splits

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return self.data.shapes[self.key]

    @property
    def classes(self) -> int | None:
        """How many the pictures have."""
        return self.data.label_classes

    def load(self, split: str) -> dict[str, Tensor]:
        """The side's pictures, and their labels where there are any."""
        rows = self.data.split(split)
        label = rows.get(f"{self.key}_label", rows.get("label"))
        return {"example": rows[self.key], **({} if label is None else {"label": label})}

    @property
    def title(self) -> str:
        """The whole set's, and the side."""
        return f"{self.data.title} ({self.key})"
