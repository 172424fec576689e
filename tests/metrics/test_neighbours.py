"""The searches for neighbours: brute force, copies, and memory."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from ganlab.errors import ConfigError
from ganlab.metrics import neighbours
from ganlab.metrics.neighbours import (
    closed_ball,
    cosine_tiles,
    distance_tiles,
    kth_neighbour,
    nearest,
    open_ball,
    tile_side,
)

SIDES = pytest.mark.parametrize("side", [3, 20, 50, 99, 100, 1000])


def features(n, d=8, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=dtype)


class Peak(TorchDispatchMode):
    """Records the peak memory, in bytes, of the tensors that operations create in its context."""

    def __init__(self):
        super().__init__()
        self.alive, self.now, self.peak = {}, 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {self._storage(x) for x in tree_iter((args, kwargs)) if torch.is_tensor(x)}
        for tensor in (x for x in tree_iter(result) if torch.is_tensor(x)):
            storage = self._storage(tensor)
            if storage in self.alive or storage not in given:
                self._add(tensor, storage)
        return result

    def _storage(self, tensor):
        return tensor.untyped_storage().data_ptr()

    def _add(self, tensor, storage):
        count, size = self.alive.get(storage, (0, tensor.untyped_storage().nbytes()))
        self.now += size if count == 0 else 0
        self.alive[storage] = (count + 1, size)
        self.peak = max(self.peak, self.now)
        weakref.finalize(tensor, self._drop, storage)

    def _drop(self, storage):
        count, size = self.alive.pop(storage)
        if count > 1:
            self.alive[storage] = (count - 1, size)
        else:
            self.now -= size


@pytest.fixture
def set_side(monkeypatch):
    """Return a function that sets the side of tiles, whatever the memory limit."""
    return lambda side: monkeypatch.setattr(neighbours, "tile_side", lambda *_: side)


# --- against all pairs at once --------------------------------------------------------------------


@SIDES
def test_tiles_cover_all_pairs_once(side, set_side):
    set_side(side)
    points, others = features(99), features(150, seed=1)
    result = torch.full((99, 150), torch.nan, dtype=torch.float64)
    for rows, columns, tile in distance_tiles(points, others):
        assert result[rows, columns].isnan().all()
        result[rows, columns] = tile
    assert torch.allclose(result, torch.cdist(points, others).square(), rtol=1e-9, atol=1e-9)


@SIDES
@pytest.mark.parametrize("k", [1, 3, 98])
def test_kth_neighbour(side, k, set_side):
    set_side(side)
    points = features(99)
    expected = torch.cdist(points, points).sort(1).values[:, k]
    assert torch.allclose(kth_neighbour(points, k), expected, rtol=1e-9)


@SIDES
def test_nearest(side, set_side):
    set_side(side)
    points, others = features(99), features(150, seed=1)
    distance, index = nearest(points, others)
    expected = torch.cdist(points, others).min(1)
    assert torch.equal(index, expected.indices)
    assert torch.allclose(distance, expected.values, rtol=1e-12)


@SIDES
def test_cosines(side, set_side):
    set_side(side)
    points, others = features(30), features(40, seed=1)
    expected = torch.nn.functional.cosine_similarity(points[:, None], others[None], dim=2)
    result = torch.full_like(expected, torch.nan)
    for rows, columns, tile in cosine_tiles(points, others):
        result[rows, columns] = tile
    assert torch.allclose(result, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_input_is_not_changed(dtype):
    points, others = features(50, dtype=dtype), features(60, seed=1, dtype=dtype)
    before = points.clone(), others.clone()
    kth_neighbour(points, 2)
    nearest(points, others)
    list(cosine_tiles(points, others))
    assert torch.equal(points, before[0])
    assert torch.equal(others, before[1])


# --- copies and points that are nearly the same ---------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 100.0])
@SIDES
def test_copies_are_at_zero(side, dtype, offset, set_side):
    """Distances of copies are exactly 0, in every tile and also far from the origin."""
    set_side(side)
    points = features(60, 300, dtype=dtype) + offset
    twice = torch.cat([points, points.flip(0)])
    assert (kth_neighbour(twice, 1) == 0).all()
    assert (kth_neighbour(twice, 2) > 1).all()
    distance, index = nearest(points.flip(0), points)
    assert (distance == 0).all()
    assert torch.equal(index, torch.arange(60).flip(0))


@pytest.mark.parametrize("gap", [1e-3, 1e-5])
def test_near_copies_keep_their_distance(gap):
    """Squared distances are 1e-10 of the squared norms, below the precision of float32."""
    points = features(50, 300)
    moved = points.clone()
    moved[:, 0] += gap * 300**0.5
    result = kth_neighbour(torch.cat([points, moved]), 1)
    assert torch.allclose(result, torch.full_like(result, gap * 300**0.5), rtol=2e-3)


@pytest.mark.parametrize("sides", [(7, 64), (64, 7), (33, 50)])
def test_a_tie_is_decided_alike_in_all_tiles(sides, set_side):
    """A copy of the k-th neighbour is on the border: in the closed ball, not in the open ball."""
    points = features(200, 64, dtype=torch.float32)
    set_side(sides[0])
    radius = kth_neighbour(points, 3)
    set_side(sides[1])
    closed = torch.zeros(200)
    opened = torch.zeros(200)
    for rows, _, squared in distance_tiles(points, points.clone()):
        closed[rows] += (squared <= closed_ball(radius)[rows, None]).sum(1)
        opened[rows] += (squared < open_ball(radius)[rows, None]).sum(1)
    assert (closed == 4).all()
    assert (opened == 3).all()


# --- memory and time ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "memory_mib"), [(3, 1), (256, 1), (256, 4), (2048, 1), (2048, 4)]
)
def test_tensors_stay_below_the_limit(memory_mib, width):
    """The peak counts the results of torch operations, but not memory that they use internally.

    `tile_side` allows for the internal memory. The results, a few numbers per point, are no
    temporaries.
    """
    points, others = features(200, width, dtype=torch.float32), features(300, width)
    results = 8 * 200 * 4 * 3
    for search in (
        lambda: kth_neighbour(points, 3, memory_mib=memory_mib),
        lambda: nearest(points, others, memory_mib=memory_mib),
        lambda: [x[2].abs_().amax(1) for x in cosine_tiles(points, others, memory_mib=memory_mib)],
    ):
        with Peak() as peak:
            search()
        assert peak.peak < memory_mib * 2**20 + results
        assert peak.now <= results


def test_peak_counts_each_storage_once_and_until_it_is_freed():
    with Peak() as peak:
        a = torch.zeros(1000, dtype=torch.float64)
        b = (a + 1).view(10, 100)[2:]
        a.add_(1)
        del a
        torch.ones(500, dtype=torch.float64)
    assert (peak.peak, peak.now) == (16_000, 8_000)
    assert b.sum() == 800


@pytest.mark.parametrize("width", [1, 128, 2048, 200_000])
@pytest.mark.parametrize("memory_mib", [16, 256, 2048])
def test_sides_use_the_memory(width, memory_mib):
    """The side is the largest that fits according to `tile_side`, but at most 2048."""

    def need(n):
        return 24 * n**2 + 32 * n * (width + 2)

    side = tile_side(width, memory_mib)
    assert need(side) <= memory_mib * 2**20
    assert side == 2048 or need(side + 1) > memory_mib * 2**20


def test_bad_input():
    for memory_mib in (0, -1, 1):
        with pytest.raises(ConfigError, match=r"memory_mib: received .* need 7 or more"):
            tile_side(200_000, memory_mib)
    for k in (0, 5):
        with pytest.raises(ConfigError, match=f"received {k} for 5 points"):
            kth_neighbour(features(5), k)


def test_progress_is_shown_for_long_searches_only(capfd, monkeypatch, set_side):
    set_side(10)
    kth_neighbour(features(50), 1, what="short")
    monkeypatch.setattr(neighbours, "_EXPECTED_SECONDS", 0.0)
    shown = []
    monkeypatch.setattr(
        neighbours.Progress, "update", lambda *a, completed: shown.append(completed)
    )
    kth_neighbour(features(50), 1, what="long")
    output = capfd.readouterr()
    assert "short" not in output.err
    assert shown == list(range(1, 16))  # 5 × 5 tiles, of which 15 on or above the diagonal
    assert output.out == ""
