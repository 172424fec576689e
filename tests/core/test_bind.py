"""Players that do not fit the game are refused at construction."""

import pytest
import torch
from helpers.tiny import sgd, tiny_gan
from torch import nn

from ganlab.core import AdversarialModule, Player
from ganlab.errors import ConfigError


def test_unknown_player():
    both = {"discriminator": Player(sgd()), "generatr": Player(sgd())}
    with pytest.raises(ConfigError, match=r"received 'generatr'.*Did you mean 'generator'"):
        tiny_gan(players=both)


def test_missing_player():
    with pytest.raises(ConfigError, match=r"model\.players\.generator: missing"):
        tiny_gan(players={"discriminator": Player(sgd())})


def test_unknown_submodule():
    both = {
        "discriminator": Player(sgd(), modules=["discriminater"]),
        "generator": Player(sgd()),
    }
    with pytest.raises(ConfigError, match=r"no submodule 'discriminater'.*'discriminator'"):
        tiny_gan(players=both)


class Two(AdversarialModule):
    roles = ("a", "b")

    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = a, b

    def a_loss(self, batch):
        return {"loss": self.a(batch["example"]).sum()}

    b_loss = a_loss


def test_empty_player():
    with pytest.raises(ConfigError, match=r"model\.players\.b: has no parameters"):
        Two(nn.Linear(1, 1), nn.ReLU()).bind({"a": Player(sgd()), "b": Player(sgd())})


def test_player_whose_parameters_are_all_frozen():
    frozen = nn.Linear(1, 1).requires_grad_(False)
    with pytest.raises(ConfigError, match=r"model\.players\.b: has no parameters"):
        Two(nn.Linear(1, 1), frozen).bind({"a": Player(sgd()), "b": Player(sgd())})


def test_gradients_are_required_again_for_the_trained_player_after_a_nested_block():
    """The two players share parameters."""
    trunk = nn.Linear(1, 1)
    module = Two(nn.Sequential(trunk), nn.Sequential(trunk, nn.Linear(1, 1)))
    module.bind({"a": Player(sgd()), "b": Player(sgd())})
    module._require_gradients_of("a")
    with module._gradients_of("b"):
        assert torch.is_grad_enabled()
        assert all(p.requires_grad for p in module.b.parameters())
    assert [p.requires_grad for p in module.b.parameters()] == [True, True, False, False]
