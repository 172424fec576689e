"""Losses and penalties of discriminators with patch scores or several scales."""

import pytest
import torch
from torch import nn

from ganlab.augment import Augmentation
from ganlab.losses import Hinge, NonSaturating, RelativisticPairing, mean_scores
from ganlab.networks import MultiScale, PatchGAN
from ganlab.regularizers import R1, Adversary, GradientPenalty

REAL, FAKE = torch.randn(2, 4, 3, 24, 24).unbind(0)


class TurnedBack(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x.flip(2))


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


class Turn(Augmentation):
    """Turns the parts of a sample upside down, and records them."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def augment(self, parts):
        self.seen.append(parts)
        return tuple(part.flip(2) for part in parts)


def test_augmentations_change_samples_and_what_is_given_alike():
    """Only a paired loss needs the real scores in the generator's loss."""
    inputs, turn = [], Turn()
    network = PatchGAN(features=4, layers=1, in_channels=6)
    network.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    adversary = Adversary(RelativisticPairing(), {"turn": turn}, network)
    adversary.generator_loss(network, FAKE, REAL, given=(REAL,))
    assert [tuple(map(id, parts)) for parts in turn.seen] == [
        (id(REAL), id(FAKE)),
        (id(REAL), id(REAL)),
    ]
    assert torch.equal(inputs[0], torch.cat([REAL, FAKE], 1).flip(2))
    adversary.discriminator_terms(network, REAL, FAKE, 0, given=(REAL,))
    assert len(turn.seen) == 4


@pytest.mark.parametrize("penalty", [R1(10.0), GradientPenalty(10.0)])
def test_penalties_differentiate_through_augmentations(penalty):
    """Turned inputs of a network that turns its inputs back have the penalty of plain inputs."""
    network = PatchGAN(features=4, layers=1, norm="instance")
    results = []
    for regularizers, seen in (({}, network), ({"turn": Turn()}, TurnedBack(network))):
        torch.manual_seed(1)
        adversary = Adversary(Hinge(), {"penalty": penalty, **regularizers}, network)
        terms, _ = adversary.discriminator_terms(seen, REAL, FAKE, 0)
        results.append(terms)
    torch.testing.assert_close(results[0], results[1])


def test_the_matching_loss_of_one_scale_does_not_depend_on_the_batch_size():
    network = PatchGAN(features=4, layers=1, norm="instance")
    adversary = Adversary(Hinge(), {}, network)
    one = adversary.generator_and_matching_loss(network, FAKE[:1], REAL[:1])[1]
    many = adversary.generator_and_matching_loss(
        network, FAKE[:1].expand(4, -1, -1, -1), REAL[:1].expand(4, -1, -1, -1)
    )[1]
    torch.testing.assert_close(one, many)
