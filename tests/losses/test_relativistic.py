"""Relativistic losses: comparison with cross-entropies of differences, and invariances."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from ganlab.losses import (
    Hinge,
    LeastSquares,
    NonSaturating,
    RelativisticAverage,
    RelativisticPairing,
    Wasserstein,
)

PAIRED = [RelativisticPairing(), RelativisticAverage()]


@pytest.fixture
def scores():
    torch.manual_seed(0)
    return torch.randn(6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)


def test_pairing_is_cross_entropy_of_differences(scores):
    """−log σ(C(x_r) − C(x_f)) for D; real and generated scores are exchanged for G."""
    real, fake = scores
    ones = torch.ones_like(real)
    loss = RelativisticPairing()
    torch.testing.assert_close(loss.discriminator(real, fake), cross_entropy(real - fake, ones))
    torch.testing.assert_close(loss.generator(fake, real), cross_entropy(fake - real, ones))


def test_average_is_cross_entropy_against_the_mean(scores):
    """D has label 1 for real − mean(fake), 0 for fake − mean(real); G has the opposite labels."""
    real, fake = scores
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    above_fake, above_real = real - fake.mean(), fake - real.mean()
    loss = RelativisticAverage()
    torch.testing.assert_close(
        loss.discriminator(real, fake),
        cross_entropy(above_fake, ones) + cross_entropy(above_real, zeros),
    )
    torch.testing.assert_close(
        loss.generator(fake, real),
        cross_entropy(above_fake, zeros) + cross_entropy(above_real, ones),
    )


@pytest.mark.parametrize("loss", PAIRED, ids=lambda loss: type(loss).__name__)
def test_paired_losses_depend_only_on_differences(loss, scores):
    real, fake = scores
    for shift in (-7.0, 3.0):
        torch.testing.assert_close(
            loss.discriminator(real + shift, fake + shift), loss.discriminator(real, fake)
        )
        torch.testing.assert_close(
            loss.generator(fake + shift, real + shift), loss.generator(fake, real)
        )


@pytest.mark.parametrize("loss", [NonSaturating(), LeastSquares(), Hinge()])
def test_unpaired_losses_depend_on_a_common_shift(loss, scores):
    """Unlike the relativistic losses, unpaired losses change if all scores are shifted."""
    real, fake = scores
    assert (loss.discriminator(real + 3, fake + 3) - loss.discriminator(real, fake)).abs() > 0.1


@pytest.mark.parametrize("loss", PAIRED, ids=lambda loss: type(loss).__name__)
def test_the_generators_loss_is_the_discriminators_with_swapped_scores(loss, scores):
    real, fake = scores
    torch.testing.assert_close(loss.generator(fake, real), loss.discriminator(fake, real))


def test_value_for_equal_scores():
    """As σ(0) = ½, pairing gives log 2, and the two terms of the average give 2 log 2."""
    same = torch.full((4,), 3.7)
    assert RelativisticPairing().discriminator(same, same).item() == pytest.approx(math.log(2))
    assert RelativisticAverage().discriminator(same, same).item() == pytest.approx(math.log(4))


def test_only_pairing_depends_on_the_order_of_scores(scores):
    real, fake = scores
    rolled = fake.roll(1)
    pairing, average = RelativisticPairing(), RelativisticAverage()
    assert (pairing.discriminator(real, rolled) - pairing.discriminator(real, fake)).abs() > 1e-3
    torch.testing.assert_close(
        average.discriminator(real, rolled), average.discriminator(real, fake)
    )
    order = torch.randperm(6)
    torch.testing.assert_close(
        pairing.discriminator(real[order], fake[order]), pairing.discriminator(real, fake)
    )


def test_pairing_is_wasserstein_to_first_order(scores):
    """softplus(−t) = log 2 − t/2 + O(t²)."""
    real, fake = (1e-4 * s for s in scores)
    linear = math.log(2) + 0.5 * Wasserstein().discriminator(real, fake)
    torch.testing.assert_close(
        RelativisticPairing().discriminator(real, fake), linear, atol=1e-7, rtol=0
    )


@pytest.mark.parametrize("loss", PAIRED, ids=lambda loss: type(loss).__name__)
def test_generator_gradient_does_not_vanish_for_a_certain_discriminator(loss):
    fake = torch.full((4,), -20.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss.generator(fake, torch.full((4,), 20.0)), fake)
    assert gradient.sum().item() <= -0.99
