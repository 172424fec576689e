"""Constraints on weights, noise on inputs, and combinations of regularizers."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from ganlab.augment import InstanceNoise
from ganlab.core.schedule import Ramp, ScheduledScalars
from ganlab.errors import ConfigError
from ganlab.regularizers import (
    R1,
    LeCam,
    Regularizer,
    Regularizers,
    SpectralNorm,
    Step,
    WeightClipping,
    WeightDecay,
)


@pytest.fixture
def critic():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 5), nn.LayerNorm(5), nn.Linear(5, 1), nn.Flatten(0))


# --- weights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [0.01, 0.3])
def test_clipped_weights_lie_within_the_bound(critic, bound):
    """Weights outside move to the bound, others do not change; biases and norms are clipped too."""
    before = [p.detach().clone() for p in critic.parameters()]
    Regularizers({"clip": WeightClipping(bound)}).constrain(critic)
    for old, new in zip(before, critic.parameters(), strict=True):
        assert new.abs().max() <= bound
        inside = old.abs() <= bound
        assert torch.equal(new[inside], old[inside])
        assert torch.equal(new[~inside], bound * old[~inside].sign())
        assert new.requires_grad
        assert new.is_leaf


def test_weight_decay_is_half_the_squared_norm(critic):
    """The gradient of each parameter w is weight · w."""
    decay = Regularizers({"decay": WeightDecay(weight=0.2)})
    x = torch.randn(3, 2)
    real, fake = decay.inputs(x, x, 0)
    terms = decay.terms(Step(critic, critic, real, fake, critic(real), critic(fake), 0))
    everything = torch.cat([p.detach().flatten() for p in critic.parameters()])
    torch.testing.assert_close(terms["decay"].detach(), 0.1 * everything.dot(everything))
    terms["decay"].backward()
    for p in critic.parameters():
        torch.testing.assert_close(p.grad, 0.2 * p.detach())
    assert not real.requires_grad


def test_spectral_norm_is_applied_by_prepare(critic):
    Regularizers({"spectral_norm": SpectralNorm(iterations=30)}).prepare(critic)
    critic(torch.randn(2, 2))
    critic.eval()
    for layer in (critic[0], critic[2]):
        assert parametrize.is_parametrized(layer, "weight")
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1.0, abs=1e-3)


# --- noise --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.1, 2.0])
def test_instance_noise_is_gaussian_of_its_sigma(sigma):
    torch.manual_seed(0)
    samples = torch.full((40_000,), 5.0)
    noise = (InstanceNoise(sigma)(samples) - samples) / sigma
    assert noise.mean().item() == pytest.approx(0.0, abs=0.02)
    assert noise.std().item() == pytest.approx(1.0, rel=0.02)
    assert (noise**4).mean().item() == pytest.approx(3.0, rel=0.1)
    assert (samples == 5).all()


def test_real_and_generated_samples_get_different_noise():
    torch.manual_seed(0)
    zeros = torch.zeros(1000)
    noise = Regularizers({"noise": InstanceNoise(0.5)})
    real, fake = noise.augment(zeros), noise.augment(zeros)
    assert real.std().item() == pytest.approx(0.5, rel=0.1)
    assert fake.std().item() == pytest.approx(0.5, rel=0.1)
    assert torch.corrcoef(torch.stack([real, fake]))[0, 1].abs() < 0.15


def test_two_noises_add_their_variances():
    torch.manual_seed(0)
    both = Regularizers({"one": InstanceNoise(3.0), "other": InstanceNoise(4.0)})
    assert both.augment(torch.zeros(20_000)).std().item() == pytest.approx(5.0, rel=0.03)


def test_sigma_zero_is_the_identity_and_samples_nothing():
    samples, state = torch.randn(4), torch.get_rng_state()
    assert InstanceNoise(0.0)(samples) is samples
    assert torch.equal(torch.get_rng_state(), state)


def test_gradients_pass_through_noise():
    fake = torch.randn(3, requires_grad=True)
    (gradient,) = torch.autograd.grad(InstanceNoise(0.3)(fake).sum(), fake)
    assert torch.equal(gradient, torch.ones(3))


def test_noise_decays_with_a_ramp():
    torch.manual_seed(0)
    noise, scheduled = InstanceNoise(Ramp(0.4, 0.0, examples=100, delay=50)), ScheduledScalars()
    scheduled.bind("regularizers", {"noise": noise})
    assert scheduled.values(100) == {"regularizers.noise.sigma": 0.2}
    samples = torch.zeros(5000)
    for images, sigma in [(0, 0.4), (50, 0.4), (100, 0.2), (125, 0.1)]:
        scheduled.update(images)
        assert noise(samples).std().item() == pytest.approx(sigma, rel=0.05)
    scheduled.update(150)
    assert noise(samples) is samples


# --- combinations -------------------------------------------------------------------------------


def test_no_regularizers_change_nothing(critic):
    """Checked for no group, an empty group, and a group whose only member is None."""
    x = torch.randn(3, 2)
    before = [p.detach().clone() for p in critic.parameters()]
    for together in (Regularizers(), Regularizers({}), Regularizers({"r1": None})):
        real, fake = together.inputs(x, x, 0)
        assert torch.equal(real, x)
        assert not together
        step = Step(critic, critic, real, fake, critic(real), critic(fake), 0)
        assert together.terms(step) == {}
        assert together.augment(x) is x
        together.prepare(critic)
        together.constrain(critic)
    assert all(torch.equal(p, q) for p, q in zip(critic.parameters(), before, strict=True))


def test_terms_carry_the_names_of_the_config(critic):
    together = Regularizers(
        {"smooth": R1(), "noise": InstanceNoise(), "small": WeightDecay(every=2), "off": None}
    )
    x = torch.randn(3, 2)
    for number, expected in [(0, {"smooth", "small"}), (1, {"smooth"})]:
        real, fake = together.inputs(x, x, number)
        step = Step(critic, critic, real, fake, critic(real), critic(fake), number)
        assert together.terms(step).keys() == expected


def test_the_base_regularizer_does_nothing(critic):
    before = [p.detach().clone() for p in critic.parameters()]
    Regularizer().prepare(critic)
    Regularizer().constrain(critic)
    assert all(torch.equal(p, q) for p, q in zip(critic.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: WeightClipping(0.0), ["WeightClipping.bound", "0.0", "above 0"]),
        (lambda: WeightClipping(-0.01), ["WeightClipping.bound", "-0.01", "above 0"]),
        (lambda: InstanceNoise(-0.1), ["InstanceNoise.sigma", "-0.1", "0 or more"]),
        (lambda: WeightDecay(every=0), ["WeightDecay.every", "0", "1 or more"]),
        (
            lambda: Regularizers({"r1": 10.0}),
            ["loss.regularizers.r1", "float", "ganlab.regularizers.Regularizer"],
        ),
        (lambda: Regularizers({"terms": R1()}), ["loss.regularizers", "terms", "another name"]),
        (lambda: LeCam(decay=1.0), ["LeCam.decay", "1.0", "[0, 1)"]),
    ],
)
def test_errors_name_argument_value_and_allowed(build, words):
    with pytest.raises(ConfigError) as error:
        build()
    for word in words:
        assert word in str(error.value)
