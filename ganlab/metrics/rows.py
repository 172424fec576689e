"""Samples and features that metrics keep until `compute`, in memory or in a temporary file."""

from __future__ import annotations

import errno
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from ganlab.errors import DataError
from ganlab.metrics.memory import DEFAULT_MEMORY

_RECENT = 4  # tensors that `Store.put` recognises if another metric keeps them too
_ALIGNED = 64  # bytes that the first byte of a kept tensor is a multiple of
SHARE = 8  # a protocol's store of real or of generated rows takes 1 / SHARE of `metrics_memory`


class Store:
    """Keeps tensors in memory, and in a temporary file those that no longer fit.

    The file has no name, so that it vanishes with the process, however that ends. It lies in
    Python's folder for temporary files, which the environment variable TMPDIR sets. A tensor that
    several metrics keep is stored once.

    Args:
        limit: bytes that are kept in memory.
    """

    def __init__(self, limit: int = DEFAULT_MEMORY // SHARE) -> None:
        self.limit, self._used = limit, 0
        self._memory: Tensor | None = None
        self._file: Any = None
        # what `put` got, which this list does not keep alive, and what it returned
        self._recent: list[tuple[weakref.ref[Tensor], Tensor | _OnDisk]] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> Store:
        """Return the store itself, so that copies of a metric share it."""
        return self

    def put(self, tensor: Tensor) -> Tensor | _OnDisk:
        """Return the tensor (N, …), on the CPU, or what reads its rows from the file.

        Raises:
            DataError: the file cannot be written or read.
        """
        kept = tensor.detach().cpu().contiguous()
        for other, stored in self._recent:
            if other() is tensor and torch.equal(stored[:], kept):  # not a buffer that is reused
                return stored
        fits = self._used + kept.nbytes <= self.limit
        stored = self._copy(kept) if fits else self._write(kept)
        self._recent = [*self._recent[-_RECENT + 1 :], (weakref.ref(tensor), stored)]
        return stored

    def _copy(self, tensor: Tensor) -> Tensor:
        if self._memory is None:
            # one tensor, so that what is kept does not lie between temporaries, whose memory could
            # then not be used again; pages that nothing is written to take no memory
            self._memory = torch.empty(self.limit, dtype=torch.uint8, device="cpu")
        place = self._memory[self._used : self._used + tensor.nbytes]
        copied = place.view(tensor.dtype).view(tensor.shape)
        copied.copy_(tensor)
        self._used += -(-tensor.nbytes // _ALIGNED) * _ALIGNED
        return copied

    def _write(self, tensor: Tensor) -> _OnDisk:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 closed with the store
            offset = self._file.seek(0, 2)
            content = memoryview(tensor.view(-1).view(torch.uint8).numpy())
            while content:  # an unbuffered file may write only a part
                content = content[self._file.write(content) :]
        except OSError as error:
            raise DataError(
                f"metrics_memory: the features and samples that metrics keep no longer fit into "
                f"it, and {tempfile.gettempdir()} cannot take them ({error.strerror}). Make room "
                "there, name another folder in the environment variable TMPDIR, or raise "
                "metrics_memory."
            ) from error
        return _OnDisk(self._file, offset, tensor.shape, tensor.dtype)


class _OnDisk:
    """A tensor (N, …) in a file, of which only the rows that are asked for are read.

    Reading raises a DataError if the file cannot be read.
    """

    def __init__(self, file: Any, offset: int, shape: torch.Size, dtype: torch.dtype) -> None:
        self.file, self.offset, self.shape, self.dtype = file, offset, shape, dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | Tensor) -> Tensor:
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            result = torch.empty(max(stop - start, 0), *self.shape[1:], dtype=self.dtype)
            self._read(start, result)
            return result
        result = torch.empty(len(index), *self.shape[1:], dtype=self.dtype)
        for row, number in enumerate(index.tolist()):
            self._read(number, result[row : row + 1])
        return result

    def columns(self, start: int, stop: int) -> Tensor:
        """Return the values start … stop − 1 of all rows, flattened: (N, stop − start)."""
        result = torch.empty(len(self), stop - start, dtype=self.dtype)
        for row, values in enumerate(result):
            self._read(row, values, start)
        return result

    def _read(self, start: int, into: Tensor, column: int = 0) -> None:
        """Fill `into` with what begins at a row, or at a value in this row."""
        values = start * self.shape[1:].numel() + column
        content = memoryview(into.view(-1).view(torch.uint8).numpy())
        try:
            self.file.seek(self.offset + values * self.dtype.itemsize)
            while content:  # an unbuffered file may read only a part
                if not (read := self.file.readinto(content)):
                    raise OSError(errno.EIO, "it is shorter than what was written")
                content = content[read:]
        except OSError as error:
            raise DataError(
                f"metrics_memory: the temporary file in {tempfile.gettempdir()} of the features "
                f"and samples that metrics keep cannot be read ({error.strerror}). Name another "
                "folder in the environment variable TMPDIR, or raise metrics_memory."
            ) from error


class Rows:
    """Rows of equal shape that are read like a tensor (N, …), by slices or by indices.

    Args:
        parts: what `Store.put` returned, in the order of the rows.
    """

    device = torch.device("cpu")

    def __init__(self, parts: Iterable[Tensor | _OnDisk] = ()) -> None:
        self.parts = [part for part in parts if len(part)]
        self.chosen: Tensor | None = None  # indices into the rows of all parts; None for all

    def append(self, part: Tensor | _OnDisk) -> None:
        """Add what `Store.put` returned for rows (n, …).

        Raises:
            ValueError: these are rows that `select` has returned.
        """
        self.check_not_selected()
        if len(part):
            self.parts.append(part)

    def select(self, index: Tensor) -> Rows:
        """Return the rows with these indices (n,), without reading them."""
        chosen, index = Rows(self.parts), index.cpu()
        chosen.chosen = index if self.chosen is None else self.chosen[index]
        return chosen

    def check_not_selected(self) -> None:
        """Raise a ValueError for rows that `select` has returned."""
        if self.chosen is not None:
            raise ValueError("rows that are selected cannot be extended or joined")

    def __len__(self) -> int:
        return sum(map(len, self.parts)) if self.chosen is None else len(self.chosen)

    def __deepcopy__(self, memo: dict[int, Any]) -> Rows:
        """Return a copy that shares the rows."""
        copied = Rows(self.parts)
        copied.chosen = self.chosen
        return copied

    @property
    def shape(self) -> torch.Size:
        """(N, …); (0,) without rows."""
        return torch.Size([len(self), *(self.parts[0].shape[1:] if self.parts else ())])

    @property
    def dtype(self) -> torch.dtype:
        """The type of the rows."""
        return self.parts[0].dtype

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.shape[1:].numel() * self.dtype.itemsize

    def __getitem__(self, index: slice | Tensor) -> Tensor:
        """Return the rows of a slice or of indices (n,), a tensor on the CPU."""
        if self.chosen is not None:
            return self._gather(self.chosen[index])
        if not isinstance(index, slice):
            return self._gather(index.cpu())
        start, stop, _ = index.indices(len(self))
        parts, first = [], 0
        for part in self.parts:
            inside = slice(max(start - first, 0), min(stop - first, len(part)))
            if inside.start < inside.stop:
                parts.append(part[inside])
            first += len(part)
        if len(parts) == 1:
            return parts[0]
        return torch.cat(parts) if parts else torch.empty(0, *self.shape[1:], dtype=self.dtype)

    def _gather(self, index: Tensor) -> Tensor:
        result = torch.empty(len(index), *self.shape[1:], dtype=self.dtype)
        ends = torch.tensor(list(accumulate(map(len, self.parts))))
        part_of = torch.bucketize(index, ends, right=True)
        for number in part_of.unique().tolist():
            rows = (part_of == number).nonzero().flatten()
            part = self.parts[number]
            result[rows] = part[index[rows] - (int(ends[number]) - len(part))]
        return result

    def columns(self, start: int, stop: int) -> Tensor:
        """Return the values start … stop − 1 of all rows, flattened: (N, stop − start)."""
        result = torch.empty(len(self), stop - start, dtype=self.dtype)
        first = 0
        for part in self.split(1) if self.chosen is not None else self.parts:
            of_part = slice(first, first + len(part))
            if isinstance(part, Tensor):
                result[of_part] = part.flatten(1)[:, start:stop]
            else:
                result[of_part] = part.columns(start, stop)
            first += len(part)
        return result

    def loaded(self, memory: int) -> Tensor | Rows:
        """Return a tensor of all rows if they fit into `memory` bytes, else the rows themselves."""
        return self[:] if len(self) and len(self) * self.row_bytes <= memory else self

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield consecutive tensors of `size` rows; the last may be smaller."""
        for first in range(0, len(self), size):
            yield self[first : first + size]


def joined(sets: Iterable[Rows]) -> Rows:
    """Return the rows of several sets, one set after the other.

    Raises:
        ValueError: a set holds rows that `select` has returned.
    """
    result = Rows()
    for rows in sets:
        rows.check_not_selected()
        result.parts.extend(rows.parts)
    return result


def gathered(rows: Rows, gather: Callable[[Tensor], list[Tensor]], store: Store, size: int) -> Rows:
    """Return the rows of all processes, in the order of the ranks. All processes must call this.

    Args:
        rows: the rows of this process.
        gather: returns the tensors of all processes, which may differ in length.
        store: where the rows are kept.
        size: rows that are gathered at once, equal in all processes.
    """
    most = max(int(count) for count in gather(torch.tensor(len(rows))))
    parts: dict[int, list[Tensor | _OnDisk]] = {}
    for first in range(0, most, size):
        for rank, part in enumerate(gather(rows[first : first + size])):
            parts.setdefault(rank, []).append(store.put(part))
    return Rows(part for rank in sorted(parts) for part in parts[rank])
