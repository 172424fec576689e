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

    def __init__(self, players, a, b):
        super().__init__()
        self.a, self.b = a, b
        self.declare_players(players)


def test_empty_player():
    with pytest.raises(ConfigError, match=r"model\.players\.b: has no parameters"):
        Two({"a": Player(sgd()), "b": Player(sgd())}, nn.Linear(1, 1), nn.ReLU())


def test_player_whose_parameters_are_all_frozen():
    frozen = nn.Linear(1, 1).requires_grad_(False)
    with pytest.raises(ConfigError, match=r"model\.players\.b: has no parameters"):
        Two({"a": Player(sgd()), "b": Player(sgd())}, nn.Linear(1, 1), frozen)


def test_overlap_is_refused_unless_declared():
    trunk = nn.Linear(1, 1)
    a, b = nn.Sequential(trunk, nn.Linear(1, 1)), nn.Sequential(trunk)
    with pytest.raises(ConfigError, match=r"trained by both 'a' and 'b'"):
        Two({"a": Player(sgd()), "b": Player(sgd())}, a, b)
    module = Two({"a": Player(sgd()), "b": Player(sgd(), jointly=["b"])}, a, b)
    assert len(module.parameters_of["a"]) == 4
    assert len(module.parameters_of["b"]) == 2


def test_unknown_shared_submodule():
    with pytest.raises(ConfigError, match=r"players\.b\.jointly: Two has no submodule 'bb'"):
        Two(
            {"a": Player(sgd()), "b": Player(sgd(), jointly=["bb"])},
            nn.Linear(1, 1),
            nn.Linear(1, 1),
        )


def test_gradients_are_required_again_for_the_trained_player_after_a_nested_block():
    """The two players share parameters."""
    trunk = nn.Linear(1, 1)
    module = Two(
        {"a": Player(sgd()), "b": Player(sgd(), jointly=["a", "b"])},
        nn.Sequential(trunk),
        nn.Sequential(trunk, nn.Linear(1, 1)),
    )
    module._require_gradients_of("a")
    with module.gradients_of("b", required=True):
        assert torch.is_grad_enabled()
        assert all(p.requires_grad for p in module.b.parameters())
    assert [p.requires_grad for p in module.b.parameters()] == [True, True, False, False]
