"""Mode coverage of samples whose modes and distances are known."""

import math

import pytest
import torch

from ganlab.data import MNIST5k, Ring, Synthetic
from ganlab.errors import ConfigError
from ganlab.metrics import ModeCoverage
from ganlab.metrics.variety.modes import StackedModes

SIGMA = 0.02


def ring(modes=8, radius=2.0):
    angles = torch.arange(modes) * (2 * math.pi / modes)
    return radius * torch.stack([angles.cos(), angles.sin()], dim=1)


def score(points, means=None, **options):
    metric = ModeCoverage(ring() if means is None else means, SIGMA, **options)
    metric.update(points)
    return {name: value.item() for name, value in metric.compute().items()}


def draw(means, n, sigma=SIGMA):
    """Return `n` points around the means, taking the modes in turn."""
    torch.manual_seed(0)
    return means[torch.arange(n) % len(means)] + sigma * torch.randn(n, 2)


def test_the_distribution_itself():
    """All modes are found, and 1 − exp(−r²/2) of the points lie within r standard deviations."""
    found = score(draw(ring(), 20_000))
    assert found["modes"] == 8
    assert found["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=4 * 7.4e-4)
    near = score(draw(ring(), 20_000), radius=1.0)["high_quality"]
    assert near == pytest.approx(1 - math.exp(-0.5), abs=0.015)


@pytest.mark.parametrize("found", [1, 4, 7])
def test_part_of_the_ring(found):
    """Dropped modes are not found, while the points keep their high quality."""
    scores = score(draw(ring()[:found], 4000))
    assert scores["modes"] == found
    assert scores["high_quality"] > 0.98


def test_points_off_the_modes():
    assert score(torch.zeros(500, 2)) == {"modes": 0, "high_quality": 0}
    between = ring() @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]]) * 1.2
    assert score(draw(between, 800)) == {"modes": 0, "high_quality": 0}


def test_half_of_the_points_off():
    points = torch.cat([ring().repeat(50, 1), torch.zeros(400, 2)])
    assert score(points) == {"modes": 8, "high_quality": 0.5}


def test_points_that_are_not_finite_are_off():
    points = torch.cat([ring(), torch.full((4, 2), float("nan")), torch.full((4, 2), math.inf)])
    assert score(points) == {"modes": 8, "high_quality": 0.5}


@pytest.mark.parametrize(("distance", "hit"), [(2.9, 1.0), (3.1, 0.0)])
def test_the_radius_is_in_standard_deviations(distance, hit):
    direction = torch.tensor([0.6, 0.8])
    points = (ring() + distance * SIGMA * direction).repeat(5, 1)
    assert score(points)["high_quality"] == hit


@pytest.mark.parametrize(
    ("hits", "samples", "modes"),
    [(20, 10_000, 2), (19, 10_000, 1), (100, 50_000, 2), (99, 50_000, 1), (1, 100, 2), (0, 100, 1)],
)
def test_a_mode_is_found_if_its_share_is_large_enough(hits, samples, modes):
    """The default share is 20 of 10,000; one sample is enough if the share is below one sample."""
    means = ring()
    points = torch.cat([means[:1].repeat(samples - hits, 1), means[1:2].repeat(hits, 1)])
    assert score(points)["modes"] == modes


def test_batches_and_ranks_add_up():
    points = draw(ring(), 900)
    together = score(points)
    metric, other = ModeCoverage(ring(), SIGMA), ModeCoverage(ring(), SIGMA)
    for part in points[:500].split(64):
        metric.update(part)
    other.update(points[500:])
    metric.merge_state(other)
    assert {name: value.item() for name, value in metric.compute().items()} == together


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_without_samples_no_mode_is_found():
    found = ModeCoverage(ring(), SIGMA).compute()
    assert found["modes"] == 0
    assert found["high_quality"] == 0


def test_means_of_double_precision():
    assert score(ring().double(), means=ring().double())["modes"] == 8


def test_a_sample_counts_for_its_nearest_mode():
    """No sample is counted twice if modes overlap."""
    means = torch.tensor([[0.0, 0.0], [SIGMA, 0.0]])
    metric = ModeCoverage(means, SIGMA)
    metric.update(torch.tensor([[0.4 * SIGMA, 0.0], [0.6 * SIGMA, 0.0], [1.5 * SIGMA, 0.0]]))
    assert metric.hits.tolist() == [1, 2]


