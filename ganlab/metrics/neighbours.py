"""Exact searches for nearest neighbours, tile by tile, in bounded memory.

Squared distances are computed as ‖a‖² + ‖b‖² − 2ab of centred features, in float64. In float32
this sum would be all rounding error for nearly equal points. Float64 takes more time, but a
correction of such pairs would take more code.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import torch
from rich.progress import Progress
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.metrics.memory import DEFAULT_MEMORY, rows_within
from ganlab.metrics.rows import Rows
from ganlab.printable import console

Tile = tuple[slice, slice, Tensor]

_EXPECTED_SECONDS = 5.0  # a search that is expected to take longer shows its progress
_LARGEST = 2048  # largest number of points along a tile's side; larger tiles are slower on a CPU
# this share of each squared norm is subtracted from the norm: more than the rounding error of a
# float64 product, less than that of float32 features
_ROUNDING = 1e-13
_TIE = 1e-9  # relative tolerance of a squared radius


def as_double(values: Tensor) -> Tensor:
    """Return a float64 copy, on the CPU if the device does not support float64."""
    values = values.cpu() if values.device.type == "mps" else values
    return values.to(torch.float64, copy=True)


def tile_side(width: int, memory: int) -> int:
    """Return the side n, 1 to 2,048, of the largest n × n tile that fits into the memory.

    A tile takes 8 n² bytes for the products, up to 9 n² bytes for a comparison and its sum, and
    two copies of the features of its rows and columns: in all at most 24 n² + 32 n (D + 2) bytes.

    Args:
        width: D, the number of features.
        memory: bytes for all temporaries.
    """
    half = 16 * (width + 2)
    side = int((math.sqrt(half**2 + 24 * memory) - half) / 24)
    return min(max(side, 1), _LARGEST)


def distance_tiles(
    points: Tensor | Rows,
    others: Tensor | Rows | None = None,
    *,
    memory: int = DEFAULT_MEMORY,
    what: str = "distances",
) -> Iterator[Tile]:
    """Yield squared Euclidean distances between two sets, or within one set, tile by tile.

    Distances below about 4e-7 of the points' distance from their mean are set to 0, so that the
    distance between a point and its copy is exactly 0.

    Args:
        points: (N, D), any floating-point type; pictures (N, …) are flattened.
        others: (M, D); None for the distances within `points`. Then only tiles on and above the
            diagonal are yielded, and the distance of a point to itself is infinite.
        memory: bytes for the temporaries. The two sets and the caller's tensors need additional
            memory.
        what: description of the search, shown next to its progress bar.

    Yields:
        A slice of `points`, a slice of `others`, and their distances, float64 (rows, columns), in
        a buffer that the next tile overwrites.
    """
    centre = mean_of(points if others is None else others, memory)

    def embed(values: Tensor) -> tuple[Tensor, Tensor]:
        values = values.sub_(centre)
        norms = torch.einsum("nd,nd->n", values, values)[:, None]
        return values, norms.mul_(1 - _ROUNDING)

    def left(values: Tensor) -> Tensor:
        values, norms = embed(values)
        return torch.cat([values.mul_(-2), norms, torch.ones_like(norms)], 1)

    def right(values: Tensor) -> Tensor:
        values, norms = embed(values)
        return torch.cat([values, torch.ones_like(norms), norms], 1)

    for rows, columns, tile in _products(points, others, left, right, memory, what):
        tile.clamp_min_(0)
        if others is None and rows == columns:
            tile.fill_diagonal_(torch.inf)
        yield rows, columns, tile


def cosine_tiles(
    points: Tensor | Rows,
    others: Tensor | Rows,
    *,
    memory: int = DEFAULT_MEMORY,
    what: str = "cosines",
) -> Iterator[Tile]:
    """Yield cosines of the angles between two sets, NaN for zero vectors; see `distance_tiles`."""

    def unit(values: Tensor) -> Tensor:
        return values.div_(torch.linalg.vector_norm(values, dim=1, keepdim=True))

    yield from _products(points, others, unit, unit, memory, what)


def product_tiles(
    points: Tensor | Rows, others: Tensor | Rows, *, memory: int, what: str = "products"
) -> Iterator[Tile]:
    """Yield inner products of two sets; see `distance_tiles`."""
    yield from _products(points, others, lambda x: x, lambda x: x, memory, what)


def kth_neighbour(
    points: Tensor | Rows, k: int, *, memory: int = DEFAULT_MEMORY, what: str = "neighbours"
) -> Tensor:
    """Return the distance (N,) of each point to its k-th nearest neighbour in the set, float64.

    Args:
        points: (N, D).
        k: 1 for the nearest neighbour. A point is not its own neighbour, but its copies are.
        memory: bytes for the temporaries, see `distance_tiles`.
        what: description of the search, shown next to its progress bar.

    Raises:
        ConfigError: k is below 1, or there are fewer than k other points.
    """
    if not 1 <= k < len(points):
        raise ConfigError(
            f"k: received {k} for {len(points)} points; needs 1 or more, and more than k points."
        )
    best = torch.full((len(points), k), torch.inf, dtype=torch.float64, device=_device(points))

    def keep(rows: slice, tile: Tensor, dim: int) -> None:
        smallest = tile.topk(min(k, tile.shape[dim]), dim, largest=False, sorted=False).values
        candidates = torch.cat([best[rows], smallest if dim else smallest.T], 1)
        best[rows] = candidates.topk(k, 1, largest=False).values

    for rows, columns, tile in distance_tiles(points, memory=memory, what=what):
        keep(rows, tile, 1)
        if rows != columns:
            keep(columns, tile, 0)
    return best[:, -1].sqrt()


def nearest(
    points: Tensor | Rows,
    others: Tensor | Rows,
    *,
    memory: int = DEFAULT_MEMORY,
    what: str = "nearest neighbours",
) -> tuple[Tensor, Tensor]:
    """Return the distance and the index of the nearest neighbour in `others` of each point.

    The final distance is computed from the difference of the two points, so it is exactly 0 for a
    copy.

    Args:
        points: (N, D).
        others: (M, D), M ≥ 1.
        memory: bytes for the temporaries, see `distance_tiles`.
        what: description of the search, shown next to its progress bar.

    Returns:
        Distances (N,), float64, and indices (N,) into `others`.
    """
    best = torch.full((len(points),), torch.inf, dtype=torch.float64, device=_device(points))
    index = torch.zeros(len(points), dtype=torch.long, device=best.device)
    for rows, columns, tile in distance_tiles(points, others, memory=memory, what=what):
        least, column = tile.min(1)
        index[rows] = torch.where(least < best[rows], column + columns.start, index[rows])
        best[rows] = torch.minimum(best[rows], least)
    index = index.to(points.device)
    for rows in _slices(len(points), tile_side(_width(points), memory)):
        difference = as_double(points[rows]).flatten(1)
        difference.sub_(as_double(others[index[rows]]).flatten(1))
        best[rows] = torch.linalg.vector_norm(difference, dim=1)
    return best, index


def closed_ball(radius: Tensor) -> Tensor:
    """Return radius², slightly enlarged, so that points at distance `radius` are inside."""
    return radius.square() * (1 + _TIE)


def open_ball(radius: Tensor) -> Tensor:
    """Return radius², slightly reduced, so that points at distance `radius` are outside."""
    return radius.square() * (1 - _TIE)


def _products(
    points: Tensor | Rows,
    others: Tensor | Rows | None,
    left: Callable[[Tensor], Tensor],
    right: Callable[[Tensor], Tensor],
    memory: int,
    what: str,
) -> Iterator[Tile]:
    """Yield the inner products of `left(rows of points)` and `right(rows of others)` by tile.

    `left` and `right` get float64 copies, which they may overwrite.
    """
    symmetric = others is None
    others = points if symmetric else others
    side = tile_side(_width(points), memory)
    total = math.ceil(len(points) / side) * math.ceil(len(others) / side)
    total = (total + math.isqrt(total)) // 2 if symmetric else total
    with _ProgressBar(what, total) as progress:
        buffer = torch.empty(0)
        for rows in _slices(len(points), side):
            a = left(as_double(points[rows]).flatten(1))
            for columns in _slices(len(others), side, rows.start if symmetric else 0):
                b = right(as_double(others[columns]).flatten(1))
                if not buffer.numel():
                    buffer = a.new_empty(len(a) * len(b))
                tile = buffer[: len(a) * len(b)].view(len(a), len(b))
                torch.mm(a, b.T, out=tile)
                del b  # free its memory before the next `b` is allocated
                yield rows, columns, tile
                progress.advance()
            del a


def mean_of(rows: Tensor | Rows, memory: int) -> Tensor:
    """Return the mean (D,) of rows (N, …), flattened, in float64."""
    total = torch.zeros(_width(rows), dtype=torch.float64, device=_device(rows))
    for part in rows.split(rows_within(memory, 16 * _width(rows))):
        total += as_double(part).flatten(1).sum(0)
    return total / len(rows)


def _width(rows: Tensor | Rows) -> int:
    return rows.shape[1:].numel()


def _device(rows: Tensor | Rows) -> torch.device:
    """Return the device for float64 numbers that belong to the rows."""
    return torch.device("cpu") if rows.device.type == "mps" else rows.device


def _slices(length: int, side: int, start: int = 0) -> Iterator[slice]:
    for first in range(start, length, side):
        yield slice(first, min(first + side, length))


class _ProgressBar:
    """A progress bar on stderr that appears only if the work is expected to take long."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.start, self.bar = time.monotonic(), None

    def __enter__(self) -> _ProgressBar:
        return self

    def advance(self) -> None:
        self.done += 1
        expected = (time.monotonic() - self.start) * self.total / self.done
        if self.bar is None and expected > _EXPECTED_SECONDS:
            self.bar = Progress(console=console(), transient=True)
            self.task = self.bar.add_task(self.what, total=self.total)
            self.bar.start()
        if self.bar:
            self.bar.update(self.task, completed=self.done)

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()
