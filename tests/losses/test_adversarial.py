"""Adversarial losses: optima, values and gradients, compared with closed forms."""

import inspect
import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from ganlab import losses
from ganlab.core.schedule import Ramp, ScheduledScalars
from ganlab.errors import ConfigError
from ganlab.losses import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    Wasserstein,
)

EVERY_LOSS = [
    loss
    for name in losses.__all__
    if inspect.isclass(loss := getattr(losses, name))
    and issubclass(loss, AdversarialLoss)
    and loss is not AdversarialLoss
]

# Two distributions on four points, as counts out of eight: a batch can hold them exactly.
COUNTS_P, COUNTS_Q = torch.tensor([1, 2, 4, 1]), torch.tensor([3, 2, 1, 2])
P, Q = COUNTS_P.double() / 8, COUNTS_Q.double() / 8


def expand(scores):
    """The scores of a batch from p and of a batch from q, given the score at each point."""
    return scores.repeat_interleave(COUNTS_P), scores.repeat_interleave(COUNTS_Q)


def jensen_shannon(p, q, dx=1.0):
    """The Jensen-Shannon divergence, computed by its definition from densities on a grid."""
    m = (p + q) / 2
    return float(((p * (p / m).log() + q * (q / m).log()) / 2).sum() * dx)


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=lambda loss: loss.__name__)
def test_every_loss_changes_scores_in_the_right_direction(loss):
    """For scores between the labels: D raises real and lowers fake scores; G raises fake scores."""
    torch.manual_seed(0)
    real = torch.empty(6).uniform_(0.2, 0.8).requires_grad_()
    fake = torch.empty(6).uniform_(0.2, 0.8).requires_grad_()
    down, up = torch.autograd.grad(loss().discriminator(real, fake), (real, fake))
    assert (down < 0).all()
    assert (up > 0).all()
    (gradient,) = torch.autograd.grad(loss().generator(fake, real.detach()), fake)
    assert (gradient < 0).all()


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=lambda loss: loss.__name__)
def test_every_loss_is_a_mean_over_scores_of_any_shape(loss):
    torch.manual_seed(0)
    real, fake = torch.randn(6), torch.randn(6)
    maps = real.reshape(2, 1, 3, 1), fake.reshape(2, 1, 3, 1)
    value, generated = loss().discriminator(real, fake), loss().generator(fake, real)
    assert value.shape == generated.shape == ()
    torch.testing.assert_close(loss().discriminator(*maps), value)
    torch.testing.assert_close(loss().generator(maps[1], maps[0]), generated)
    twice = loss().discriminator(torch.cat([real, real]), torch.cat([fake, fake]))
    torch.testing.assert_close(twice, value)


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=lambda loss: loss.__name__)
def test_every_loss_is_finite_for_large_scores(loss):
    real = torch.tensor([-1e4, 1e4], requires_grad=True)
    fake = torch.tensor([1e4, -1e4], requires_grad=True)
    for value in (loss().discriminator(real, fake), loss().generator(fake, real)):
        gradients = torch.autograd.grad(value, (real, fake), allow_unused=True)
        assert value.isfinite()
        assert all(g.isfinite().all() for g in gradients if g is not None)


def test_only_the_relativistic_generators_read_real_scores():
    fake = torch.randn(4)
    for loss in EVERY_LOSS:
        if not loss.paired:
            assert loss().generator(fake) == loss().generator(fake, torch.randn(4))
    assert {loss.__name__ for loss in EVERY_LOSS if loss.paired} == {
        "RelativisticAverage",
        "RelativisticPairing",
    }


