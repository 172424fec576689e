"""Sliced Wasserstein distances against closed forms, and their sensitivity on images."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import avg_pool2d

from ganlab.errors import ConfigError
from ganlab.metrics.distances.projections import random_directions, sliced_wasserstein
from ganlab.metrics.distances.pyramid import enlarge, laplacian_pyramid
from ganlab.metrics.distances.sliced_wasserstein import PointSlicedWasserstein, SlicedWasserstein
from ganlab.modalities import of_shape


def images(n=200, size=32, channels=1, seed=0):
    """Return smooth blobs with fine noise, so that every level of a pyramid has structure."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, channels, 5, 5, generator=rng)
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic")
    noise = 0.15 * torch.randn(n, channels, size, size, generator=rng)
    return ((smooth + noise).clamp(0, 1) * 255).to(torch.uint8)


def bound(metric, shape):
    metric.bind(None, SimpleNamespace(shape=shape, classes=None, modality=of_shape(shape)))
    return metric


def score(real, fake, metric=None):
    metric = metric or SlicedWasserstein(directions=64)
    for part, is_real in ((real, True), (fake, False)):
        for batch in part.split(64):
            metric.update(batch, real=is_real)
    result = metric.compute()
    return {k: float(v) for k, v in result.items()} if isinstance(result, dict) else float(result)


