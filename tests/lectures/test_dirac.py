"""The lesson on the Dirac-GAN: which losses and regularizers converge."""

import math

import pytest
import torch

from ganlab.lectures.dirac import LOSSES, NEAR, REGULARIZERS, lesson, trajectory


@pytest.mark.parametrize("regularizer", ["r1", "r2", "zero_centered", "weight_decay"])
@pytest.mark.parametrize("loss", ["minimax", "non_saturating", "hinge", "wasserstein"])
def test_zero_centered_penalties_converge(loss, regularizer):
    assert trajectory(loss, regularizer, steps=250, samples=4).distance < 0.01


def test_zero_centered_penalties_are_equal_for_a_linear_discriminator():
    """Each of these penalties is ½γψ², so the games are equal."""
    games = [
        trajectory("non_saturating", name, steps=20, samples=4).points
        for name in ("r1", "r2", "zero_centered", "weight_decay")
    ]
    for game in games[1:]:
        torch.testing.assert_close(game, games[0])


@pytest.mark.parametrize("loss", ["wasserstein", "minimax", "non_saturating"])
def test_games_without_a_regularizer_do_not_converge(loss):
    assert trajectory(loss, "none", steps=300, samples=4).distance > 2 * NEAR


def test_wasserstein_circles():
    """Alternating steps ψ ← ψ − ηθ, then θ ← θ + ηψ conserve θ² + ψ² − η·θψ."""
    lr = 0.2
    theta, psi = trajectory("wasserstein", "none", steps=200, lr=lr, samples=4).points.unbind(1)
    invariant = theta**2 + psi**2 - lr * theta * psi
    assert float(invariant.max() - invariant.min()) < 1e-4


def test_simultaneous_steps_increase_the_distance_by_a_known_factor():
    """Each step multiplies the distance by √(1 + η²)."""
    points = trajectory("wasserstein", "none", steps=50, samples=4, simultaneous=True).points
    radii = points.norm(dim=1)
    expected = torch.full((50,), math.sqrt(1 + 0.2**2))
    torch.testing.assert_close(radii[1:] / radii[:-1], expected)


def test_instance_noise_needs_a_loss_with_curvature():
    distances = [
        trajectory(loss, "instance_noise", samples=1024).distance
        for loss in ("non_saturating", "wasserstein")
    ]
    assert distances[0] < NEAR
    assert distances[1] > 0.5


@pytest.mark.parametrize("regularizer", ["gradient_penalty", "weight_clipping"])
def test_penalties_that_allow_a_slope_do_not_converge(regularizer):
    assert trajectory("wasserstein", regularizer, samples=4).distance > 2 * NEAR


def test_lesson_covers_all_losses_and_regularizers():
    made = lesson(steps=3, samples=4)
    assert len(made.numbers) == len(LOSSES) * len(REGULARIZERS)


def test_sentences_follow_the_numbers(monkeypatch):
    """With simultaneous steps the plain Wasserstein game moves away; in 3 steps none converges."""
    monkeypatch.setattr("ganlab.lectures.dirac._draw", lambda *_: None)
    alternating, at_once, short = (
        " ".join(lesson(samples=4, **options).sentences)
        for options in ({"steps": 60}, {"steps": 60, "simultaneous": True}, {"steps": 3})
    )
    assert "wasserstein circles" in alternating
    assert "wasserstein moves away" in at_once
    assert "circles" not in at_once
    assert "no regularizer makes nearly every loss converge" in short
    assert "They pull" not in short
    assert "They pull" in alternating


def test_lesson_uses_all_public_losses_and_regularizers():
    """A new class in ganlab.losses or ganlab.regularizers must be added to the lesson."""
    import ganlab.losses as losses
    import ganlab.regularizers as regularizers

    played = {type(loss) for loss in LOSSES.values()}
    known = {v for v in vars(losses).values() if isinstance(v, type)}
    assert {k for k in known if issubclass(k, losses.AdversarialLoss)} - played == {
        losses.AdversarialLoss
    }
    used = {type(make()) for make in REGULARIZERS.values() if make}
    known = {v for v in vars(regularizers).values() if isinstance(v, type)}
    known = {k for k in known if issubclass(k, regularizers.Regularizer)}
    assert known - used == {regularizers.Regularizer, regularizers.Penalty}
