"""Mode coverage of samples whose modes and distances are known."""

import math
from types import SimpleNamespace

import pytest
import torch

from ganlab.data import Ring, Synthetic
from ganlab.errors import ConfigError
from ganlab.metrics import ModeCoverage, ModeProtocol

SIGMA = 0.02


def ring(modes=8, radius=2.0):
    angles = torch.arange(modes) * (2 * math.pi / modes)
    return radius * torch.stack([angles.cos(), angles.sin()], dim=1)


def score(points, means=None, **options):
    metric = ModeCoverage(ring() if means is None else means, SIGMA, **options)
    metric.update(points)
    return {name: value.item() for name, value in metric.compute().items()}


def draw(means, n, sigma=SIGMA):
    """`n` points, the modes in turn."""
    torch.manual_seed(0)
    return means[torch.arange(n) % len(means)] + sigma * torch.randn(n, 2)


def test_the_distribution_itself():
    """All modes, and a share of 1 − exp(−r²/2) within r deviations in two dimensions."""
    found = score(draw(ring(), 20_000))
    assert found["modes"] == 8
    assert found["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=4 * 7.4e-4)
    near = score(draw(ring(), 20_000), radius=1.0)["high_quality"]
    assert near == pytest.approx(1 - math.exp(-0.5), abs=0.015)


@pytest.mark.parametrize("found", [1, 4, 7])
def test_part_of_the_ring(found):
    """Dropped modes are missed, while what there is stays of high quality."""
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
def test_a_mode_counts_from_its_share_on(hits, samples, modes):
    """20 of 10,000 by default; one sample is enough where that is less than one."""
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
def test_no_sample_is_no_mode():
    found = ModeCoverage(ring(), SIGMA).compute()
    assert found["modes"] == 0
    assert found["high_quality"] == 0


def test_means_of_double_precision():
    assert score(ring().double(), means=ring().double())["modes"] == 8


def test_a_sample_counts_for_its_nearest_mode():
    """Overlapping modes: no sample is counted twice."""
    means = torch.tensor([[0.0, 0.0], [SIGMA, 0.0]])
    metric = ModeCoverage(means, SIGMA)
    metric.update(torch.tensor([[0.4 * SIGMA, 0.0], [0.6 * SIGMA, 0.0], [1.5 * SIGMA, 0.0]]))
    assert metric.hits.tolist() == [1, 2]


# --- the protocol ---------------------------------------------------------------------------------


class Generator:
    """Stands for a trained model: gives every mode but the last one."""

    averaged = {}

    def sample(self, n, *, seed, ema):
        self.asked = (n, seed, ema)
        return draw(ring()[:-1], n)


def test_protocol_scores_a_model():
    module, data = Generator(), SimpleNamespace(means=ring(), sigma=SIGMA)
    scores = ModeProtocol(samples=2000, seed=7, ema=True).evaluate(module, data)
    assert module.asked == (2000, 7, True)
    assert scores["modes"].value == 7
    assert scores["modes"].words.startswith("7 of the 8 modes")
    assert scores["high_quality"].value == pytest.approx(0.989, abs=0.01)
    for found in scores.values():
        assert found.protocol["samples"] == 2000
        assert found.protocol["seed"] == 7
        assert found.protocol["weights"] == "raw"
    assert scores["modes"].as_dict()["value"] == 7


def test_protocol_needs_known_modes():
    ModeProtocol().check(None, Ring())
    with pytest.raises(ConfigError) as error:
        ModeProtocol().check(None, Synthetic(size=28, channels=1))
    for word in ("means", "Synthetic", "evaluation=none"):
        assert word in str(error.value)
