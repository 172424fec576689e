"""Discriminators of patches and of several scales are regularised as the loss sees them."""

import pytest
import torch
from torch import nn

from ganlab.losses import Hinge, NonSaturating, RelativisticPairing, mean_scores
from ganlab.networks import MultiScale, PatchGAN
from ganlab.regularizers import R1, Adversary, GradientPenalty, WeightClipping

REAL, FAKE = torch.randn(2, 4, 3, 24, 24).unbind(0)


class Repeated(nn.Module):
    """The mean score of a PatchGAN, at as many places as one likes."""

    def __init__(self, places):
        super().__init__()
        torch.manual_seed(0)
        self.network, self.places = PatchGAN(features=4, layers=1, norm="instance"), places

    def forward(self, x):
        return self.network(x).mean((1, 2, 3)).view(-1, 1, 1, 1).expand(-1, 1, 1, self.places)


@pytest.mark.parametrize("penalty", [R1(10.0), GradientPenalty(10.0)])
def test_a_penalty_does_not_grow_with_the_number_of_places(penalty):
    """It is of the function whose mean the loss takes, so that λ means the same for all sizes."""
    found = []
    for places in (1, 50):
        network = Repeated(places)
        torch.manual_seed(1)
        terms, _ = Adversary(Hinge(), {"penalty": penalty}, network).discriminator_terms(
            network, REAL, FAKE, 0
        )
        found.append(terms)
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-6)
    assert found[0]["penalty"] > 0


def test_scores_of_several_scales_add_up():
    network = MultiScale(features=4, layers=1, scales=2)
    scores = network(REAL)
    expected = sum(part.mean((1, 2, 3)) for part in scores)
    torch.testing.assert_close(mean_scores(scores), expected)
    terms, watched = Adversary(NonSaturating(), {}, network).discriminator_terms(
        network, REAL, FAKE, 0
    )
    assert set(terms) == {"adversarial"}
    assert watched["real_scores"].shape == (4, sum(part[0].numel() for part in scores))


def test_what_is_shown_and_what_is_asked_of_real_samples():
    """`see` stands before the discriminator in both; a paired loss asks about real samples too."""
    seen = []
    network = PatchGAN(features=4, layers=1)
    adversary = Adversary(RelativisticPairing(), {}, network)
    adversary.generator_loss(network, FAKE, REAL, view=lambda x: seen.append(x) or x)
    assert [id(x) for x in seen] == [id(FAKE), id(REAL)]


def test_every_discriminator_is_constrained():
    networks = [PatchGAN(features=4, layers=1) for _ in range(2)]
    Adversary(Hinge(), {"clip": WeightClipping(0.001)}, *networks).constrain()
    assert all(p.abs().max() <= 0.001 for network in networks for p in network.parameters())


def test_maps_of_one_scale_are_matched_whatever_the_batch():
    network = PatchGAN(features=4, layers=1, norm="instance")
    adversary = Adversary(Hinge(), {}, network)
    one = adversary.generator_and_matching_loss(network, FAKE[:1], REAL[:1])[1]
    many = adversary.generator_and_matching_loss(
        network, FAKE[:1].expand(4, -1, -1, -1), REAL[:1].expand(4, -1, -1, -1)
    )[1]
    torch.testing.assert_close(one, many)