# --- cross-entropy --------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [NonSaturating, Minimax])
def test_cross_entropy_at_its_optimum(loss):
    """D* = p / (p + q) is stationary, and the value there is −log 4 + 2·JSD (theorem 1)."""
    best = (P / Q).log().requires_grad_()
    value = loss().discriminator(*expand(best))
    (gradient,) = torch.autograd.grad(value, best)
    torch.testing.assert_close(gradient, torch.zeros(4, dtype=torch.float64))
    assert -value.item() == pytest.approx(-math.log(4) + 2 * jensen_shannon(P, Q), abs=1e-12)
    for other in (best.detach() + 0.1, best.detach() * 0.9):
        assert loss().discriminator(*expand(other)) > value


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.5, 1.0), (0.5, 2.0)])
def test_optimal_discriminator_of_two_gaussians(mean, std):
    """Expectations are computed by quantiles of both Gaussians, the JSD by integration over x."""
    p = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    q = torch.distributions.Normal(torch.tensor(mean, dtype=torch.float64), std)
    quantiles = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    scores = [d.log_prob(x) for x in (p.icdf(quantiles), q.icdf(quantiles)) for d in (p, q)]
    value = -Minimax().discriminator(scores[0] - scores[1], scores[2] - scores[3])
    x = torch.linspace(-20, 20, 40_001, dtype=torch.float64)
    divergence = jensen_shannon(p.log_prob(x).exp() + 1e-300, q.log_prob(x).exp() + 1e-300, 0.001)
    assert value.item() == pytest.approx(-math.log(4) + 2 * divergence, abs=2e-4)


def test_minimax_is_a_zero_sum_game():
    """The losses of G and D add up to D's term of real scores, which does not depend on G."""
    real, fake = expand(torch.randn(4, dtype=torch.float64))
    real_term = NonSaturating().discriminator(real, torch.full_like(fake, -1e3))
    total = Minimax().generator(fake) + Minimax().discriminator(real, fake)
    torch.testing.assert_close(total, real_term)


