"""Gradient penalties: values and gradients for critics with known gradients, and precision."""

import pytest
import torch
from torch import nn

from ganlab.core.schedule import Ramp, ScheduledScalars
from ganlab.errors import ConfigError
from ganlab.regularizers import (
    R1,
    R2,
    GradientPenalty,
    LocalPenalty,
    Regularizers,
    Step,
    WeightDecay,
)
from ganlab.regularizers.base import GradientPenaltyBase


class Linear(nn.Module):
    """D(x) = a·x + b, whose gradient is a at every x."""

    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float32))
        self.b = nn.Parameter(torch.tensor(0.7))

    def forward(self, x):
        return x.flatten(1) @ self.a + self.b


class Quadratic(nn.Module):
    """D(x) = ½k‖x‖², whose gradient is kx."""

    def __init__(self, k):
        super().__init__()
        self.k = nn.Parameter(torch.tensor(k))

    def forward(self, x):
        return 0.5 * self.k * x.flatten(1).square().sum(1)


def mlp(outputs=1):
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, outputs), nn.Flatten(0))


def terms(regularizers, critic, real, fake, step=0):
    """The penalty terms of a discriminator's step, by name."""
    applied = Regularizers(regularizers)
    real, fake = applied.inputs(real, fake, step)
    return applied.terms(Step(critic, critic, real, fake, critic(real), critic(fake), step))


def term(regularizer, critic, real, fake, step=0):
    return terms({"it": regularizer}, critic, real, fake, step)["it"]


@pytest.fixture
def data():
    torch.manual_seed(0)
    return torch.randn(5, 3), torch.randn(5, 3) + 2


# --- linear critics: a = (3, 4, 0), ‖a‖ = 5 ---------------------------------------------------


