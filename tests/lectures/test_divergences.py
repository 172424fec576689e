"""Divergences of Gaussians against closed forms and identities, and the lesson's numbers."""

import math

import pytest
import torch

from ganlab.lectures import divergences
from ganlab.lectures.densities import (
    jsd,
    kl,
    line,
    log_mixture,
    log_normal,
    normal_quantiles,
    wasserstein_of_samples,
)

X = line(-30, 30)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.5, 0.7), (-2.0, 2.0)])
def test_kl_of_gaussians(mean, std):
    """KL(N(0,1)‖N(m,s²)) = log s + (1 + m²)/(2s²) − ½."""
    value = float(kl(X, log_normal(X, 0, 1), log_normal(X, mean, std)))
    assert value == pytest.approx(math.log(std) + (1 + mean**2) / (2 * std**2) - 0.5, abs=1e-9)


def test_jsd_is_symmetric_and_bounded():
    a, b, far = log_normal(X, 0, 1), log_normal(X, 1, 0.5), log_normal(X, 20, 0.5)
    assert float(jsd(X, a, b)) == pytest.approx(float(jsd(X, b, a)), abs=1e-12)
    assert float(jsd(X, a, a)) == pytest.approx(0, abs=1e-12)
    assert float(jsd(X, a, far)) == pytest.approx(math.log(2), abs=1e-6)


def test_jsd_equals_its_definition():
    """JSD = ½KL(p‖m) + ½KL(q‖m), with m as an explicit mixture."""
    p, q = log_normal(X, 0, 1), log_normal(X, 1.5, 0.7)
    m = log_mixture(X, *torch.tensor([[0.5, 0.5], [0.0, 1.5], [1.0, 0.7]], dtype=torch.float64))
    expected = 0.5 * float(kl(X, p, m)) + 0.5 * float(kl(X, q, m))
    assert float(jsd(X, p, q)) == pytest.approx(expected, abs=1e-9)


def test_wasserstein_of_scaled_samples():
    """W1(N(0,1), N(0,s²)) = |s − 1|·E|z| = |s − 1|·√(2/π)."""
    z = normal_quantiles(100_000)
    value = float(wasserstein_of_samples(z.flip(0), 3 * z))
    assert value == pytest.approx(2 * math.sqrt(2 / math.pi), rel=1e-4)


def test_integrals_of_prices_are_the_divergences():
    p, q = log_normal(X, 0, 1), log_normal(X, 0.8, 1.2)
    prices = divergences.prices((p - q).sigmoid()[7000:13001])
    mass = 0.5 * (p.exp() + q.exp())[7000:13001]
    for name, (_, divergence) in divergences.DIVERGENCES.items():
        value = float(torch.trapezoid(mass * prices[name], X[7000:13001]))
        assert value == pytest.approx(float(divergence(X, p, q)), abs=1e-5)
        assert prices[name].min() >= -1e-12


def test_lesson_numbers():
    """The fit by KL has mean and variance of p; the fit by reverse KL covers one mode."""
    w, m, s = (0.65, 0.35), (-2.0, 2.5), (0.5, 0.7)
    numbers = divergences.lesson(w, m, s).numbers
    mean = w[0] * m[0] + w[1] * m[1]
    square = sum(a * (b**2 + c**2) for a, b, c in zip(w, m, s, strict=True))
    assert numbers["kl/mean"] == pytest.approx(mean, abs=1e-3)
    assert numbers["kl/std"] == pytest.approx(math.sqrt(square - mean**2), abs=1e-3)
    assert numbers["reverse_kl/mean"] == pytest.approx(m[0], abs=0.05)
    assert numbers["reverse_kl/std"] == pytest.approx(s[0], abs=0.05)
    assert numbers["kl/between_modes"] > 0.2 > 0.05 > numbers["reverse_kl/between_modes"]
    for name in divergences.DIVERGENCES:
        others = [numbers[f"{other}/{name}"] for other in divergences.DIVERGENCES]
        assert numbers[f"{name}/{name}"] <= min(others) + 1e-9
