"""A folder of images made by anything, read into memory."""

from __future__ import annotations

import logging
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganlab.data.base import TensorDataModule
from ganlab.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")  # modes of Pillow
_NAMED = 10  # files that a message names
_LONG = 1000  # files from which on there is a progress bar
_LOG = logging.getLogger(__name__)


@dataclass
class FolderImages:
    """What a folder holds.

    Attributes:
        images: uint8 (N, C, H, W) in [0, 255], in the order of their paths.
        labels: int64 (N,), the number of the sub-folder that an image lies in; None without.
        class_names: the sub-folders, in the order of their labels; empty without.
    """

    images: Tensor
    labels: Tensor | None
    class_names: tuple[str, ...]


class FolderData(TensorDataModule):
    """A folder of images as a data set, all of it both the "train" and the "test" split.

    Shape and classes are known by reading the folder, at the first use of either.

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
        self.folder, self.skip_corrupt = Path(folder).expanduser(), skip_corrupt
        self._content: FolderImages | None = None

    @property
    def content(self) -> FolderImages:
        """What was read, once.

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
        """How many sub-folders there are; None where they are no classes."""
        return len(self.content.class_names) or None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The sub-folders that are classes, in the order of their numbers."""
        return self.content.class_names

    @property
    def provides(self) -> tuple[str, ...]:
        """What batches hold: images, and labels where sub-folders are classes."""
        return ("image",) if self.content.labels is None else ("image", "label")

    def load(self, split: str) -> dict[str, Tensor]:
        """The whole folder, whatever the split."""
        labels = self.content.labels
        return {"image": self.content.images, **({} if labels is None else {"label": labels})}

    @property
    def title(self) -> str:
        """The folder."""
        return str(self.folder)


def read_images(folder: str | Path, skip_corrupt: bool = False) -> FolderImages:
    """All images under a folder, read in threads.

    Files that end in one of `ENDINGS`, in any case, in sub-folders too; hidden ones are left out,
    and of several frames the first is read. If every file is grey the images have 1 channel, else
    3: grey ones are repeated. Transparency is dropped, and 16 bits are scaled to 8. Images
    that all lie in sub-folders, two or more, are labelled by them, in the order of their names.

    Args:
        folder: where they are.
        skip_corrupt: leave out files that cannot be decoded, with a warning.

    Returns:
        The images, and labels if there are any.

    Raises:
        DataError: if there is no such folder or no image in it, if images differ in size, or if
            files cannot be decoded and may not be skipped.
    """
    folder = Path(folder).expanduser()
    paths = _list(folder)
    heads = _in_threads(_head, paths, "Looking at images")
    broken = {path: head for path, head in zip(paths, heads, strict=True) if isinstance(head, str)}
    good = [(path, head) for path, head in zip(paths, heads, strict=True) if path not in broken]
    if good:
        _check_sizes(folder, good)
        size, channels = good[0][1][:2], 1 if all(head[2] for _, head in good) else 3
        images = torch.empty(len(good), channels, *size, dtype=torch.uint8)
        rows = [(path, images[row]) for row, (path, _) in enumerate(good)]
        failures = _in_threads(_decode, rows, "Reading images")
        broken |= {row[0]: why for row, why in zip(rows, failures, strict=True) if why}
    labels, names = _label(folder, paths)  # of damaged files too, so that no number shifts
    if broken:
        _report(folder, broken, len(paths), skip_corrupt)
        images = images[[row for row, (path, _) in enumerate(good) if path not in broken]]
        if labels is not None:
            labels = labels[[row for row, path in enumerate(paths) if path not in broken]]
    return FolderImages(images, labels, names)


def _list(folder: Path) -> list[Path]:
    if not folder.is_dir():
        state = "it is a file" if folder.exists() else "there is none"
        raise DataError(f"{folder} is not a folder of images: {state}. Give the path of a folder.")
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    shown = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    images = [path for path in shown if path.suffix.lower() in ENDINGS]
    if not images:
        raise DataError(
            f"{folder} holds no images, but {len(shown)} other files. Images end in "
            f"{', '.join(ENDINGS)}."
        )
    return [folder / path for path in sorted(images, key=lambda path: path.parts)]


def _head(path: Path) -> tuple[int, int, bool] | str:
    """Height, width and whether it is grey; or why that cannot be read."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.height, picture.width, picture.mode in _GREY
    except Exception as error:  # Pillow raises many kinds for damaged files
        return _reason(error)


