"""Relativistic losses against cross-entropies of differences, and their invariances."""

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
    """−log σ(C(x_r) − C(x_f)) for D, the same with the two exchanged for G."""
    real, fake = scores
    ones = torch.ones_like(real)
    loss = RelativisticPairing()
    torch.testing.assert_close(loss.discriminator(real, fake), cross_entropy(real - fake, ones))
    torch.testing.assert_close(loss.generator(fake, real), cross_entropy(fake - real, ones))


def test_average_is_cross_entropy_against_the_mean(scores):
    """D: label 1 for real − mean(fake), 0 for fake − mean(real); G: the labels exchanged."""
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
def test_paired_losses_see_differences_only(loss, scores):
    real, fake = scores
    for shift in (-7.0, 3.0):
        torch.testing.assert_close(
            loss.discriminator(real + shift, fake + shift), loss.discriminator(real, fake)
        )
        torch.testing.assert_close(
            loss.generator(fake + shift, real + shift), loss.generator(fake, real)
        )


@pytest.mark.parametrize("loss", [NonSaturating(), LeastSquares(), Hinge()])
def test_absolute_losses_do_not(loss, scores):
    """The contrast: these judge each sample for itself."""
    real, fake = scores
    assert (loss.discriminator(real + 3, fake + 3) - loss.discriminator(real, fake)).abs() > 0.1


@pytest.mark.parametrize("loss", PAIRED, ids=lambda loss: type(loss).__name__)
def test_players_mirror_each_other(loss, scores):
    real, fake = scores
    torch.testing.assert_close(loss.generator(fake, real), loss.discriminator(fake, real))


def test_value_where_nothing_differs():
    """σ(0) = ½: log 2 for the pairs, and twice that for the two halves of the average."""
    same = torch.full((4,), 3.7)
    assert RelativisticPairing().discriminator(same, same).item() == pytest.approx(math.log(2))
    assert RelativisticAverage().discriminator(same, same).item() == pytest.approx(math.log(4))


def test_pairs_are_by_position_and_the_average_knows_no_order(scores):
    real, fake = scores
    rolled = fake.roll(1)
    pairing, average = RelativisticPairing(), RelativisticAverage()
    assert (pairing.discriminator(real, rolled) - pairing.discriminator(real, fake)).abs() > 1e-3
    torch.testing.assert_close(
        average.discriminator(real, rolled), average.discriminator(real, fake)
    )
    both = torch.randperm(6)
    torch.testing.assert_close(
        pairing.discriminator(real[both], fake[both]), pairing.discriminator(real, fake)
    )


def test_pairing_is_wasserstein_to_first_order(scores):
    """softplus(−t) = log 2 − t/2 + O(t²)."""
    real, fake = (1e-4 * s for s in scores)
    linear = math.log(2) + 0.5 * Wasserstein().discriminator(real, fake)
    torch.testing.assert_close(
        RelativisticPairing().discriminator(real, fake), linear, atol=1e-7, rtol=0
    )


@pytest.mark.parametrize("loss", PAIRED, ids=lambda loss: type(loss).__name__)
def test_generator_gradient_lives_where_the_discriminator_is_sure(loss):
    fake = torch.full((4,), -20.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss.generator(fake, torch.full((4,), 20.0)), fake)
    assert gradient.sum().item() <= -0.99
