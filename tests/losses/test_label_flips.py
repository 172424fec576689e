"""Flipped labels: how often scores are swapped, and the effect on losses and gradients."""

import pytest
import torch

from ganlab.errors import ConfigError
from ganlab.losses import LeastSquares, Minimax, NonSaturating, flip_labels


def test_probability_zero_changes_nothing_and_samples_nothing():
    real, fake = torch.randn(4), torch.randn(4)
    state = torch.get_rng_state()
    same_real, same_fake = flip_labels(real, fake, 0.0)
    assert same_real is real
    assert same_fake is fake
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("value", ["0.1", None, [0.1], True, -0.1, 0.5, float("nan")])
@pytest.mark.parametrize("argument", ["smoothing", "flip"])
def test_shares_that_are_no_numbers_below_a_half_are_refused(argument, value):
    with pytest.raises(ConfigError, match=f"{argument}: received"):
        NonSaturating(**{argument: value})


@pytest.mark.parametrize("probability", [0.05, 0.3])
def test_pairs_are_swapped_with_the_probability(probability):
    torch.manual_seed(0)
    n = 40_000
    real, fake = torch.arange(n), -1 - torch.arange(n)
    first, second = flip_labels(real.float(), fake.float(), probability)
    swapped = first < 0
    torch.testing.assert_close(first, torch.where(swapped, fake, real).float())
    torch.testing.assert_close(second, torch.where(swapped, real, fake).float())
    deviation = (probability * (1 - probability) / n) ** 0.5
    assert swapped.float().mean().item() == pytest.approx(probability, abs=4 * deviation)


@pytest.mark.parametrize("loss", [NonSaturating, Minimax, LeastSquares])
@pytest.mark.parametrize("flip", [0.1, 0.4])
def test_expected_loss_mixes_right_and_wrong_labels(loss, flip):
    """E[loss] = (1 − flip) · L(real, fake) + flip · L(fake, real)."""
    torch.manual_seed(0)
    n = 100_000
    real, fake = torch.full((n,), 1.2), torch.full((n,), -0.4)
    right, wrong = loss().discriminator(real, fake), loss().discriminator(fake, real)
    expected = (1 - flip) * right + flip * wrong
    tolerance = 4 * abs(float(wrong - right)) * (flip * (1 - flip) / n) ** 0.5
    value = loss(flip=flip).discriminator(real, fake)
    assert value.item() == pytest.approx(expected.item(), abs=tolerance + 1e-5)


def test_the_generators_loss_ignores_flips():
    fake = torch.randn(6)
    for loss in (NonSaturating, Minimax, LeastSquares):
        assert loss(flip=0.4).generator(fake) == loss().generator(fake)


def test_gradients_follow_the_swapped_scores():
    """A swapped score's gradient still reaches its sample: a real score is then pushed down."""
    torch.manual_seed(1)
    real, fake = torch.zeros(64, requires_grad=True), torch.zeros(64, requires_grad=True)
    value = NonSaturating(flip=0.4).discriminator(real, fake)
    down, up = torch.autograd.grad(value, (real, fake))
    torch.testing.assert_close(down, -up)
    torch.testing.assert_close(down.abs(), torch.full((64,), 0.5 / 64))
    assert 0 < (down > 0).sum() < 64