def _decode(row: tuple[Path, Tensor]) -> str | None:
    """Read a file into a uint8 (C, H, W); None, or why it cannot be decoded."""
    import numpy as np
    from PIL import Image

    path, image = row
    try:
        with Image.open(path) as picture:
            if picture.mode == "F":
                return "its values are not whole numbers; save it with 8 or 16 bits"
            if picture.mode.startswith("I"):
                pixels = _scale(np.array(picture))
            else:
                pixels = np.array(picture.convert("L" if picture.mode in _GREY else "RGB"))
    except Exception as error:  # Pillow raises many kinds for damaged files
        return _reason(error)
    pixels = torch.from_numpy(pixels)
    image.copy_(pixels if pixels.dim() == 2 else pixels.permute(2, 0, 1))
    return None


def _scale(pixels: Any) -> Any:
    """Grey of 16 bits to uint8, rounded, so that 65,535 is 255."""
    if pixels.min() < 0 or pixels.max() > 65_535:
        raise ValueError("its values are not within 16 bits")
    return ((pixels.astype("int64") + 128) // 257).astype("uint8")


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no format that Pillow knows"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _in_threads(function: Any, items: list[Any], title: str) -> list[Any]:
    from rich.console import Console
    from rich.progress import track

    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        done = pool.map(function, items)
        console = Console(stderr=True)
        quiet = len(items) < _LONG
        return list(track(done, title, len(items), console=console, transient=True, disable=quiet))
    finally:
        pool.shutdown(cancel_futures=True)


def _check_sizes(folder: Path, good: list[tuple[Path, Any]]) -> None:
    counts = Counter(head[:2] for _, head in good)
    if len(counts) == 1:
        return
    examples = {head[:2]: path for path, head in reversed(good)}
    lines = [
        f"  {width}×{height}: {count:,}, such as {examples[height, width].relative_to(folder)}"
        for (height, width), count in counts.most_common(_NAMED)
    ]
    if len(counts) > _NAMED:
        lines.append(f"  … and {len(counts) - _NAMED} more sizes")
    raise DataError(
        f"{folder} holds images of {len(counts)} sizes (width×height):\n" + "\n".join(lines) + "\n"
        "Scores need one size: resize or remove some."
    )


def _report(folder: Path, broken: dict[Path, str], total: int, skip: bool) -> None:
    """Raise the error for files that cannot be decoded, or warn where they are skipped."""
    named = [f"  {path.relative_to(folder)}: {why}" for path, why in sorted(broken.items())]
    more = [f"  … and {len(named) - _NAMED} more"] if len(named) > _NAMED else []
    listed = "\n".join(named[:_NAMED] + more)
    what = f"{len(broken):,} of {total:,} images in {folder} cannot be decoded"
    if skip and len(broken) < total:
        _LOG.warning("%s and are skipped:\n%s", what, listed)
        return
    remedy = "No image is left." if skip else "Mend or remove them, or set skip_corrupt=true."
    raise DataError(f"{what}:\n{listed}\n{remedy}")


def _label(folder: Path, paths: list[Path]) -> tuple[Tensor | None, tuple[str, ...]]:
    parts = [path.relative_to(folder).parts for path in paths]
    names = tuple(sorted({part[0] for part in parts}))
    if len(names) < 2 or any(len(part) == 1 for part in parts):
        return None, ()
    numbers = {name: number for number, name in enumerate(names)}
    return torch.tensor([numbers[part[0]] for part in parts]), names