@pytest.mark.parametrize("penalty", [GradientPenalty, LocalPenalty])
@pytest.mark.parametrize(
    ("center", "one_sided", "expected"),
    [
        (0.0, False, 25.0),
        (1.0, False, 16.0),
        (2.0, True, 9.0),
        (5.0, False, 0.0),
        (7.0, False, 4.0),
        (7.0, True, 0.0),
        (0.0, True, 25.0),
    ],
)
def test_gradient_penalty_of_a_linear_critic(penalty, center, one_sided, expected, data):
    """The value is (‖a‖ − center)² at every point; one-sided, it is 0 for ‖a‖ below the center."""
    critic = Linear([3.0, 4.0, 0.0])
    for weight in (1.0, 10.0):
        value = term(penalty(weight, center, one_sided=one_sided), critic, *data)
        assert value.item() == pytest.approx(weight * expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("penalty", [R1, R2])
def test_r1_and_r2_of_a_linear_critic(penalty, data):
    critic = Linear([3.0, 4.0, 0.0])
    assert term(penalty(), critic, *data).item() == pytest.approx(12.5)
    assert term(penalty(weight=2.0), critic, *data).item() == pytest.approx(25.0)


def test_gradients_of_penalties_for_the_critics_parameters(data):
    """∂/∂a is weight·a for R1, 2·weight·(‖a‖ − center)·a/‖a‖ for WGAN-GP; ∂/∂b is 0."""
    a = torch.tensor([3.0, 4.0, 0.0])
    for penalty, expected in [
        (R1(weight=2.0), 2.0 * a),
        (R2(weight=2.0), 2.0 * a),
        (GradientPenalty(10.0, center=1.0), 20.0 * 4.0 * a / 5),
        (GradientPenalty(10.0, center=0.0), 20.0 * a),
        (GradientPenalty(10.0, center=7.0, one_sided=True), 0 * a),
    ]:
        critic = Linear([3.0, 4.0, 0.0])
        term(penalty, critic, *data).backward()
        torch.testing.assert_close(critic.a.grad, expected)
        assert critic.b.grad is None or critic.b.grad == 0


@pytest.mark.parametrize("penalty", [GradientPenalty(), LocalPenalty(), R1(), R2()])
def test_the_norm_of_an_image_gradient_is_over_all_its_pixels(penalty):
    """The norm is over channels, rows and columns, not only over the last axis."""
    torch.manual_seed(0)
    images = torch.randn(2, 4, 1, 3, 3)
    critic = Linear([2.0] * 9)
    values = {GradientPenalty: 10 * 25.0, LocalPenalty: 10 * 25.0, R1: 18.0, R2: 18.0}
    assert term(penalty, critic, *images).item() == pytest.approx(values[type(penalty)], rel=1e-5)


# --- quadratic critics, whose gradient depends on x ---------------------------------------------


def test_r1_is_taken_at_real_and_r2_at_generated_samples(data):
    real, fake = data
    critic = Quadratic(0.6)
    for penalty, samples in [(R1(), real), (R2(), fake)]:
        expected = 0.5 * 0.36 * samples.square().sum(1).mean()
        torch.testing.assert_close(term(penalty, critic, real, fake), expected)


@pytest.mark.parametrize("penalty", [GradientPenalty(1.0), LocalPenalty(1.0, spread=0.0)])
def test_the_mean_is_over_samples_after_the_square(penalty, data):
    """If real and fake are equal, x̂ is the real example: the value is the mean of (k‖x‖ − 1)²."""
    real, _ = data
    expected = (0.6 * real.norm(dim=1) - 1).square().mean()
    torch.testing.assert_close(term(penalty, Quadratic(0.6), real, real.clone()), expected)


def test_points_lie_uniformly_between_real_and_generated():
    """x̂ = fake + t·(real − fake), with one t for all values of a sample."""
    torch.manual_seed(0)
    real, fake = torch.randn(4000, 1, 2, 2), torch.randn(4000, 1, 2, 2) + 9
    t = ((GradientPenalty().points((real,), (fake,))[0] - fake) / (real - fake)).flatten(1)
    torch.testing.assert_close(t, t[:, :1].expand_as(t), atol=1e-4, rtol=0)
    assert t.min() >= -1e-4
    assert t.max() <= 1 + 1e-4
    assert t.mean().item() == pytest.approx(1 / 2, abs=4 * (1 / 12 / 4000) ** 0.5)
    assert t[:, 0].var().item() == pytest.approx(1 / 12, rel=0.05)


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_points_of_dragan_surround_the_real_samples(spread):
    """Points are x + spread · std(x) · u, with u uniform in [0, 1) for each value."""
    torch.manual_seed(0)
    real = 3 * torch.randn(2000, 4) + 1
    u = (LocalPenalty(spread=spread).points((real,), ())[0] - real) / (spread * real.std())
    assert u.min() >= -1e-4
    assert u.max() <= 1 + 1e-4
    assert u.mean().item() == pytest.approx(1 / 2, abs=0.02)
    assert u.var().item() == pytest.approx(1 / 12, rel=0.05)
    assert torch.corrcoef(u.T).fill_diagonal_(0).abs().max() < 0.1


# --- R1 and R2 reuse the computed scores --------------------------------------------------------


@pytest.mark.parametrize("penalty", [R1(3.0), R2(3.0)])
def test_r1_and_r2_equal_those_of_per_sample_gradients(penalty, data):
    """The term and its gradients agree with per-sample gradients by torch.func."""
    critic = mlp()
    value = term(penalty, critic, *data)
    gradients = torch.autograd.grad(value, list(critic.parameters())[:3])

    samples = data[0] if penalty.at == "real" else data[1]
    weights = {name: p.detach() for name, p in critic.named_parameters()}

    def directly(weights):
        def score(x):
            return torch.func.functional_call(critic, weights, x[None])[0]

        return 1.5 * torch.func.vmap(torch.func.grad(score))(samples).square().sum(1).mean()

    torch.testing.assert_close(value.detach(), directly(weights))
    expected = torch.func.grad(directly)(weights)
    for (name, _), gradient in zip(critic.named_parameters(), gradients, strict=False):
        torch.testing.assert_close(gradient, expected[name])


@pytest.mark.parametrize("penalty", [R1(), R2()])
def test_r1_and_r2_need_no_further_forward_pass(penalty, data):
    critic, calls = mlp(), []
    applied = Regularizers({"it": penalty})
    real, fake = applied.inputs(*data, 0)
    scores = critic(real), critic(fake)
    applied.terms(Step(critic, calls.append, real, fake, *scores, 0))
    assert not calls


def test_penalties_do_not_change_the_batch_or_the_generators_gradients(data):
    real, fake = data[0], data[1].requires_grad_()
    applied = Regularizers({"r1": R1(), "r2": R2(), "gp": GradientPenalty()})
    real_input, fake_input = applied.inputs(real, fake, 0)
    assert real_input.requires_grad
    assert fake_input.requires_grad
    assert real_input.is_leaf
    assert fake_input.is_leaf
    assert not real.requires_grad
    sum(terms({"r1": R1(), "r2": R2(), "gp": GradientPenalty()}, mlp(), real, fake).values())
    assert fake.grad is None


def test_a_constant_critic_has_finite_gradients(data):
    """The norm has no derivative at 0; a critic of dead ReLUs must not get NaN gradients."""
    critic = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1), nn.Flatten(0))
    nn.init.constant_(critic[0].bias, -1e3)
    for penalty in (GradientPenalty(), GradientPenalty(center=0.0), LocalPenalty(), R1()):
        critic.zero_grad()
        term(penalty, critic, *data).backward()
        gradients = [p.grad for p in critic.parameters() if p.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)


