"""Processes rows in parts that fit into a memory limit."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from ganlab.private import TorchDispatchMode, tree_iter

DEFAULT_MEMORY = 512 * 2**20  # bytes
# convolutions on a CPU take up to this multiple of the memory of their inputs and results
_INTERNAL = 2.5


class PeakMemory(TorchDispatchMode):
    """Counts the memory of the tensors that operations create within the context.

    Memory that an operation uses internally is not counted.

    Attributes:
        now: bytes of the tensors that are alive.
        peak: largest value of `now`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive: dict[int, tuple[int, int]] = {}  # storage: (number of tensors, bytes)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the operation, and count the storages that it creates."""
        result = func(*args, **(kwargs or {}))
        given = {_storage(x) for x in tree_iter((args, kwargs)) if isinstance(x, Tensor)}
        for tensor in tree_iter(result):
            if isinstance(tensor, Tensor):
                storage = _storage(tensor)
                if storage in self._alive or storage not in given:
                    self._add(tensor, storage)
        return result

    def _add(self, tensor: Tensor, storage: int) -> None:
        count, size = self._alive.get(storage, (0, tensor.untyped_storage().nbytes()))
        self.now += size if count == 0 else 0
        self._alive[storage] = (count + 1, size)
        self.peak = max(self.peak, self.now)
        weakref.finalize(tensor, self._drop, storage).atexit = False

    def _drop(self, storage: int) -> None:
        count, size = self._alive.pop(storage)
        if count > 1:
            self._alive[storage] = (count - 1, size)
        else:
            self.now -= size


def in_parts(function: Callable[..., Any], *rows: Tensor, memory: int, what: str) -> Iterator[Any]:
    """Yield `function(*part)` for consecutive parts of the rows, as large as the memory allows.

    The memory that a row takes is measured: the first part has one row, and the second has two.
    A part has at least one row; if a row takes more than `memory`, a warning says so.

    Args:
        function: maps tensors (n, …) to anything; its results for a row do not depend on the other
            rows, apart from rounding.
        rows: tensors (N, …), which are split along their first dimension.
        memory: bytes that a call may take, results included.
        what: the work and its unit, for the warning, such as "LPIPS of one pair".
    """
    peaks = []
    for first, stop in ((0, 1), (1, 3)):
        if part := _part(rows, first, stop):
            with PeakMemory() as measured:
                result = function(*part)
            peaks.append(int(_INTERNAL * measured.peak))
            yield result
            del result
    if peaks:
        warn_if_above(peaks[0], memory, what)
    if len(rows[0]) <= 3:
        return
    each = max(peaks[1] - peaks[0], 1)
    step = max((memory - max(peaks[0] - each, 0)) // each, 1)
    for first in range(3, len(rows[0]), step):
        yield function(*_part(rows, first, first + step))


def warn_if_above(needed: int, memory: int, what: str) -> None:
    """Warn if work that cannot be divided needs more than the memory.

    Args:
        needed: bytes.
        memory: bytes that are set aside for the work.
        what: the work, for the warning.
    """
    if needed > memory:
        warnings.warn(
            f"metrics_memory: {what} may take {_mib(needed)}, but {_mib(memory)} are set aside "
            "for it, so the limit may be exceeded. Raise metrics_memory to "
            f"{-(-needed // memory)} times its value.",
            stacklevel=3,
        )


def map_in_parts(function: Callable[..., Any], *rows: Tensor, memory: int, what: str) -> Any:
    """Return the results of `in_parts` joined: a tensor (N, …), or a list of them.

    `function` maps tensors (n, …) to a tensor (n, …), or to a sequence of such tensors. The results
    are written into tensors that are made at the beginning. Small results that stay between large
    temporaries would keep the allocator from reusing the memory of these.
    """
    joined: list[Tensor] = []
    first, is_one = 0, True
    for result in in_parts(function, *rows, memory=memory, what=what):
        is_one = isinstance(result, Tensor)
        results = [result] if is_one else result
        joined = joined or [x.new_empty(len(rows[0]), *x.shape[1:]) for x in results]
        for whole, part in zip(joined, results, strict=True):
            whole[first : first + len(part)] = part
        first += len(results[0])
    return joined[0] if is_one else joined


def rows_within(memory: int, row_bytes: float) -> int:
    """Return how many rows of `row_bytes` bytes fit into the memory, 1 or more."""
    return max(int(memory // max(row_bytes, 1)), 1)


def _part(rows: tuple[Tensor, ...], first: int, stop: int) -> tuple[Tensor, ...]:
    """Return the rows first … stop − 1; () if there are none."""
    return tuple(x[first:stop] for x in rows) if first < len(rows[0]) else ()


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _mib(size: int) -> str:
    return f"{-(-size // 2**20):,} MiB"
