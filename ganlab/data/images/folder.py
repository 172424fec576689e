"""A folder of image files, e.g. of generated samples, decoded into a mapped temporary file."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganlab.data.base import TensorDataModule
from ganlab.data.readers.decoding import ENDINGS, CorruptImageError, Decoder
from ganlab.data.readers.pictures import list_pictures, list_sizes, report_corrupt
from ganlab.data.readers.threads import in_threads
from ganlab.errors import DataError


@dataclass
class FolderImages:
    """The images of a folder, with labels if its sub-folders are classes.

    Attributes:
        images: uint8 (N, C, H, W) in [0, 255], in the order of their paths.
        labels: int64 (N,), the number of an image's sub-folder; None without classes.
        class_names: the names of the sub-folders, in the order of their labels; empty without
            classes.
    """

    images: Tensor
    labels: Tensor | None
    class_names: tuple[str, ...]


class FolderData(TensorDataModule):
    """A folder of images as a data set; the splits "train" and "test" both hold all images.

    The folder is read when shape, classes or images are first used.

    Args:
        folder: see `read_images`.
        skip_corrupt: see `read_images`.
        batch_size, seed: as in `TensorDataModule`.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    def __init__(
        self,
        folder: str | Path,
        skip_corrupt: bool = False,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        self.folder, self.skip_corrupt = Path(os.path.expanduser(folder)), skip_corrupt
        self._content: FolderImages | None = None

    @property
    def content(self) -> FolderImages:
        """The folder's images, read at the first use.

        Raises:
            DataError: as `read_images`.
        """
        if self._content is None:
            self._content = read_images(self.folder, self.skip_corrupt)
        return self._content

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return tuple(self.content.images.shape[1:])

    @property
    def classes(self) -> int | None:
        """The number of classes; None if the sub-folders are not classes."""
        return len(self.content.class_names) or None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the sub-folders that are classes, in the order of their labels."""
        return self.content.class_names

    @property
    def provides(self) -> tuple[str, ...]:
        """The keys of a batch: "example", and "label" if the sub-folders are classes."""
        return ("example",) if self.content.labels is None else ("example", "label")

    def load(self, split: str) -> dict[str, Tensor]:
        """Return all images, and their labels if any, for either split."""
        labels = self.content.labels
        return {"example": self.content.images, **({} if labels is None else {"label": labels})}

    @property
    def title(self) -> str:
        """The folder's path."""
        return str(self.folder)


def read_images(folder: str | Path, skip_corrupt: bool = False) -> FolderImages:
    """Return all images under a folder, decoded in threads by `ganlab.data.readers.decoding`.

    All files below the folder are read that end in one of `ENDINGS`, in upper or lower case; hidden
    files are skipped. If every file is grey the images have 1 channel, otherwise 3, with grey
    images repeated. Transparent pixels are composed onto white. If all images lie in two or more
    sub-folders, the sub-folders are the classes, sorted by name.

    Args:
        folder: the folder of the images.
        skip_corrupt: whether files that cannot be decoded are skipped with a warning.

    Returns:
        The images, and labels if the sub-folders are classes.

    Raises:
        DataError: if the folder is missing or has no image, if images differ in size, or if files
            cannot be decoded and `skip_corrupt` is false or no file is left.
    """
    folder = Path(os.path.expanduser(folder))
    paths = _list_images(folder)
    heads = list(in_threads(_or_reason(Decoder().head), paths, "Looking at images"))
    broken = {path: head for path, head in zip(paths, heads, strict=True) if isinstance(head, str)}
    good = [(path, head) for path, head in zip(paths, heads, strict=True) if path not in broken]
    if good:
        differing = list_sizes(folder, ((path, head[:2]) for path, head in good))
        if differing:
            raise DataError(f"{differing}\nScores need one size: resize or remove some images.")
        decoder = Decoder(1 if all(head[2] for _, head in good) else 3)
        images = _on_disk((len(good), decoder.channels, *good[0][1][:2]))
        decoded = in_threads(_or_reason(decoder), [path for path, _ in good], "Reading images")
        kept = 0
        for (path, _), pixels in zip(good, decoded, strict=True):
            if isinstance(pixels, str):
                broken[path] = pixels
            else:
                images[kept] = pixels
                kept += 1
        images = images[:kept]
    labels, names = _label(folder, paths)  # includes damaged files, so that labels do not shift
    if broken:
        report_corrupt(folder, broken, len(paths), skip_corrupt, "skip_corrupt=true")
        if labels is not None:
            labels = labels[[row for row, path in enumerate(paths) if path not in broken]]
    return FolderImages(images, labels, names)


def _on_disk(shape: tuple[int, ...]) -> Tensor:
    """Return uint8 zeros in a temporary file without a name, mapped into memory.

    The system can take back the memory of pages that are not in use. If the file cannot be made,
    the zeros are in memory.
    """
    try:
        with tempfile.TemporaryFile() as file:
            os.posix_fallocate(file.fileno(), 0, math.prod(shape))  # else a full disk kills
            return torch.from_numpy(np.memmap(file, np.uint8, "r+", shape=shape))
    except (AttributeError, OSError):  # not on Linux, or no room
        return torch.zeros(shape, dtype=torch.uint8)


def _list_images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        state = "it is a file" if folder.exists() else "it does not exist"
        raise DataError(f"{folder} is not a folder of images: {state}. Give the path of a folder.")
    images = list_pictures(folder)
    if not images:
        others = sum(path.is_file() and path.name[0] != "." for path in folder.rglob("*"))
        raise DataError(
            f"{folder} holds no images, but {others} other files. Images end in "
            f"{', '.join(ENDINGS)}."
        )
    return images


def _or_reason(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Return a function that returns `read(path)`, or the error's reason if the file is corrupt."""

    def attempt(path: Path) -> Any:
        try:
            return read(path)
        except CorruptImageError as error:
            return error.reason

    return attempt


def _label(folder: Path, paths: list[Path]) -> tuple[Tensor | None, tuple[str, ...]]:
    """Return labels and class names of the paths; None and () if sub-folders are not classes."""
    parts = [path.relative_to(folder).parts for path in paths]
    names = tuple(sorted({part[0] for part in parts}))
    if len(names) < 2 or any(len(part) == 1 for part in parts):
        return None, ()
    numbers = {name: number for number, name in enumerate(names)}
    return torch.tensor([numbers[part[0]] for part in parts]), names
