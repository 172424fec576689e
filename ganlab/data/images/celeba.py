"""CelebA's aligned faces, or any set of faces in its layout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.data.checks import check_integer
from ganlab.data.images.base import ImageDataModule
from ganlab.data.readers.celeba_files import (
    ATTRIBUTES,
    IDENTITIES,
    PICTURES,
    attribute_names,
    check_files,
    read_attributes,
    read_identities,
    read_partition,
)
from ganlab.data.readers.decoding import Decoder
from ganlab.data.readers.pictures import load_pictures
from ganlab.errors import ConfigError, DataError, nearest, one_of


class CelebA(ImageDataModule):
    """202,599 faces with 40 attributes: Liu et al. 2015 (arXiv:1411.7766).

    The files lie in `root/celeba/`, as in torchvision:

    - `img_align_celeba/*.jpg`, or `img_align_celeba.zip`, which is unpacked once;
    - `list_eval_partition.txt`;
    - optionally `list_attr_celeba.txt`, which adds "attributes", uint8 (N, 40) of 0 and 1;
    - optionally `identity_CelebA.txt`, which adds "identity", int64 (N,).

    The whole set at 64×64 takes 2.5 GB of the cache. With `limit`, only the kept pictures are
    decoded.

    Args:
        root: the folder that holds `celeba/`.
        size: pixels along a side.
        channels: 3, or 1 for the luma.
        classes: 2 with an `attribute`; otherwise None, as the set has no classes.
        attribute: the attribute that becomes "label" (0 or 1), such as "Smiling"; None for no
            labels.
        crop: side in pixels of the middle square, which is cut out and then resized (Pillow's
            bilinear filter, antialiased); None to resize the picture's shorter side and keep the
            middle.
        test_split: the official part that is used as the split "test": "test" or "val".
        cache: where decoded pictures are cached, on "disk" or in "memory".
        skip_corrupt: whether pictures that cannot be decoded are skipped with a warning.
        limit, batch_size, seed: as in `ImageDataModule`.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    def __init__(
        self,
        root: str = "data",
        size: int = 64,
        channels: int = 3,
        classes: int | None = None,
        attribute: str | None = None,
        crop: int | None = 160,
        test_split: Literal["test", "val"] = "test",
        cache: Literal["disk", "memory"] = "disk",
        skip_corrupt: bool = False,
        batch_size: int = 128,
        **common: Any,
    ) -> None:
        self.attribute = attribute
        self.truth = None if attribute is None else 2
        super().__init__(
            size=size, channels=channels, classes=classes, batch_size=batch_size, **common
        )
        if attribute is not None and classes is None:
            raise ConfigError(
                f"data.classes: received None, but data.attribute={attribute} makes two classes: "
                "pictures without and with the attribute. Set data.classes=2."
            )
        self.root = Path(os.path.expanduser(root))
        self.crop = None if crop is None else check_integer("crop", crop, 1)
        one_of("data.test_split", test_split, ("test", "val"))
        one_of("data.cache", cache, ("disk", "memory"))
        self.test_split, self.cache, self.skip_corrupt = test_split, cache, skip_corrupt

    @property
    def provides(self) -> tuple[str, ...]:
        """The keys of every batch: "example", and "label" if `attribute` is set."""
        return ("example",) if self.attribute is None else ("example", "label")

    @property
    def folder(self) -> Path:
        """The folder of the pictures and lists."""
        return self.root / "celeba"

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The names of the columns of "attributes"; empty if `list_attr_celeba.txt` is missing.

        Raises:
            DataError: if `list_attr_celeba.txt` cannot be read.
        """
        return attribute_names(self.folder) if (self.folder / ATTRIBUTES).is_file() else ()

    def fetch(self, split: str) -> None:
        """Check that the files exist. A person must download them and agree to CelebA's terms.

        Raises:
            DataError: as `check_files`, or if the set does not have the `attribute`.
        """
        check_files(self.folder)
        if self.attribute is not None and self.attribute not in self.attribute_names:
            names = self.attribute_names
            path = self.folder / ATTRIBUTES
            why = f"line 2 of {path} is empty" if path.is_file() else f"there is no {path}"
            known = ", ".join(names) or f"none, as {why}"
            raise DataError(
                f"data.attribute: received {self.attribute!r}; available: {known}."
                + nearest(self.attribute, list(names))
            )

    def load(self, split: str) -> dict[str, Tensor]:
        """Return the split's pictures, and their attributes, identities and labels if available.

        Raises:
            DataError: if a picture or a list is damaged or missing.
        """
        names = read_partition(self.folder, "train" if split == "train" else self.test_split)
        chosen = self.limited(len(names)) if split == "train" else None
        if chosen is not None:
            names = [names[number] for number in chosen.tolist()]
        listed = {}  # read before the slow decoding of pictures, so that errors come soon
        if (self.folder / ATTRIBUTES).is_file():
            listed["attributes"] = read_attributes(self.folder, names)
        if (self.folder / IDENTITIES).is_file():
            listed["identity"] = read_identities(self.folder, names)
        folder = self.folder / PICTURES
        pictures = load_pictures(
            [folder / name for name in names],
            root=folder,
            size=self.size,
            fit="crop",
            crop=self.crop,
            resample="bilinear",
            decoder=Decoder(self.channels),
            cache=self.cache,
            skip_corrupt=self.skip_corrupt,
            title=f"{self.title} ({split})",
        )
        kept = {path.name for path in pictures.paths}
        rows = torch.tensor([row for row, name in enumerate(names) if name in kept])
        tensors = {"example": pictures.images}
        tensors |= {key: values[rows] for key, values in listed.items()}
        if self.attribute is not None:
            column = self.attribute_names.index(self.attribute)
            tensors["label"] = tensors["attributes"][:, column].long()
        return tensors
