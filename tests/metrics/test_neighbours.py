"""The searches for neighbours: brute force, copies, and memory."""

import pytest
import torch

from ganlab.errors import ConfigError
from ganlab.metrics import neighbours
from ganlab.metrics.memory import PeakMemory
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


@pytest.mark.parametrize(("width", "mib"), [(3, 1), (256, 1), (256, 4), (2048, 1), (2048, 4)])
def test_tensors_stay_below_the_limit(mib, width):
    """The peak counts the results of torch operations, but not memory that they use internally.

    `tile_side` allows for the internal memory. The results, a few numbers per point, are no
    temporaries.
    """
    points, others = features(200, width, dtype=torch.float32), features(300, width)
    results, memory = 8 * 200 * 4 * 3, mib * 2**20
    for search in (
        lambda: kth_neighbour(points, 3, memory=memory),
        lambda: nearest(points, others, memory=memory),
        lambda: [x[2].abs_().amax(1) for x in cosine_tiles(points, others, memory=memory)],
    ):
        with PeakMemory() as peak:
            search()
        assert peak.peak < memory + results
        assert peak.now <= results


@pytest.mark.parametrize("width", [1, 128, 2048, 200_000])
@pytest.mark.parametrize("mib", [16, 256, 2048])
def test_sides_use_the_memory(width, mib):
    """The side is the largest that fits according to `tile_side`, but at most 2048."""

    def need(n):
        return 24 * n**2 + 32 * n * (width + 2)

    memory = mib * 2**20
    side = tile_side(width, memory)
    assert need(side) <= memory
    assert side == 2048 or need(side + 1) > memory


def test_bad_input():
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
