"""The lesson on vanishing gradients: divergences and gradients against closed forms."""

import math

import pytest
import torch

from ganlab.lectures.densities import line, log_normal
from ganlab.lectures.vanishing_gradients import divergence, gradient, hinge_gradient, lesson


def test_divergence_of_disjoint_gaussians_is_log_2():
    assert divergence(20.0) == pytest.approx(math.log(2), abs=1e-6)
    assert divergence(0.0) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("theta", [0.5, 2.0, 4.0])
def test_minimax_gradient_is_that_of_the_divergence(theta):
    """At the optimal D the minimax generator minimises 2·JSD (theorem 1 of the GAN paper)."""
    slope = (divergence(theta + 1e-3) - divergence(theta - 1e-3)) / 2e-3
    assert gradient("minimax", theta) == pytest.approx(2 * slope, rel=1e-3)


@pytest.mark.parametrize("theta", [0.5, 3.0, 6.0])
def test_gradients_of_minimax_and_non_saturating_add_up_to_theta(theta):
    """The two gradients are θ·E[D] and θ·E[1 − D]."""
    total = gradient("minimax", theta) + gradient("non_saturating", theta)
    assert total == pytest.approx(theta, rel=1e-9)


@pytest.mark.parametrize("theta", [0.5, 3.0, 6.0])
def test_wasserstein_gradient_is_one(theta):
    assert gradient("wasserstein", theta) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("theta", [1.0, 3.0])
def test_least_squares_gradient(theta):
    """The gradient is θ·E_q[D(1 − D)²], here computed by quadrature."""
    x = line(theta - 12, theta + 12)
    d = (log_normal(x, 0, 1) - log_normal(x, theta, 1)).sigmoid()
    density = log_normal(x, theta, 1).exp()
    expected = theta * float(torch.trapezoid(density * d * (1 - d).square(), x))
    assert gradient("least_squares", theta) == pytest.approx(expected, rel=1e-3)


def test_hinge_gradient_is_the_slope_of_the_expectation():
    """For D = sign(θ/2 − x), E[−D(z + t)] = 2Φ(t − θ/2) − 1."""
    theta, normal = 3.0, torch.distributions.Normal(0.0, 1.0)
    ends = torch.tensor([theta / 2 - 1e-2, theta / 2 + 1e-2], dtype=torch.float64)
    low, high = (2 * normal.cdf(ends) - 1).tolist()
    assert hinge_gradient(theta) == pytest.approx((high - low) / 2e-2, rel=1e-3)


def test_lesson_numbers():
    numbers = lesson(points=20_000).numbers
    for theta in (1, 3, 6):
        assert numbers[f"theta_{theta}/w1"] == pytest.approx(theta, abs=0.05)
    assert numbers["theta_6/minimax_to_non_saturating"] < 0.01
    assert numbers["theta_6/gradient_least_squares"] < 0.01
    assert numbers["theta_6/gradient_wasserstein"] == pytest.approx(1)
    assert math.log(2) - numbers["theta_6/jsd"] < 0.005
