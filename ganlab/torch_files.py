"""Checks files of `torch.save` from anyone before `torch.load` reads them.

With `weights_only`, `torch.load` runs no code of a file. But a small file can still make it take
all memory: by compressed records, by calls that copy what the file holds, by storages that are
read many times, or by tensors whose numbers share one place. It compares no checksums either.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ganlab.private import PARAMETER, TENSORS, PythonUnpickler

_SIZES = {  # bytes of an element, by the beginning of a storage's name
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1,
    "Byte": 1, "Bool": 1, "Untyped": 1, "ComplexDouble": 16, "ComplexFloat": 8,
}  # fmt: skip


def check_torch_file(path: Path) -> None:
    """Raise unless a file is intact, holds tensors in plain containers, and is as large as these.

    Files of PyTorch before 1.6 are no zip archives, and have no checksums.

    Raises:
        OSError: the file cannot be read.
        pickle.UnpicklingError: the file holds something else than tensors and plain containers.
        ValueError: the file is empty, cut short or compressed, a checksum is wrong, or the tensors
            have more numbers than the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        is_archive = file.read(2) == b"PK"
        file.seek(0)
        if not is_archive:
            for _ in range(4):  # a mark, the version, the machine, and the contents
                _Contents(file, size).load()
            return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            records = {entry.filename.partition("/")[2]: entry for entry in entries}
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ValueError("it is compressed, which torch.save never does")
            if len({name.lower() for name in records}) < len(entries):  # torch ignores case
                raise ValueError("two of its records have the same name")
            if sum(entry.file_size for entry in entries) > size:
                raise ValueError("its records are larger than the file")
            if name := archive.testzip():
                raise ValueError(f"the checksum of {name} in it is wrong")
            if "data.pkl" not in records:
                raise ValueError("it has no data.pkl")
            with archive.open(records["data.pkl"]) as file:
                sizes = {name: entry.file_size for name, entry in records.items()}
                _Contents(file, size, sizes).load()
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error


class _Callable:
    """Stands for a function of a pickle; a pickle cannot change it, since it has no attributes."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("it changes a function")

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


class _Contents(PythonUnpickler):
    """Reads the contents without tensors: imports nothing, and calls only functions of this file.

    Args:
        file: the pickle.
        size: bytes of the whole file.
        records: bytes of the records of a zip archive by name; None for an older file.
    """

    def __init__(self, file: IO[bytes], size: int, records: dict[str, int] | None = None) -> None:
        super().__init__(file)
        self._size, self._records, self._storages, self._elements = size, records, {}, 0

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a global of the pickle."""
        if (module, name) == ("collections", "OrderedDict"):
            return _Callable(_empty)
        if f"{module}.{name}" in TENSORS:
            return _Callable(self._tensor)
        if f"{module}.{name}" == PARAMETER:
            return _Callable(lambda tensor, *_: tensor)
        kind = name.removesuffix("Storage")
        if module in ("torch", "torch.storage") and kind in _SIZES and kind != name:
            return _SIZES[kind]
        raise pickle.UnpicklingError(f"it holds {module}.{name}")

    def persistent_load(self, pid: Any) -> int:
        """Return the number of elements of a storage."""
        _, size, key, _, count, *_ = pid
        nbytes = int(size) * int(count)
        if self._records is None:
            self._storages[key] = nbytes
            stored = self._size if sum(self._storages.values()) <= self._size else -1
        else:
            stored = self._records.get(f"data/{key}", -1)
        if count < 0 or nbytes > stored:
            raise ValueError(f"the file has less than the {nbytes:,} bytes of the storage {key}")
        return count

    def _tensor(self, elements: int, offset: int, shape: tuple[int, ...], *_: Any) -> None:
        self._elements += (count := math.prod(shape))
        if count > elements or self._elements > self._size:  # numbers that share one place
            raise ValueError("its tensors have more numbers than it has bytes")


def _empty(*arguments: Any) -> OrderedDict[Any, Any]:
    if arguments:
        raise pickle.UnpicklingError("it copies what it holds")
    return OrderedDict()