def points(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


# --- points --------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 7])
def test_translated_points(d):
    """A set and a copy moved by t have the distance mean |⟨θ, t⟩| over directions; |t| if d = 1."""
    x, t = points(500, d), points(1, d, seed=1)
    directions = random_directions(d, 512, seed=0)
    assert directions.norm(dim=0).sub(1).abs().max() < 1e-6
    expected = float((t @ directions).abs().mean())
    result = score(x, x + t, PointSlicedWasserstein())
    assert result == pytest.approx(expected, rel=1e-4)
    mean = math.gamma(d / 2) / (math.sqrt(math.pi) * math.gamma((d + 1) / 2))
    assert result == pytest.approx(mean * float(t.norm()), rel=0 if d == 1 else 0.1, abs=1e-5)


@pytest.mark.parametrize(("mean", "scale"), [(2.0, 1.0), (0.0, 3.0), (-3.0, 1.5)])
def test_gaussians_in_one_dimension(mean, scale):
    """W₁(N(0, 1), N(μ, σ²)) = E|μ + (σ − 1)Z|, the mean of a folded normal distribution."""
    spread = abs(scale - 1)
    expected = abs(mean)
    if spread:
        ratio = mean / spread
        expected = spread * math.sqrt(2 / math.pi) * math.exp(-(ratio**2) / 2)
        expected += mean * math.erf(ratio / math.sqrt(2))
    result = score(points(40_000, 1), mean + scale * points(40_000, 1, 1), PointSlicedWasserstein())
    assert result == pytest.approx(expected, abs=0.05)


def test_equal_and_reordered_points_are_at_zero():
    x = points(300, 3)
    shuffled = x[torch.randperm(300, generator=torch.Generator().manual_seed(1))]
    assert score(x, shuffled, PointSlicedWasserstein()) == pytest.approx(0, abs=1e-6)


def test_agrees_with_an_assignment():
    """In one dimension the distance is the mean cost of the best of all assignments."""
    import itertools

    x, y = points(6, 1), points(6, 1, seed=1)
    best = min((x - y[list(p)]).abs().mean() for p in itertools.permutations(range(6)))
    assert float(sliced_wasserstein(x, y, torch.ones(1, 1))) == pytest.approx(float(best), rel=1e-5)


def test_unequal_numbers_of_points():
    """A random subset of the larger set keeps the distance that of the distributions."""
    result = score(points(20_000, 1), 2 + points(10_000, 1, 1), PointSlicedWasserstein())
    assert result == pytest.approx(2, abs=0.05)


# --- the pyramid ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(32, 32), (28, 28), (33, 29)])
def test_the_pyramid_reconstructs_the_images(height, width):
    original = torch.rand(3, 2, height, width, dtype=torch.float64)
    pyramid = laplacian_pyramid(original, 3)
    result = pyramid[-1]
    for details in reversed(pyramid[:-1]):
        result = details + enlarge(result, details.shape)
    assert torch.allclose(result, original, atol=1e-12)


def test_a_flat_image_has_no_details():
    pyramid = laplacian_pyramid(torch.full((1, 1, 29, 32), 7.0), 3)
    assert all(details.abs().max() < 1e-5 for details in pyramid[:-1])
    assert torch.allclose(pyramid[-1], torch.tensor(7.0))


def test_levels_of_common_sizes():
    sides = {size: [h for h, _ in SlicedWasserstein().sizes(size, size)] for size in (28, 32, 128)}
    assert sides == {28: [28, 14], 32: [32, 16], 128: [128, 64, 32, 16]}
    paper = SlicedWasserstein(smallest=16)
    assert paper.sizes(28, 28) == [(28, 28)]
    metric = bound(SlicedWasserstein(), (3, 32, 48))
    assert metric.scores == (
        "sliced_wasserstein",
        "sliced_wasserstein/32x48",
        "sliced_wasserstein/16x24",
    )


# --- images --------------------------------------------------------------------------------------


def test_equal_images_are_at_zero_and_the_first_score_is_the_mean():
    metric = bound(SlicedWasserstein(directions=64), (3, 32, 32))
    result = score(images(channels=3), images(channels=3), metric)
    assert tuple(result) == metric.scores
    assert max(result.values()) == 0
    result = score(images(), images(seed=1).flip(-1) // 2)
    levels = [value for name, value in result.items() if "/" in name]
    assert result["sliced_wasserstein"] == pytest.approx(sum(levels) / 2)


def test_the_order_of_images_matters_little():
    real, fake = images(400), images(400, seed=1) // 2 * 2
    flat = (255 * torch.rand(400, 1, 32, 32)).to(torch.uint8)
    far = score(real, flat)["sliced_wasserstein"]
    order = torch.randperm(400, generator=torch.Generator().manual_seed(1))
    near, shuffled = (score(real, x)["sliced_wasserstein"] for x in (fake, fake[order]))
    assert abs(near - shuffled) < 0.05 * far
    assert near < 0.5 * far


def test_blur_raises_the_distance_only_at_the_finest_level():
    real, other = images(200, size=64), images(200, size=64, seed=1)
    blurred = torch.nn.functional.interpolate(avg_pool2d(other.float(), 2), scale_factor=2.0)
    floor = score(real, other)
    result = score(real, blurred.round().to(torch.uint8))
    assert result["sliced_wasserstein/64"] > 4 * floor["sliced_wasserstein/64"]
    assert result["sliced_wasserstein/16"] < 2 * floor["sliced_wasserstein/16"]


def test_patches_are_windows_of_the_image():
    """The 49 numbers of a channel are a 7×7 window, at the same position in all channels."""
    ramp = torch.arange(32 * 40).view(1, 1, 32, 40).float()
    result = SlicedWasserstein(patches=50)._patches(
        torch.cat([ramp, ramp + 5000], 1), torch.Generator().manual_seed(0)
    )
    assert result.shape == (50, 2, 49)
    assert torch.equal(result[:, 0] + 5000, result[:, 1])
    windows = {
        tuple(w.flatten().tolist())
        for w in ramp[0, 0].unfold(0, 7, 1).unfold(1, 7, 1).flatten(0, 1)
    }
    assert {tuple(patch.tolist()) for patch in result[:, 0]} <= windows


def test_descriptors_are_normalised_by_channel_and_collapse_is_finite():
    metric = SlicedWasserstein()
    result = metric.descriptors(images(channels=3), 0, 2)[:].view(-1, 3, 49)
    assert result.mean((0, 2)).abs().max() < 1e-4
    assert (result.var((0, 2)) - 1).abs().max() < 1e-3
    black = torch.zeros(200, 1, 32, 32, dtype=torch.uint8)
    assert 0 < score(images(), black)["sliced_wasserstein"] < 1e5


# --- keeping, ranks and errors -------------------------------------------------------------------


def test_two_processes_give_the_score_of_one():
    real, fake = images(300), images(260, seed=1).flip(-1) // 2
    expected = score(real, fake)
    per_rank = [SlicedWasserstein(directions=64) for _ in range(2)]
    for rank, metric in enumerate(per_rank):
        metric.update(real.tensor_split(2)[rank], real=True)
        metric.update(fake.tensor_split(2)[rank], real=False)
    per_rank[1].merge_state(per_rank[0])
    result = per_rank[1].compute()
    assert {name: float(value) for name, value in result.items()} == expected


def test_a_bounded_random_subset_is_kept():
    """A tenth of 0 … 9999 is kept, in order, evenly spread over the range."""
    metric = PointSlicedWasserstein(most=1000)
    for batch in torch.arange(10_000.0)[:, None].split(100):
        metric.update(batch, real=True)
        metric.update(batch, real=False)
    assert len(metric.real_rows) < 5000  # about 1000 · (1 + ln 10) are kept for the time being
    kept = metric.kept("real")[:].flatten()
    assert len(kept.unique()) == len(kept) == 1000
    assert torch.equal(kept, kept.sort().values)
    assert float(kept.mean()) == pytest.approx(5000, abs=5 * 2887 / math.sqrt(1000))


def test_too_few_or_invalid_samples_raise():
    with pytest.raises(ConfigError, match=r"50 real examples are too few.*kernel_distance"):
        score(images(50), images(200))
    with pytest.raises(ConfigError, match=r"needs images uint8 \(N, C, H, W\)"):
        SlicedWasserstein().update(images(2)[0], real=True)
    with pytest.raises(ConfigError, match="not finite"):
        PointSlicedWasserstein().update(torch.tensor([[1.0], [math.nan]]), real=False)
    with pytest.raises(ConfigError, match="needs equal shapes"):
        score(images(), images(size=28))
    with pytest.raises(ConfigError, match="PointSlicedWasserstein"):
        bound(SlicedWasserstein(), (2,))
    with pytest.raises(ConfigError, match="needs points"):
        bound(PointSlicedWasserstein(), (1, 28, 28))
    with pytest.raises(ConfigError, match="patches=0"):
        SlicedWasserstein(patches=0)


def test_the_explanation_names_the_worst_level():
    words = SlicedWasserstein().explain(
        {"sliced_wasserstein": 6.0, "sliced_wasserstein/28": 9.0, "sliced_wasserstein/14": 3.0}
    )
    assert "fine detail" in words["sliced_wasserstein/28"]
    assert PointSlicedWasserstein().explain({"sliced_wasserstein": 0.5})
