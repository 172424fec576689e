"""Sets of points, compared with their formulas."""

import math

import pytest
import torch

from ganlab.data import Grid, Ring, SwissRoll, TwoMoons
from ganlab.errors import ConfigError

ALL = [Ring, Grid, SwissRoll, TwoMoons]


@pytest.mark.parametrize("modes", [1, 2, 3, 7, 8, 100])
def test_the_rings_modes_are_distinct_and_evenly_spaced(modes):
    """Neighbours are 2 r sin(π/m) apart; a linspace with its end point would repeat a mode."""
    means = Ring(modes=modes, radius=3.0).means
    assert means.shape == (modes, 2)
    assert torch.allclose(means.norm(dim=1), torch.full((modes,), 3.0))
    if modes > 1:
        distances = torch.pdist(means.double())
        assert distances.min().item() == pytest.approx(6 * math.sin(math.pi / modes), abs=1e-5)


def test_the_grids_modes_are_distinct_and_centred():
    means = Grid(side=4, spacing=1.5).means
    assert means.shape == (16, 2)
    assert torch.pdist(means).min() == 1.5
    assert torch.equal(means.mean(0), torch.zeros(2))
    assert torch.equal(means[6], torch.tensor([0.75, -0.75])), "label = row * side + column"


@pytest.mark.parametrize("data", [Ring(samples=40_000), Grid(samples=50_000)])
def test_mixtures_have_their_means_widths_and_shares(data):
    """Per mode: the mean within 5 standard errors, the width within 5 %, the share within 10 %."""
    points, label = data.train["example"], data.train["label"]
    counts = label.bincount(minlength=data.classes)
    assert len(counts) == data.classes == data.modes
    assert (counts / (len(points) / data.modes) - 1).abs().max() < 0.1
    offsets = points - data.means[label]
    assert offsets.std(0).sub(data.sigma).abs().max() < 0.05 * data.sigma
    for mode in range(data.modes):
        error = offsets[label == mode].mean(0).abs().max()
        assert error < 5 * data.sigma / math.sqrt(counts[mode])


def test_without_noise_the_swiss_roll_is_its_spiral():
    """At radius r of the roll, t = r · 4.5π / radius, and the angle of the point is t."""
    points = SwissRoll(radius=2.0, noise=0.0, samples=500).train["example"].double()
    t = points.norm(dim=1) * 4.5 * math.pi / 2.0
    assert t.min() >= 1.5 * math.pi - 1e-4
    assert t.max() <= 4.5 * math.pi + 1e-4
    assert torch.allclose(
        torch.stack([t.cos(), t.sin()], 1), points / points.norm(dim=1)[:, None], atol=1e-4
    )


def test_without_noise_the_moons_are_half_circles():
    data = TwoMoons(noise=0.0, samples=1000)
    points, label = data.train["example"], data.train["label"]
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.5]])
    offsets = points - centres[label]
    assert torch.allclose(offsets.norm(dim=1), torch.ones(1000), atol=1e-6)
    assert (offsets[label == 0][:, 1] >= -1e-6).all()
    assert (offsets[label == 1][:, 1] <= 1e-6).all()
    assert 400 < label.sum() < 600


@pytest.mark.parametrize("kind", ALL)
def test_seeds_and_splits_differ_but_test_splits_agree(kind):
    """All seeds have one test split, so that their scores are comparable."""
    draws = [kind(samples=50, seed=seed) for seed in (0, 1)]
    sets = [draw.split("train")["example"] for draw in draws] + [draws[0].split("test")["example"]]
    assert all(not torch.equal(a, b) for i, a in enumerate(sets) for b in sets[:i])
    assert torch.equal(draws[0].split("test")["example"], draws[1].split("test")["example"])
    assert torch.equal(kind(samples=50, seed=1).train["example"], draws[1].train["example"])


@pytest.mark.parametrize("kind", ALL)
def test_a_batch_has_what_the_set_provides(kind):
    data = kind(samples=50, batch_size=10)
    batch = next(iter(data.train_dataloader()))
    assert set(batch) == set(data.provides)
    assert batch["example"].shape == (10, *data.shape)
    assert batch["example"].dtype == torch.float32
    assert ("label" in batch) == (data.classes is not None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ring(modes=0), "data.modes: received 0"),
        (lambda: Ring(modes=2.5), "data.modes: received 2.5"),
        (lambda: Ring(modes=True), "data.modes: received True"),
        (lambda: Ring(radius=0), "data.radius: received 0"),
        (lambda: Ring(sigma=-1.0), "data.sigma: received -1.0"),
        (lambda: Ring(sigma=float("nan")), "data.sigma: received nan"),
        (lambda: Ring(samples=0), "data.samples: received 0"),
        (lambda: Ring(dimensions=3), "data.dimensions: received 3; allowed 2"),
        (lambda: Ring(modes=8, classes=7), "Set data.classes=8"),
        (lambda: Grid(side="5"), "data.side: received '5'"),
        (lambda: Grid(side=7, classes=25), "Set data.classes=49"),
        (lambda: Grid(spacing=0.0), "data.spacing: received 0.0"),
        (lambda: SwissRoll(classes=2), "has no labels. Set data.classes=null"),
        (lambda: SwissRoll(noise="big"), "data.noise: received 'big'"),
        (lambda: TwoMoons(classes=3), "Set data.classes=2"),
        (lambda: TwoMoons(noise=float("inf")), "data.noise: received inf"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ConfigError) as caught:
        make()
    assert message in str(caught.value)