# --- lazy penalties -----------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("make", [R1, R2, GradientPenalty, WeightDecay])
def test_a_lazy_term_has_the_same_mean_over_steps(make, every, data):
    critic = Linear([3.0, 4.0, 0.0])
    eager = term(make(weight=2.0), critic, *data).item()
    values = [
        terms({"it": make(weight=2.0, every=every)}, critic, *data, step).get("it")
        for step in range(2 * every)
    ]
    assert [step for step, value in enumerate(values) if value is not None] == [0, every]
    total = sum(value.item() for value in values if value is not None)
    assert total / len(values) == pytest.approx(eager, rel=1e-5)


def test_inputs_require_gradients_only_for_penalties_that_are_due(data):
    applied = Regularizers({"r1": R1(every=2), "r2": R2(every=3), "gp": GradientPenalty()})
    for step in range(6):
        real, fake = applied.inputs(*data, step)
        assert real.requires_grad == (step % 2 == 0)
        assert fake.requires_grad == (step % 3 == 0)


# --- precision ----------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [GradientPenalty(), LocalPenalty(), R1(), R2()])
def test_penalties_stay_in_float32_under_autocast(penalty, data):
    """Penalties call the critic with autocast off; the value is the same as without autocast."""
    critic, seen = mlp(), []

    def score(samples):
        scores = critic(samples)
        seen.append((torch.is_autocast_enabled("cpu"), samples.dtype, scores.dtype))
        return scores

    torch.manual_seed(1)
    expected = term(penalty, critic, *data)
    applied = Regularizers({"it": penalty})
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        real, fake = applied.inputs(*data, 0)
        scores = critic(real), critic(fake)
        value = applied.terms(Step(critic, score, real, fake, *scores, 0))["it"]
    assert scores[0].dtype == torch.bfloat16
    assert seen == [(False, torch.float32, torch.float32)]
    assert value.dtype == torch.float32
    assert torch.equal(value, expected)


@pytest.mark.parametrize("penalty", [GradientPenalty(), LocalPenalty(), R1(), R2()])
def test_penalties_take_samples_in_half_precision(penalty, data):
    """Under autocast, a generator's output is bfloat16, but real examples are float32."""
    real, fake = data[0], data[1].bfloat16()
    critic = mlp()
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        value = term(penalty, critic, real, fake)
    torch.manual_seed(1)
    torch.testing.assert_close(value, term(penalty, critic, real, fake.float()))


# --- schedules and errors -----------------------------------------------------------------------


def test_weight_and_center_follow_schedules(data):
    penalty = GradientPenalty(
        weight=Ramp(10.0, 0.0, examples=100), center=Ramp(1.0, 3.0, examples=100)
    )
    scheduled = ScheduledScalars()
    scheduled.bind("regularizers", {"gp": penalty})
    critic = Linear([3.0, 4.0, 0.0])
    for images, expected in [(0, 10 * 16.0), (50, 5 * 9.0), (100, 0.0)]:
        scheduled.update(images)
        assert term(penalty, critic, *data).item() == pytest.approx(expected, rel=1e-5)
    values = scheduled.values(50)
    assert values == {"regularizers.gp.weight": 5.0, "regularizers.gp.center": 2.0}


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: R1(every=0), ["R1.every", "0", "1 or more"]),
        (lambda: R2(every=-3), ["R2.every", "-3", "1 or more"]),
        (lambda: GradientPenalty(center=-1.0), ["GradientPenalty.center", "-1.0", "0 or more"]),
        (lambda: LocalPenalty(center=-1.0), ["LocalPenalty.center", "-1.0", "0 or more"]),
        (lambda: LocalPenalty(every=0), ["LocalPenalty.every", "0", "1 or more"]),
    ],
)
def test_errors_name_argument_value_and_allowed(build, words):
    with pytest.raises(ConfigError) as error:
        build()
    for word in words:
        assert word in str(error.value)


def test_the_base_class_is_abstract():
    with pytest.raises(NotImplementedError):
        GradientPenaltyBase().points(torch.zeros(1, 1), torch.zeros(1, 1))
    with pytest.raises(NotImplementedError):
        GradientPenaltyBase().of_gradients(torch.zeros(1, 1))
