"""CIFAR-10 from its binary version; the Python version is not read, as pickles can run code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganlab.data.archives.files import (
    damaged,
    download,
    draw_tree,
    md5_of,
    read_bytes,
    state_of,
    unpack,
)
from ganlab.data.images.base import ImageDataModule
from ganlab.errors import DataError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
_FOLDER = "cifar-10-batches-bin"
_PICKLES = "cifar-10-batches-py"
_FILES = {
    "train": [f"{_FOLDER}/data_batch_{number}.bin" for number in range(1, 6)],
    "test": [f"{_FOLDER}/test_batch.bin"],
}
_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the red, green and blue planes


class CIFAR10(ImageDataModule):
    """Colour images of ten classes, 50,000 for training and 10,000 for tests: Krizhevsky 2009.

    Files: `root/cifar-10-batches-bin/*.bin`, or `root/cifar-10-binary.tar.gz`, which is unpacked.

    Args:
        root: the folder that holds `cifar-10-batches-bin/` or the archive.
        size: pixels along a side; the files have 32.
        channels: 3, or 1 for the luma.
        classes: the declared number of classes: 10, or None for no check.
        download: whether the archive is downloaded if both files and archive are missing.
        limit, batch_size, seed: as in `ImageDataModule`.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    truth = 10
    records = 10_000  # in each file
    archive_md5 = "c32a1d4ab5d03f1284b67883e8d87530"

    def __init__(
        self,
        root: str = "data",
        size: int = 32,
        channels: int = 3,
        classes: int | None = 10,
        download: bool = True,
        **common: Any,
    ) -> None:
        super().__init__(size=size, channels=channels, classes=classes, **common)
        self.root = Path(os.path.expanduser(root))
        self.download = download

    def fetch(self, split: str) -> None:
        """Unpack the archive if the split's files are missing; download it first if allowed.

        Raises:
            DataError: if files are still missing, or the archive is damaged or unsafe.
        """
        if all((self.root / name).is_file() for name in _FILES[split]):
            return
        archive = self.root / Path(URL).name
        if not archive.is_file():
            if not self.download:
                raise DataError(self._explain("data.download is false."))
            try:
                download([URL], archive, self.archive_md5)
            except OSError as error:
                raise DataError(self._explain(f"The download failed: {error}.")) from error
        elif md5_of(archive) != self.archive_md5:
            raise damaged(archive, f"its MD5 is not the published {self.archive_md5}")
        unpack(archive, self.root, [name for names in _FILES.values() for name in names])

    def read(self, split: str) -> dict[str, Tensor]:
        """Return the split's images and labels.

        Raises:
            DataError: if a file is damaged or missing.
        """
        parts = [read_records(self.root / name, self.records) for name in _FILES[split]]
        records = torch.cat(parts)
        return {
            "example": records[:, 1:].reshape(-1, 3, 32, 32).contiguous(),
            "label": records[:, 0].long(),
        }

    def _explain(self, reason: str) -> str:
        names = [name for files in _FILES.values() for name in files]
        tree = draw_tree((self.root / name, state_of(self.root / name)) for name in names)
        pickles = ""
        if (self.root / _PICKLES).exists():
            pickles = (
                f" {self.root / _PICKLES} is the Python version, which is not read, as pickles can "
                "run code."
            )
        return (
            f"data.root: no complete CIFAR-10 under {self.root}. Expected\n{tree}\n"
            f"or the archive that holds them.{pickles} {reason} Put {URL} into {self.root}, or set "
            f"data.root or the environment variable GANLAB_DATA to the folder of {_FOLDER}/."
        )


def read_records(path: Path, records: int) -> Tensor:
    """Return the records of a binary file, uint8 (records, 3073): a label, then 3×32×32 planes.

    Raises:
        DataError: if the file does not hold exactly `records` records, or a label is above 9.
    """
    data = read_bytes(path, records * _RECORD)
    if len(data) != records * _RECORD:
        raise damaged(path, f"it has {len(data)} bytes, not {records * _RECORD}")
    table = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(records, _RECORD)
    if int(table[:, 0].max()) > 9:
        raise damaged(path, f"it has a label {int(table[:, 0].max())}, above 9")
    return table
