"""Unrolling: closed forms, gradients, and that the discriminator does not change."""

import copy

import pytest
import torch
from helpers.tiny import fit, sgd, tiny_gan, tiny_labelled
from torch import nn

from ganlab.errors import ConfigError
from ganlab.losses import NonSaturating, RelativisticPairing, Unrolling, Wasserstein
from ganlab.networks import MLPDiscriminator


class Line(nn.Linear):
    """D(x) = ψ·x on points (N, 1)."""

    def __init__(self, psi):
        super().__init__(1, 1, bias=False, dtype=torch.float64)
        nn.init.constant_(self.weight, psi)

    def forward(self, x):
        return super().forward(x).squeeze(1)


def _surrogate(loss, unrolling, psi, theta, x=0.0):
    """The generator's loss and its gradient in θ; samples are all θ, real examples all x."""
    critic = Line(psi).requires_grad_(False)
    fake = torch.tensor([[theta]], dtype=torch.float64, requires_grad=True)
    real = torch.tensor([[x]], dtype=torch.float64)
    score = unrolling.look_ahead(critic, lambda at: loss.discriminator(at(real), at(fake)))
    value = loss.generator(score(fake))
    (gradient,) = torch.autograd.grad(value, fake)
    assert float(critic.weight) == psi
    assert critic.weight.grad is None
    return value.item(), gradient.item()


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_wasserstein_dirac(steps):
    """ψ_K = ψ − Kη(θ − x), so the loss is −ψθ + Kη(θ − x)θ and its gradient −ψ + Kη(2θ − x)."""
    psi, theta, x, lr = 0.7, 1.3, 0.4, 0.1
    value, gradient = _surrogate(Wasserstein(), Unrolling(steps, lr), psi, theta, x)
    assert value == pytest.approx(-psi * theta + steps * lr * (theta - x) * theta, rel=1e-12)
    assert gradient == pytest.approx(-psi + steps * lr * (2 * theta - x), rel=1e-12)


def test_one_step_of_the_cross_entropy():
    """ψ₁ = ψ − η σ(ψθ) θ for a real sample at 0; the loss is softplus(−ψ₁θ)."""
    psi, theta, lr = 0.7, 1.3, 0.5
    sigmoid = torch.tensor(psi * theta, dtype=torch.float64).sigmoid().item()
    slope = sigmoid * (1 - sigmoid)
    ahead = psi - lr * sigmoid * theta
    change = -lr * (sigmoid + theta * psi * slope)  # dψ₁/dθ
    push = torch.tensor(-ahead * theta, dtype=torch.float64).sigmoid().item()
    _, gradient = _surrogate(NonSaturating(), Unrolling(1, lr), psi, theta)
    assert gradient == pytest.approx(-push * (ahead + theta * change), rel=1e-12)


def _generator_gradients(**options):
    """The gradients of the generator's loss on a fixed batch."""
    module = tiny_gan(**options)
    batch = {"example": torch.randn(6, 2, generator=torch.Generator().manual_seed(0))}
    latents = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    module.shared = lambda key, of, make: (latents, module.generator(latents))
    module.generator_loss(batch)["adversarial"].backward()
    return [p.grad for p in module.generator.parameters()]


@pytest.mark.parametrize("loss", [NonSaturating(), RelativisticPairing()])
def test_zero_steps_give_the_ordinary_game(loss):
    plain = _generator_gradients(adversarial=loss)
    none = _generator_gradients(adversarial=loss, unrolling=Unrolling(steps=0))
    some = _generator_gradients(adversarial=loss, unrolling=Unrolling(steps=2))
    torch.testing.assert_close(none, plain)
    assert not any(torch.allclose(a, b) for a, b in zip(some, plain, strict=True))


def test_the_gradient_agrees_with_finite_differences():
    """Checked through two steps of an MLP in double precision."""
    torch.manual_seed(0)
    critic = MLPDiscriminator([2], [5], activation="tanh").double()
    real, fake = torch.randn(2, 3, 2, dtype=torch.float64)
    loss, unrolling = NonSaturating(), Unrolling(2, 0.3)

    def surrogate(fake):
        score = unrolling.look_ahead(critic, lambda at: loss.discriminator(at(real), at(fake)))
        return loss.generator(score(fake))

    assert torch.autograd.gradcheck(surrogate, fake.requires_grad_())


def test_unrolling_does_not_change_the_discriminators_training():
    """With the generator's learning rate 0, runs with and without unrolling give equal weights."""
    weights = []
    for unrolling in (None, Unrolling(3)):
        module = tiny_gan(unrolling=unrolling)
        module.players["generator"].optimizer = sgd(lr=0.0)
        fit(module, batches=3)
        weights.append([p.detach().clone() for p in module.discriminator.parameters()])
    torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_with_labels():
    """The loss equals the loss after two SGD steps of a copy, and depends on the labels."""
    module = tiny_labelled(dropout=0.0)
    module.adversarial, module.unrolling = NonSaturating(), Unrolling(2, 0.3)
    rng = torch.Generator().manual_seed(0)
    batch = {"example": torch.rand(4, 1, 8, 8, generator=rng), "label": torch.arange(4) % 3}
    fake = torch.rand(4, 1, 8, 8, generator=rng)
    module.shared = lambda key, of, make: (None, fake)
    unrolled = module.generator_loss(batch)["adversarial"]
    ahead = copy.deepcopy(module.discriminator)
    descent = torch.optim.SGD(ahead.parameters(), lr=0.3)
    for _ in range(2):
        descent.zero_grad()
        scores = (ahead(samples, batch["label"]) for samples in (batch["example"], fake))
        module.adversarial.discriminator(*scores).backward()
        descent.step()
    by_hand = module.adversarial.generator(ahead(fake, batch["label"]))
    torch.testing.assert_close(unrolled.detach(), by_hand.detach())
    relabelled = module.generator_loss(batch | {"label": batch["label"].flip(0)})["adversarial"]
    assert not torch.allclose(relabelled, unrolled)


@pytest.mark.parametrize("wrong", [{"steps": -1}, {"lr": 0.0}])
def test_bad_settings(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Unrolling(**wrong)


def test_look_ahead_does_not_change_running_averages():
    """Batch norm in training mode updates its buffers at ordinary passes, but not in look_ahead."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    real, fake = torch.randn(8, 2), torch.randn(8, 2)
    score = Unrolling(3, 0.1).look_ahead(network, lambda at: (at(fake) - at(real)).mean())
    score(fake)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
