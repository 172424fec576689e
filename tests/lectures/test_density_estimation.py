"""The lesson on density estimation: EM, the histogram KL, and the lesson's numbers."""

import math

import pytest
import torch

from ganlab.lectures.density_estimation import (
    MEANS,
    STDS,
    WEIGHTS,
    draw_mixture,
    fit_mixture,
    histogram_kl,
    lesson,
)


def _data(n=20_000, seed=0):
    return draw_mixture(n, WEIGHTS, MEANS, STDS, torch.Generator().manual_seed(seed))


def test_em_finds_the_mixture():
    weights, means, stds = fit_mixture(_data(), 2)
    torch.testing.assert_close(weights, WEIGHTS, atol=0.02, rtol=0)
    torch.testing.assert_close(means, MEANS, atol=0.04, rtol=0)
    torch.testing.assert_close(stds, STDS, atol=0.04, rtol=0)


def test_one_component_has_mean_and_deviation_of_the_data():
    data = _data(1000)
    weights, means, stds = fit_mixture(data, 1)
    assert weights.tolist() == [1]
    assert means.item() == pytest.approx(data.mean().item())
    assert stds.item() == pytest.approx(data.std(correction=0).item())


def test_histogram_kl():
    """The KL is 0 for equal sets, and log 2, up to smoothing, if p fills one of q's two bins."""
    a = torch.cat([torch.full((50_000,), -1.0), torch.full((50_000,), 1.0)])
    assert histogram_kl(a, a) == 0
    assert histogram_kl(torch.full((50_000,), 1.0), a) == pytest.approx(math.log(2), abs=0.01)


def test_short_lesson():
    numbers = lesson(batches=20, components=(1, 2), samples=2000, draws=20_000).numbers
    assert numbers["mixture_2/w1"] < 0.1 < numbers["mixture_1/w1"]
    assert numbers["mixture_2/kl"] < 0.02 < numbers["mixture_1/kl"]
    assert numbers["mixture_2/log_likelihood"] > numbers["mixture_1/log_likelihood"]
    assert numbers["gan/w1"] > 0


@pytest.mark.slow
def test_full_lesson():
    """The GAN is nearer to the bimodal density than the fit of one Gaussian."""
    numbers = lesson().numbers
    assert numbers["gan/w1"] < 0.5 * numbers["mixture_1/w1"]
    assert numbers["gan/kl"] < numbers["mixture_1/kl"]
