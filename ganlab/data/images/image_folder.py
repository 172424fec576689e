"""A folder of a user's own pictures."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.data.base import SPLITS
from ganlab.data.batches import Crops
from ganlab.data.checks import check_integer
from ganlab.data.images.base import MAX_SIZE, ImageDataModule
from ganlab.data.readers.decoding import Decoder
from ganlab.data.readers.folder_splits import (
    class_names,
    class_of,
    find_splits,
    has_test_folder,
    split_by_hash,
)
from ganlab.data.readers.picture_files import PictureFiles
from ganlab.data.readers.pictures import FITS, list_pictures, load_pictures
from ganlab.errors import ConfigError, DataError, one_of

_LOG = logging.getLogger(__name__)


class ImageFolder(PictureFiles, ImageDataModule):
    """Pictures in a folder and its sub-folders, decoded and resized once.

    If `train/` and `test/` (or `val/`) exist, they are the splits; otherwise a hash of the files'
    names selects the test files. With `classes`, the folders directly below the split (or the root)
    are the classes, sorted by name, and batches have "label". Scores use pictures
    fitted to `size`; training batches use random crops of pictures of `load_size`.

    Args:
        root: the folder of the pictures; required.
        size: pixels along a side of the networks' images.
        channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
        classes: the number of class folders; None for no labels.
        load_size: pixels along a side before the random crop; None for `size`, without a crop.
        flip: whether each training picture is mirrored with probability 1/2.
        fit: "crop" scales the shorter side and keeps the middle; "stretch" changes the aspect
            ratio; "none" does not scale: all pictures must have one size, training batches are
            random crops, and `load` keeps the middle.
        background, max_pixels, test_folder, test_share, cache, skip_corrupt: as in `PictureFiles`.
        limit, batch_size, seed: as in `ImageDataModule`; the test split does not depend on them.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    channels_allowed = (1, 2, 3, 4)

    def __init__(
        self,
        root: str | None = None,
        size: int = 64,
        channels: int = 3,
        classes: int | None = None,
        load_size: int | None = None,
        flip: bool = False,
        fit: Literal["crop", "stretch", "none"] = "crop",
        **common: Any,
    ) -> None:
        if not root:
            raise ConfigError(
                "data.root: missing. Give the folder of your pictures: data.root=DIR."
            )
        self.root = Path(os.path.expanduser(root)).absolute()
        super().__init__(size=size, channels=channels, **common)
        self.truth = None if classes is None else check_integer("classes", classes, 1)
        one_of("data.fit", fit, FITS)
        if fit == "none" and load_size is not None:
            raise ConfigError(
                f"data.load_size: received {load_size}, but data.fit=none changes no size. Set "
                "data.load_size=null, or data.fit=crop."
            )
        self.load_size = check_integer("load_size", load_size or size, size, 2 * MAX_SIZE)
        self.fit, self.flip = fit, flip
        self.decoder = Decoder(channels, self.background, self.max_pixels)
        self.class_names: tuple[str, ...] = ()
        self._folders: dict[str, Path] = {}
        self._training: dict[str, Tensor] | None = None
        if flip or fit == "none" or self.load_size != size:
            self.crops = Crops(size, flip)

    @property
    def provides(self) -> tuple[str, ...]:
        """The keys of a batch: "example", and "label" if classes are declared."""
        return ("example",) if self.truth is None else ("example", "label")

    @property
    def splits(self) -> tuple[str, ...]:
        """Both splits; only "train" if there is no test folder and `test_share` is 0."""
        return SPLITS if self.test_share or has_test_folder(self.root) else SPLITS[:1]

    @property
    def title(self) -> str:
        """The name of the Python class, and the folder's path."""
        return f"{type(self).__name__} {self.root}"

    def fetch(self, split: str) -> None:
        """Find the folders of splits and classes, at the first call, and log the splits.

        Raises:
            DataError: if the layout is not supported, or the number of class folders is not the
                declared number.
        """
        if self._folders:
            return
        folders, summary = find_splits(self.root, self.test_folder)
        if self.truth is not None:
            self.class_names = class_names(self.root, folders, self.truth)
        self._folders = folders
        _LOG.info("%s: %s.", self.root, summary)

    def files(self, split: str) -> list[Path]:
        """Return the sorted files of a split; for "train", only the files that `limit` keeps.

        Raises:
            DataError: as `fetch`, `split_by_hash` and `limited`.
        """
        self.fetch(split)
        paths = list_pictures(self._folders[split])
        if self._folders["train"] == self._folders["test"]:
            paths = split_by_hash(self._folders[split], paths, self.test_share, split)
        chosen = self.limited(len(paths)) if split == "train" else None
        return paths if chosen is None else [paths[row] for row in chosen.sort().values.tolist()]

    def load(self, split: str) -> dict[str, Tensor]:
        """Return a split's whole pictures at `size`, or their middle if `fit` is "none".

        Raises:
            DataError: as `files`, or if pictures cannot be decoded or are smaller than `size`.
        """
        if self.fit != "none":
            return self._tensors(split, self.size)
        tensors = self._tensors(split, None)
        height, width = tensors["example"].shape[2:]
        top, left = (height - self.size) // 2, (width - self.size) // 2
        middle = tensors["example"][:, :, top : top + self.size, left : left + self.size]
        return {**tensors, "example": middle.contiguous()}

    @property
    def training_rows(self) -> dict[str, Tensor]:
        """The pictures that training batches are cropped from, loaded once.

        Raises:
            DataError: as `load`.
        """
        if self.fit != "none" and self.load_size == self.size:
            return self.train
        if self._training is None:
            self._training = self._tensors("train", None if self.fit == "none" else self.load_size)
        return self._training

    def _tensors(self, split: str, side: int | None) -> dict[str, Tensor]:
        pictures = load_pictures(
            self.files(split),
            root=self.root,
            size=side,
            fit=self.fit,
            decoder=self.decoder,
            cache=self.cache,
            skip_corrupt=self.skip_corrupt,
            title=f"{self.root.name} ({split})",
        )
        height, width = pictures.images.shape[2:]
        if min(height, width) < self.size:
            raise DataError(
                f"{self.root} holds pictures of {width}×{height} pixels, too small for crops of "
                f"{self.size}×{self.size}, and data.fit=none does not scale them. Set data.size="
                f"{min(height, width)}, or data.fit=crop to scale them."
            )
        tensors = {"example": pictures.images}
        if self.class_names:
            numbers = {name: number for number, name in enumerate(self.class_names)}
            folder = self._folders[split]
            labels = [numbers[class_of(folder, path)] for path in pictures.paths]
            tensors["label"] = torch.tensor(labels)
        return tensors
