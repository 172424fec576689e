"""Losses and penalties of discriminators with patch scores or several scales."""

import pytest
import torch
from torch import nn

from ganlab.losses import Hinge, NonSaturating, RelativisticPairing, mean_scores
from ganlab.networks import MultiScale, PatchGAN
from ganlab.regularizers import R1, Adversary, GradientPenalty, WeightClipping

REAL, FAKE = torch.randn(2, 4, 3, 24, 24).unbind(0)


class Repeated(nn.Module):
    """A PatchGAN whose mean score is repeated `positions` times."""

    def __init__(self, positions):
        super().__init__()
        torch.manual_seed(0)
        self.network, self.positions = PatchGAN(features=4, layers=1, norm="instance"), positions

    def forward(self, x):
        return self.network(x).mean((1, 2, 3)).view(-1, 1, 1, 1).expand(-1, 1, 1, self.positions)


@pytest.mark.parametrize("penalty", [R1(10.0), GradientPenalty(10.0)])
def test_a_penalty_does_not_grow_with_the_number_of_positions(penalty):
    """The penalty is on the mean score, so that λ has the same meaning for all sizes."""
    results = []
    for positions in (1, 50):
        network = Repeated(positions)
        torch.manual_seed(1)
        terms, _ = Adversary(Hinge(), {"penalty": penalty}, network).discriminator_terms(
            network, REAL, FAKE, 0
        )
        results.append(terms)
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-6)
    assert results[0]["penalty"] > 0


def test_scores_of_several_scales_add_up():
    network = MultiScale(features=4, layers=1, scales=2)
    scores = network(REAL)
    expected = sum(part.mean((1, 2, 3)) for part in scores)
    torch.testing.assert_close(mean_scores(scores), expected)
    terms, monitored = Adversary(NonSaturating(), {}, network).discriminator_terms(
        network, REAL, FAKE, 0
    )
    assert set(terms) == {"adversarial"}
    assert monitored["real_scores"].shape == (4, sum(part[0].numel() for part in scores))


def test_the_generators_paired_loss_views_fake_and_real():
    """`view` maps both inputs of the discriminator; only a paired loss needs the real scores."""
    seen = []
    network = PatchGAN(features=4, layers=1)
    adversary = Adversary(RelativisticPairing(), {}, network)
    adversary.generator_loss(network, FAKE, REAL, view=lambda x: seen.append(x) or x)
    assert [id(x) for x in seen] == [id(FAKE), id(REAL)]


def test_every_discriminator_is_constrained():
    networks = [PatchGAN(features=4, layers=1) for _ in range(2)]
    Adversary(Hinge(), {"clip": WeightClipping(0.001)}, *networks).constrain()
    assert all(p.abs().max() <= 0.001 for network in networks for p in network.parameters())


def test_the_matching_loss_of_one_scale_does_not_depend_on_the_batch_size():
    network = PatchGAN(features=4, layers=1, norm="instance")
    adversary = Adversary(Hinge(), {}, network)
    one = adversary.generator_and_matching_loss(network, FAKE[:1], REAL[:1])[1]
    many = adversary.generator_and_matching_loss(
        network, FAKE[:1].expand(4, -1, -1, -1), REAL[:1].expand(4, -1, -1, -1)
    )[1]
    torch.testing.assert_close(one, many)
