"""MNIST and Fashion-MNIST, in torchvision's layout and from its mirrors, read by ganlab."""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganlab.data.archives.files import damaged, download, draw_tree, read_bytes, state_of
from ganlab.data.images.base import ImageDataModule
from ganlab.errors import DataError

_PREFIX = {"train": "train", "test": "t10k"}
_KINDS = ("images-idx3-ubyte", "labels-idx1-ubyte")
_COUNTS = {"train": 60_000, "test": 10_000}
_LIMIT = 1 << 26  # bytes; the largest file has 47,040,016


class MNIST(ImageDataModule):
    """Handwritten digits, 60,000 for training, 10,000 for tests: LeCun, Cortes and Burges 1998.

    Files, plain or with .gz: `root/MNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte`. A file
    with the published number of entries must have the published MD5.

    Args:
        root: the folder that holds `MNIST/`.
        size: pixels along a side; the files have 28.
        channels: 1, or 3 to repeat the grey channel.
        classes: the declared number of classes: 10, or None for no check.
        download: whether missing files are downloaded, from torchvision's mirrors.
        limit, batch_size, seed: as in `ImageDataModule`.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    truth = 10
    name = "MNIST"
    mirrors: tuple[str, ...] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    )
    packed_md5 = {
        "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
    }
    plain_md5 = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }

    def __init__(
        self,
        root: str = "data",
        size: int = 28,
        channels: int = 1,
        classes: int | None = 10,
        download: bool = True,
        **common: Any,
    ) -> None:
        super().__init__(size=size, channels=channels, classes=classes, **common)
        self.root = Path(os.path.expanduser(root))
        self.download = download

    @property
    def folder(self) -> Path:
        """The folder of the files."""
        return self.root / self.name / "raw"

    def fetch(self, split: str) -> None:
        """Download the split's missing files, if `download` is true.

        Raises:
            DataError: if a file is still missing; the message lists the expected and existing
                files.
        """
        missing = [name for name in _names(split) if self._find(name) is None]
        if not missing:
            return
        reason = "data.download is false."
        if self.download:
            try:
                for name in missing:
                    urls = [f"{mirror}{name}.gz" for mirror in self.mirrors]
                    download(urls, self.folder / f"{name}.gz", self.packed_md5[name])
                return
            except OSError as error:
                reason = f"The download failed: {error}."
        raise DataError(self._explain(reason))

    def read(self, split: str) -> dict[str, Tensor]:
        """Return the split's images and labels.

        Raises:
            DataError: if a file is missing or damaged, images and labels differ in number, or a
                label is above 9.
        """
        paths = [self._find(name) for name in _names(split)]
        if paths[0] is None or paths[1] is None:
            raise DataError(self._explain("Files have disappeared since the start."))
        known = [self.plain_md5.get(name) for name in _names(split)]
        images = read_idx(paths[0], (28, 28), _COUNTS[split], known[0])
        labels = read_idx(paths[1], (), _COUNTS[split], known[1])
        if len(images) != len(labels):
            raise damaged(paths[1], f"it has {len(labels)} labels for {len(images)} images")
        if int(labels.max()) >= self.classes:
            raise damaged(paths[1], f"it has a label {int(labels.max())}, above {self.classes - 1}")
        return {"example": images.unsqueeze(1), "label": labels.long()}

    def _find(self, name: str) -> Path | None:
        """Return the path of the plain file, else of the .gz file, else None."""
        for path in (self.folder / name, self.folder / f"{name}.gz"):
            if path.is_file():
                return path
        return None

    def _explain(self, reason: str) -> str:
        names = [name for split in _PREFIX for name in _names(split)]
        tree = draw_tree(
            (self.folder / name, state_of(self._find(name) or self.folder / name)) for name in names
        )
        return (
            f"data.root: no complete {self.name} under {self.root}. Expected, plain or with .gz,\n"
            f"{tree}\n{reason} Put the files there (from {self.mirrors[0]}), set data.root or the "
            f"environment variable GANLAB_DATA to the folder that holds {self.name}/, or choose "
            "data=mnist_5k, which needs no download."
        )


class FashionMNIST(MNIST):
    """Ten kinds of clothes, in the file format of MNIST: Xiao et al. 2017 (arXiv:1708.07747).

    Files, plain or with .gz: `root/FashionMNIST/raw/…` with MNIST's names. Arguments and errors are
    as in `MNIST`. Only the .gz files have published MD5s, which are checked at their download.
    """

    name = "FashionMNIST"
    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    packed_md5 = {
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    }
    plain_md5 = {}


def read_idx(path: Path, shape: tuple[int, ...], published: int, md5: str | None = None) -> Tensor:
    """Return the contents of an idx file of bytes; LeCun's page on MNIST describes the format.

    Args:
        path: the file, plain or .gz.
        shape: the required shape of an entry: (28, 28) for images, () for labels.
        published: the published file's number of entries; a file with this number is checked
            against `md5`.
        md5: the MD5 of the published file, unpacked; None if it is not known.

    Returns:
        uint8 of shape (count, *shape).

    Raises:
        DataError: if the file is not an idx file, is truncated, too long or empty, or has another
            MD5.
    """
    data = read_bytes(path, _LIMIT)
    header = 4 * (2 + len(shape))
    if len(data) < header:
        raise damaged(path, f"it has {len(data)} bytes, less than its header of {header}")
    magic, count, *found_shape = (
        int.from_bytes(data[at : at + 4], "big") for at in range(0, header, 4)
    )
    expected = 0x0801 + len(shape)
    if magic != expected:
        raise damaged(path, f"it begins with {magic:#010x}, not {expected:#010x}")
    if tuple(found_shape) != shape:
        raise damaged(path, f"its images are {found_shape[0]}×{found_shape[1]}, not 28×28")
    length = header + count * math.prod(shape)
    if len(data) != length or count == 0:
        raise damaged(
            path, f"it has {len(data)} bytes and states {count} entries, which take {length}"
        )
    if md5 and count == published and hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise damaged(path, "its contents are not the published ones")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)[header:].view(count, *shape)


def _names(split: str) -> list[str]:
    return [f"{_PREFIX[split]}-{kind}" for kind in _KINDS]
