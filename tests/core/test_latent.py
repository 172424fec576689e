"""Sampling from latents: truncation by the network itself, gradients, and what models offer."""

import pytest
import torch
from helpers.games.players import VAEGAN
from helpers.tiny import tiny_gan, tiny_labelled
from helpers.tiny_translation import tiny_cyclegan
from torch import nn

from ganlab.core import Generates, LatentModel, Scores, Translates
from ganlab.errors import ConfigError
from ganlab.losses import NonSaturating


class Mapped(nn.Module):
    """Maps z to w = z + 3, and w to samples; truncates w towards its mean, as StyleGAN does."""

    latent, shape, classes = 2, (2,), None

    def forward(self, z):
        return self.truncated(z, psi=1.0)

    def truncated(self, z, psi):
        """Karras et al. 2019 (arXiv:1812.04948), appendix B: w' = mean + ψ(w − mean)."""
        return 3 + psi * z


class Simple(LatentModel):
    def __init__(self):
        super().__init__()
        self.generator = Mapped()


def test_a_network_with_its_own_truncation_is_asked_for_it():
    module = Simple()
    latents, _ = module.draw_inputs(100, seed=0, truncation=0.01)
    assert latents.abs().max() > 1  # not truncated by rejection
    for psi in (0.0, 0.5, 1.0):
        samples = module.sample(latents=latents, truncation=psi)
        torch.testing.assert_close(samples, 3 + psi * latents)
    torch.testing.assert_close(module.sample(latents=latents), 3 + latents)


@pytest.mark.parametrize("ema", [True, False])
def test_gradients_reach_the_latents_where_asked(ema):
    """So a sample can be inverted: a step against the gradient comes nearer to a target."""
    module = tiny_gan()
    module.start_averaging()
    latents = torch.randn(3, 4, requires_grad=True)
    assert not module.sample(latents=latents, ema=ema).requires_grad
    target = torch.ones(3, 2)
    with torch.no_grad():  # as in a callback
        samples = module.sample(latents=latents, ema=ema, gradients=True, batch_size=2)
    distance = (samples - target).square().sum()
    (gradient,) = torch.autograd.grad(distance, latents)
    nearer = module.sample(latents=latents.detach() - 0.01 * gradient, ema=ema)
    assert (nearer - target).square().sum() < distance


def test_a_sample_is_the_networks_output_for_its_latent_and_label():
    module = tiny_labelled(dropout=0.0)
    latents, labels = module.draw_inputs(5, seed=1)
    with module.evaluating("generator") as generator, torch.no_grad():
        expected = generator(latents, labels)
    samples = module.sample(latents=latents, labels=labels, batch_size=2)
    torch.testing.assert_close(samples, expected)
    assert torch.equal(module.sample(5, seed=1, batch_size=2), samples)
    assert module.sample(0).shape == (0, 1, 8, 8)


def test_what_games_offer():
    offers = {Generates: (True, False, False), Scores: (True, False, False)}
    offers[Translates] = (False, True, False)
    games = tiny_gan(), tiny_cyclegan(), VAEGAN()
    for offer, expected in offers.items():
        assert tuple(isinstance(game, offer) for game in games) == expected
    assert isinstance(NonSaturating(), nn.Module)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1}, r"n: received -1; needs a whole number"),
        ({"n": 2.5}, r"n: received 2.5"),
        ({"n": True}, r"n: received True"),
        ({"latents": torch.zeros(3, 7)}, r"latents: received shape \(3, 7\); needs \(n, 4\)"),
        ({"latents": torch.zeros(4)}, r"latents: received shape \(4,\); needs \(n, 4\)"),
        ({}, "n: missing"),
    ],
)
def test_wrong_numbers_and_shapes_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        tiny_gan().sample(**arguments)


def test_labels_of_another_number_than_latents_are_refused():
    with pytest.raises(ConfigError, match=r"labels: received 2 for 4 latents"):
        tiny_labelled().sample(4, labels=torch.tensor([0, 1]))
