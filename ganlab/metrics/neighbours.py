"""Exact searches for nearest neighbours, in tiles whose memory is bounded.

Everything is computed in float64 from ‖a‖² + ‖b‖² − 2ab of centred features: in float32 that sum
loses the distance of points that are nearly the same, and refining them costs more code than
float64 costs time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from ganlab.errors import ConfigError

Tile = tuple[slice, slice, Tensor]

_EXPECTED_SECONDS = 5.0  # a search that is expected to take longer shows its progress
_LARGEST = 2048  # points; larger tiles are slower on a CPU
_ROUNDING = 1e-13  # of squared norms: above what a float64 product loses, below float32 features
_TIE = 1e-9  # of a squared radius


def as_double(values: Tensor) -> Tensor:
    """A float64 copy, on the CPU where the device has no float64."""
    values = values.cpu() if values.device.type == "mps" else values
    return values.to(torch.float64, copy=True)


def tile_side(width: int, memory_mib: int) -> int:
    """Number of points in each direction of a tile, so that its temporaries fit.

    A tile of n × n takes 8 n² bytes of products, up to 9 n² of a comparison and its sum, and two
    copies of both sides' features: in all at most 24 n² + 32 n (D + 2).

    Args:
        width: D, the number of features.
        memory_mib: MiB for all temporaries, > 0.

    Raises:
        ConfigError: not even one point fits.
    """
    half = 16 * (width + 2)
    side = int((math.sqrt(half**2 + 24 * memory_mib * 2**20) - half) / 24) if memory_mib > 0 else 0
    if side < 1:
        needed = math.ceil((24 + 2 * half) / 2**20)
        raise ConfigError(
            f"memory_mib: received {memory_mib}; {width:,} features need {needed} or more."
        )
    return min(side, _LARGEST)


def distance_tiles(
    points: Tensor,
    others: Tensor | None = None,
    *,
    memory_mib: int = 2048,
    what: str = "distances",
) -> Iterator[Tile]:
    """Squared Euclidean distances between two sets, or within one, tile by tile.

    Distances below about 4e-7 of the points' distance from their mean are 0, so that a copy is at
    0 from its original.

    Args:
        points: (N, D), any floating type.
        others: (M, D); None for the distances within `points`, of which only tiles on and above
            the diagonal are given; the distance of a point to itself is infinite there.
        memory_mib: MiB for the temporaries, beside the two sets and what the caller keeps.
        what: names the search where its progress is shown.

    Yields:
        Rows of `points`, columns of `others`, and float64 (rows, columns): a buffer that the next
        tile overwrites.
    """
    centre = as_double((points if others is None else others).mean(0))

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

    for rows, columns, tile in _products(points, others, left, right, memory_mib, what):
        tile.clamp_min_(0)
        if others is None and rows == columns:
            tile.fill_diagonal_(torch.inf)
        yield rows, columns, tile


def cosine_tiles(
    points: Tensor, others: Tensor, *, memory_mib: int = 2048, what: str = "cosines"
) -> Iterator[Tile]:
    """Cosines of the angles between two sets, as `distance_tiles`; NaN for a vector of zeros."""

    def unit(values: Tensor) -> Tensor:
        return values.div_(torch.linalg.vector_norm(values, dim=1, keepdim=True))

    yield from _products(points, others, unit, unit, memory_mib, what)


def kth_neighbour(
    points: Tensor, k: int, *, memory_mib: int = 2048, what: str = "neighbours"
) -> Tensor:
    """Distance (N,) of each point to its k-th nearest one of the others, float64.

    Args:
        points: (N, D).
        k: 1 for the nearest; a point is not its own neighbour, but a copy of it is.
        memory_mib: MiB for the temporaries, see `distance_tiles`.
        what: names the search where its progress is shown.

    Raises:
        ConfigError: there are not k other points.
    """
    if not 1 <= k < len(points):
        raise ConfigError(f"k: received {k} for {len(points)} points; needs 1 to one less.")
    best = as_double(points[:, :1]).new_full((len(points), k), torch.inf)

    def keep(where: slice, tile: Tensor, dim: int) -> None:
        found = tile.topk(min(k, tile.shape[dim]), dim, largest=False, sorted=False).values
        found = torch.cat([best[where], found if dim else found.T], 1)
        best[where] = found.topk(k, 1, largest=False).values

    for rows, columns, tile in distance_tiles(points, memory_mib=memory_mib, what=what):
        keep(rows, tile, 1)
        if rows != columns:
            keep(columns, tile, 0)
    return best[:, -1].sqrt()


def nearest(
    points: Tensor, others: Tensor, *, memory_mib: int = 2048, what: str = "nearest neighbours"
) -> tuple[Tensor, Tensor]:
    """Of each point, the distance to the nearest of the others (N,), float64, and its index (N,).

    The distance is that of the differences, hence exactly 0 for a copy.

    Args:
        points: (N, D).
        others: (M, D), M ≥ 1.
        memory_mib: MiB for the temporaries, see `distance_tiles`.
        what: names the search where its progress is shown.
    """
    best = as_double(points[:, :1]).new_full((len(points),), torch.inf)
    index = torch.zeros(len(points), dtype=torch.long, device=best.device)
    for rows, columns, tile in distance_tiles(points, others, memory_mib=memory_mib, what=what):
        least, where = tile.min(1)
        index[rows] = torch.where(least < best[rows], where + columns.start, index[rows])
        best[rows] = torch.minimum(best[rows], least)
    side, index = tile_side(points.shape[1], memory_mib), index.to(points.device)
    for rows in _slices(len(points), side):
        difference = as_double(points[rows]).sub_(as_double(others[index[rows]]))
        best[rows] = torch.linalg.vector_norm(difference, dim=1)
    return best, index


def closed_ball(radius: Tensor) -> Tensor:
    """Squared distances up to this are ≤ `radius`, rounding aside: a tie is inside."""
    return radius.square() * (1 + _TIE)


def open_ball(radius: Tensor) -> Tensor:
    """Squared distances below this are < `radius`, rounding aside: a tie is outside."""
    return radius.square() * (1 - _TIE)


def _products(
    points: Tensor,
    others: Tensor | None,
    left: Callable[[Tensor], Tensor],
    right: Callable[[Tensor], Tensor],
    memory_mib: int,
    what: str,
) -> Iterator[Tile]:
    """Inner products of what `left` and `right` make of float64 copies of rows of two sets."""
    symmetric = others is None
    others = points if symmetric else others
    side = tile_side(points.shape[1], memory_mib)
    total = math.ceil(len(points) / side) * math.ceil(len(others) / side)
    with _Shown(what, total=total if not symmetric else (total + math.isqrt(total)) // 2) as shown:
        buffer = torch.empty(0)
        for rows in _slices(len(points), side):
            a = left(as_double(points[rows]))
            for columns in _slices(len(others), side, rows.start if symmetric else 0):
                b = right(as_double(others[columns]))
                if not buffer.numel():
                    buffer = a.new_empty(len(a) * len(b))
                tile = buffer[: len(a) * len(b)].view(len(a), len(b))
                torch.mm(a, b.T, out=tile)
                del b  # before the next is made
                yield rows, columns, tile
                shown.advance()
            del a


def _slices(length: int, side: int, start: int = 0) -> Iterator[slice]:
    for first in range(start, length, side):
        yield slice(first, min(first + side, length))


class _Shown:
    """A bar on stderr, once the work is expected to take long."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.start, self.bar = time.monotonic(), None

    def __enter__(self) -> _Shown:
        return self

    def advance(self) -> None:
        self.done += 1
        expected = (time.monotonic() - self.start) * self.total / self.done
        if self.bar is None and expected > _EXPECTED_SECONDS:
            self.bar = Progress(console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task(self.what, total=self.total)
            self.bar.start()
        if self.bar:
            self.bar.update(self.task, completed=self.done)

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()
