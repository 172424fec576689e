"""The base class of translation data sets, which hold pictures of two sides, paired or not."""

from __future__ import annotations

from torch import Tensor

from ganlab.data.base import TensorDataModule
from ganlab.errors import one_of
from ganlab.modalities import IMAGE


class TranslationData(TensorDataModule):
    """Pictures of two sides, uint8 (N, C, H, W) in [0, 255] under the two `keys`.

    A subclass defines `shapes` and loads both sides of a split.

    Attributes:
        keys: the two batch keys: the side that is translated, then the side it is translated into.
        has_pairs: whether the two pictures at row i of the split "test" are a pair.
        label_classes: number of classes of the pictures, equal for both sides; None without labels.
            A split holds the labels under "a_label" and "b_label", or under "label" for pairs.
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
        """(C, H, W) of the second side, which pictures are translated into."""
        return self.shapes[self.keys[1]]

    @property
    def classes(self) -> None:
        """None; see `label_classes` for the classes of the pictures."""
        return None

    def domain(self, key: str) -> Domain:
        """Return one side as an image set of its own, to compare generated images with it.

        Args:
            key: the side's key, one of `keys`.

        Raises:
            ConfigError: if `key` is not one of `keys`.
        """
        one_of("domain", key, self.keys)
        if key not in self._domains:  # kept, so that each side hashes its pictures only once
            self._domains[key] = Domain(self, key)
        return self._domains[key]

    def reference_rows(
        self, split: str = "train", n: int | None = None, part: slice = slice(None)
    ) -> dict[str, Tensor]:
        """Return examples of both sides, see `TensorDataModule.reference_rows`.

        If the split holds no pairs, `n` examples are chosen for each side separately.
        """
        if n is None or not self.independent or (self.has_pairs and split == "test"):
            return super().reference_rows(split, n, part)
        domains = {key: self.domain(key) for key in self.keys}
        return {key: d.reference_rows(split, n, part)["example"] for key, d in domains.items()}


class Domain(TensorDataModule):
    """One side of a translation data set, as an image set whose batch key is "example".

    Args:
        data: the translation data set.
        key: the side, one of `data.keys`.
    """

    provides = ("example",)

    def __init__(self, data: TranslationData, key: str) -> None:
        super().__init__(batch_size=data.batch_size, seed=data.seed)
        self.data, self.key = data, key
        self.splits = data.splits

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of one picture."""
        return self.data.shapes[self.key]

    @property
    def classes(self) -> int | None:
        """Number of classes of the pictures; None without labels."""
        return self.data.label_classes

    def load(self, split: str) -> dict[str, Tensor]:
        """Return the side's pictures as "example", and labels as "label" if the set has any."""
        rows = self.data.split(split)
        label = rows.get(f"{self.key}_label", rows.get("label"))
        return {"example": rows[self.key], **({} if label is None else {"label": label})}

    @property
    def title(self) -> str:
        """The title of the translation data set, followed by the side."""
        return f"{self.data.title} ({self.key})"
