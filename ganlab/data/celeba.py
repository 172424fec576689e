"""CelebA's aligned and cropped faces, decoded once into memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from ganlab.data.files import damaged, draw_tree, found
from ganlab.data.images import ImageDataModule
from ganlab.errors import DataError

_PARTITION = {"train": 0, "test": 2}  # 1 is the validation split
_PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"


class CelebA(ImageDataModule):
    """202,599 faces with 40 attributes: Liu et al. 2015 (arXiv:1411.7766).

    Files, as torchvision lays them out: `root/celeba/img_align_celeba/*.jpg`,
    `root/celeba/list_eval_partition.txt`, and `root/celeba/list_attr_celeba.txt`, without which the
    batches have no "attributes" (uint8 (N, 40), 0 or 1). The middle 160×160 pixels are cropped and
    resized. All of it at 64×64 takes 2.5 GB; `limit` decodes only what it keeps.

    Args:
        root: the folder that holds `celeba/`.
        size: pixels along a side.
        channels: 3, or 1 for the luma.
        classes: None; the set has attributes, not classes.
        limit, batch_size, seed: as in `ImageDataModule`.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    provides = ("image",)
    crop = 160

    def __init__(
        self,
        root: str = "data",
        size: int = 64,
        channels: int = 3,
        classes: int | None = None,
        limit: int | None = None,
        batch_size: int = 128,
        seed: int = 0,
    ) -> None:
        super().__init__(
            size=size,
            channels=channels,
            classes=classes,
            limit=limit,
            batch_size=batch_size,
            seed=seed,
        )
        self.root = Path(root).expanduser()

    @property
    def folder(self) -> Path:
        """Where pictures and lists are."""
        return self.root / "celeba"

    def fetch(self, split: str) -> None:
        """Check that the files are there; they cannot be downloaded without a person's consent.

        Raises:
            DataError: if they are not; it draws what is expected and found.
        """
        pictures = self.folder / "img_align_celeba"
        has_pictures = next(pictures.glob("*.jpg"), None) is not None
        partition = self.folder / "list_eval_partition.txt"
        attributes = self.folder / "list_attr_celeba.txt"
        if has_pictures and partition.is_file():
            return
        tree = draw_tree(
            [
                (pictures / "*.jpg", "found" if has_pictures else "missing"),
                (partition, found(partition)),
                (attributes, f"{found(attributes)}, optional"),
            ]
        )
        raise DataError(
            f"data.root: no CelebA under {self.root}. Expected\n{tree}\nPut the aligned pictures "
            f"there (img_align_celeba.zip and the lists, from {_PAGE}), or point data.root at the "
            "folder that holds celeba/."
        )

    def load(self, split: str) -> dict[str, Tensor]:
        """Decode the split's pictures, in threads, and take the attributes along if they are there.

        Raises:
            DataError: if a picture or a list is damaged or missing.
        """
        names = self._names(split)
        chosen = self.limited(len(names)) if split == "train" else None
        if chosen is not None:
            names = [names[number] for number in chosen.tolist()]
        tensors = {"image": self._decode(names)}
        attributes = self.folder / "list_attr_celeba.txt"
        if attributes.is_file():
            tensors["attributes"] = read_attributes(attributes, names)
        return tensors

    def _names(self, split: str) -> list[str]:
        """File names of a split, in the list's order."""
        path = self.folder / "list_eval_partition.txt"
        try:
            pairs = [line.split() for line in path.read_text().splitlines() if line.strip()]
            names = [name for name, part in pairs if int(part) == _PARTITION[split]]
        except (OSError, ValueError) as error:
            raise damaged(path, f"it cannot be read ({error})") from error
        if not names:
            raise damaged(path, f"it lists no picture of the {split} split")
        return names

    def _decode(self, names: Sequence[str]) -> Tensor:
        """uint8 (len(names), channels, size, size), with a progress bar on stderr."""
        from rich.console import Console
        from rich.progress import track

        faces = torch.empty(len(names), *self.shape, dtype=torch.uint8)
        folder = self.folder / "img_align_celeba"

        def decode(number: int) -> None:
            faces[number] = decode_face(folder / names[number], self.crop, self.size, self.channels)

        pool = ThreadPoolExecutor(max_workers=os.cpu_count())
        try:
            done = pool.map(decode, range(len(names)))
            console = Console(stderr=True)
            for _ in track(done, "Decoding CelebA", len(names), console=console, transient=True):
                pass
        finally:
            pool.shutdown(cancel_futures=True)
        return faces


def decode_face(path: Path, crop: int, size: int, channels: int) -> Tensor:
    """The middle of a picture, resized: uint8 (channels, size, size).

    Args:
        path: of a JPEG of at least `crop` pixels each way.
        crop: side of the middle square that is kept, in pixels.
        size: side of the result, in pixels; Pillow's bilinear filter, which is antialiased.
        channels: 1 (luma) or 3.

    Raises:
        DataError: if the picture is missing, damaged, or too small.
    """
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if min(width, height) < crop:
                raise damaged(path, f"it is {width}×{height} pixels, less than {crop}×{crop}")
            left, top = (width - crop) // 2, (height - crop) // 2
            box = (left, top, left + crop, top + crop)
            picture = picture.convert("RGB" if channels == 3 else "L")
            face = np.array(picture.resize((size, size), Image.Resampling.BILINEAR, box=box))
    except (OSError, SyntaxError, ValueError) as error:
        raise damaged(path, f"it cannot be decoded ({error})") from error
    return torch.from_numpy(face).view(size, size, channels).permute(2, 0, 1)


def read_attributes(path: Path, names: Sequence[str]) -> Tensor:
    """The attributes of pictures: uint8 (len(names), 40), 1 where it holds.

    The file has a count, the attributes' names, then a picture's name and its 1 or -1s per line.

    Raises:
        DataError: if the file is damaged or lacks a picture.
    """
    try:
        lines = (line.split() for line in path.read_text().splitlines()[2:])
        table = {line[0]: [int(value == "1") for value in line[1:]] for line in lines if line}
        return torch.tensor([table[name] for name in names], dtype=torch.uint8)
    except (OSError, KeyError, ValueError) as error:
        raise damaged(path, f"it lacks a picture or is cut short ({error!r})") from error