@pytest.mark.parametrize("score", [-5.0, -10.0, -30.0])
def test_minimax_gradient_vanishes_but_the_non_saturating_one_does_not(score):
    """If D rejects all samples with score s, the gradients' ratio is σ(s) / σ(−s) = exp(s)."""
    theta = torch.zeros((), dtype=torch.float64, requires_grad=True)
    fake = score + 2.0 * (torch.zeros(8, dtype=torch.float64) + theta)
    (saturating,) = torch.autograd.grad(Minimax().generator(fake), theta, retain_graph=True)
    (alive,) = torch.autograd.grad(NonSaturating().generator(fake), theta)
    assert alive.item() == pytest.approx(-2.0, rel=0.01)
    assert 0 < (saturating / alive).item() < 0.01
    assert (saturating / alive).item() == pytest.approx(math.exp(score), rel=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_label_smoothing_is_cross_entropy_with_soft_labels(smoothing):
    """The smoothing is one-sided: samples keep the label 0 (Salimans et al., section 3.4)."""
    torch.manual_seed(0)
    real, fake = torch.randn(7), torch.randn(7)
    soft = torch.full_like(real, 1 - smoothing)
    expected = cross_entropy(real, soft) + cross_entropy(fake, torch.zeros_like(fake))
    torch.testing.assert_close(NonSaturating(smoothing).discriminator(real, fake), expected)
    torch.testing.assert_close(
        NonSaturating(smoothing).generator(fake), cross_entropy(fake, torch.ones_like(fake))
    )


def test_smoothing_follows_a_schedule():
    loss, scheduled = NonSaturating(smoothing=Ramp(0.2, 0.0, examples=100)), ScheduledScalars()
    scheduled.bind("adversarial", loss)
    real, fake = torch.randn(5), torch.randn(5)
    for images, smoothing in [(0, 0.2), (50, 0.1), (100, 0.0)]:
        scheduled.update(images)
        expected = NonSaturating(smoothing).discriminator(real, fake)
        torch.testing.assert_close(loss.discriminator(real, fake), expected)


# --- least squares ----------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b", "c"), [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0), (0.3, 2.0, -1.0)])
def test_least_squares_at_its_optimum(a, b, c):
    """D* = (b p + a q) / (p + q) is stationary; G's gradient pulls scores to c."""
    loss = LeastSquares(a, b, c)
    best = ((b * P + a * Q) / (P + Q)).requires_grad_()
    (gradient,) = torch.autograd.grad(loss.discriminator(*expand(best)), best)
    torch.testing.assert_close(gradient, torch.zeros(4, dtype=torch.float64))
    value = loss.discriminator(*expand(best)).item()
    expected = 0.5 * (b - a) ** 2 * (P * Q / (P + Q)).sum().item()
    assert value == pytest.approx(expected, abs=1e-12)
    fake = torch.tensor([c - 2.0, c, c + 3.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(loss.generator(fake), fake)
    torch.testing.assert_close(gradient, torch.tensor([-2.0, 0.0, 3.0]) / 3)


def test_least_squares_minimises_pearson_divergence():
    """With b − c = 1 and b − a = 2, 2·C(G) = χ²(p + q ‖ 2q) = ∫ (p − q)² / (p + q)."""
    loss = LeastSquares(-1.0, 1.0, 0.0)
    real, fake = expand((P - Q) / (P + Q))
    cost = 2 * (loss.generator(fake) + loss.generator(real))
    torch.testing.assert_close(cost, ((P - Q).square() / (P + Q)).sum())


def test_least_squares_default_labels():
    """The default is (a, b, c) = (0, 1, 1): losses are 0 at these scores."""
    ones, zeros = torch.ones(3), torch.zeros(3)
    assert LeastSquares().discriminator(ones, zeros) == 0
    assert LeastSquares().generator(ones) == 0
    assert LeastSquares().discriminator(zeros, ones) == 1
    assert LeastSquares().generator(zeros) == 0.5


# --- hinge, Wasserstein -------------------------------------------------------------------------


def test_hinge_at_its_optimum():
    """The optimum is D* = sign(p − q), with value 2·∫ min(p, q) = 2·(1 − total variation)."""
    best = (P - Q).sign()
    value = Hinge().discriminator(*expand(best))
    total_variation = 0.5 * (P - Q).abs().sum()
    torch.testing.assert_close(value, 2 * (1 - total_variation))
    for _ in range(50):
        assert Hinge().discriminator(*expand(best + torch.randn(4))) >= value


def test_hinge_has_margins_for_the_discriminator_only():
    real = torch.tensor([0.5, 1.5], requires_grad=True)
    fake = torch.tensor([-1.5, -0.5], requires_grad=True)
    value = Hinge().discriminator(real, fake)
    assert value.item() == pytest.approx(0.5 / 2 + 0.5 / 2)
    down, up = torch.autograd.grad(value, (real, fake))
    assert down.tolist() == [-0.5, 0.0]
    assert up.tolist() == [0.0, 0.5]
    (gradient,) = torch.autograd.grad(Hinge().generator(fake), fake)
    assert gradient.tolist() == [-0.5, -0.5]


def test_wasserstein_of_shifted_samples():
    """With the 1-Lipschitz critic f(x) = x, a shift by δ gives the distance δ."""
    fake = torch.randn(9, dtype=torch.float64, requires_grad=True)
    value = Wasserstein().discriminator(fake + 2.5, fake)
    assert -value.item() == pytest.approx(2.5)
    (gradient,) = torch.autograd.grad(Wasserstein().generator(fake), fake)
    torch.testing.assert_close(gradient, torch.full_like(fake, -1 / 9))


@pytest.mark.parametrize("scale", [2.0, 10.0])
def test_wasserstein_is_linear_in_the_scores(scale):
    real, fake = torch.randn(5), torch.randn(5)
    value = Wasserstein().discriminator(real, fake)
    torch.testing.assert_close(
        Wasserstein().discriminator(scale * real + 3, scale * fake + 3), scale * value
    )


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: NonSaturating(smoothing=0.5), ["smoothing", "0.5", "0 <= smoothing < 0.5"]),
        (lambda: NonSaturating(smoothing=-0.1), ["smoothing", "-0.1", "0 <= smoothing < 0.5"]),
        (lambda: Minimax(flip=0.7), ["flip", "0.7", "0 <= flip < 0.5"]),
        (lambda: NonSaturating(flip=float("nan")), ["flip", "nan", "0 <= flip < 0.5"]),
        (lambda: LeastSquares(flip=1), ["flip", "1", "0 <= flip < 0.5"]),
        (lambda: LeastSquares(a=1.0, b=1.0), ["a and b", "1.0", "must differ"]),
    ],
)
def test_errors_name_argument_value_and_allowed(build, words):
    with pytest.raises(ConfigError) as error:
        build()
    for word in words:
        assert word in str(error.value)


def test_the_base_class_is_abstract():
    with pytest.raises(NotImplementedError):
        AdversarialLoss().discriminator(torch.zeros(1), torch.zeros(1))
    with pytest.raises(NotImplementedError):
        AdversarialLoss().generator(torch.zeros(1))
    assert not AdversarialLoss.paired
    assert RelativisticAverage.paired