def test_means_come_from_the_data_unless_given():
    data, metric = Ring(modes=5, sigma=0.1), ModeCoverage()
    metric.bind(None, data)
    assert torch.equal(metric.means, data.means)
    assert metric.sigma == 0.1
    given = ModeCoverage(ring(), SIGMA)
    given.bind(None, data)
    assert len(given.means) == 8


def test_explanation_and_settings_say_what_was_counted():
    metric = ModeCoverage(ring(), SIGMA, radius=2.0)
    metric.update(ring()[:4])
    words = metric.explain({name: value.item() for name, value in metric.compute().items()})
    assert words["modes"] == "4 of the 8 modes found."
    assert "100%" in words["high_quality"]
    assert "2 standard deviations" in words["high_quality"]
    settings = metric.settings()
    assert len(settings.pop("means_hash")) == 16
    assert settings == {
        "modes": 8,
        "sigma": SIGMA,
        "radius_in_sigma": 2.0,
        "share_that_counts": 0.002,
    }


def test_data_without_known_modes_raises():
    with pytest.raises(ConfigError, match="means") as error:
        ModeCoverage().bind(None, Synthetic(size=28, channels=1))
    assert "Synthetic" in str(error.value)
    with pytest.raises(ConfigError, match="only one of means and sigma"):
        ModeCoverage(ring())
    with pytest.raises(ConfigError, match="7 generated samples are too few"):
        ModeCoverage(ring(), SIGMA).check_counts(real=0, fake=7)


# --- Stacked MNIST --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """A hundred digits (10, 100, 28, 28) of each class, all of which are classified right."""
    train = MNIST5k().train
    metric = StackedModes()
    right = metric.digits(train["example"])[1].argmax(1) == train["label"]
    return torch.stack(
        [train["example"][right & (train["label"] == k)][:100] for k in range(10)]
    ).squeeze(2)


def stacked(digits, classes, seed=0):
    """Return an image of three random digits for each of the classes, which are in 0 … 999."""
    rng = torch.Generator().manual_seed(seed)
    parts = [classes // 100, classes // 10 % 10, classes % 10]
    which = torch.randint(100, (3, len(classes)), generator=rng)
    return torch.stack([digits[k, row] for k, row in zip(parts, which, strict=True)], 1)


def test_all_triples_are_found_and_uniform(digits):
    metric = StackedModes()
    metric.update(stacked(digits, torch.arange(1000)))
    found = metric.compute()
    assert found["stacked_modes"] == 1000
    assert found["stacked_kl"].item() == pytest.approx(0, abs=1e-9)
    assert metric.explain({k: v.item() for k, v in found.items()})["stacked_modes"].startswith(
        "1,000 of"
    )


def test_some_triples_at_unequal_frequencies(digits):
    """KL(p ‖ uniform) = log 1000 − H(p); the middle channel is the second digit."""
    classes = torch.tensor([123] * 60 + [407] * 30 + [990] * 10)
    metric = StackedModes()
    metric.update(stacked(digits, classes))
    assert metric.counts.nonzero().flatten().tolist() == [123, 407, 990]
    found = metric.compute()
    entropy = -sum(p * math.log(p) for p in (0.6, 0.3, 0.1))
    assert found["stacked_modes"] == 3
    assert found["stacked_kl"].item() == pytest.approx(math.log(1000) - entropy)


def test_counts_of_two_ranks_add_up(digits):
    images = stacked(digits, torch.arange(0, 1000, 7))
    single, per_rank = StackedModes(), [StackedModes(), StackedModes()]
    single.update(images)
    per_rank[0].update(images[:40])
    per_rank[1].update(images[40:])
    per_rank[1].merge_state(per_rank[0])
    assert torch.equal(per_rank[1].counts, single.counts)


def test_stacked_modes_need_three_channels_and_enough_samples():
    with pytest.raises(ConfigError, match="three channels"):
        StackedModes().bind(None, MNIST5k())
    StackedModes().bind(None, MNIST5k(channels=3))
    with pytest.raises(ConfigError, match="a digit in each channel"):
        StackedModes().update(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))
    with pytest.raises(ConfigError, match="it needs 10,000"):
        StackedModes().check_counts(real=0, fake=9_999)
