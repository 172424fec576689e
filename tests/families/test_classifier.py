"""The game of one player learns labels."""

import functools

import pytest
import torch
from helpers.tiny import fit, tiny_gan, tiny_images, tiny_ring

from ganlab.core import Classifies, Generates, Player
from ganlab.errors import ConfigError
from ganlab.families import Classifier
from ganlab.families.classifier import random_shift


def classifier(features=64, **options):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(features, 3))
    players = {"network": Player(functools.partial(torch.optim.Adam, lr=1e-2))}
    return Classifier(network, **options).bind(players)


def test_learns_the_classes():
    module, data = classifier(), tiny_images(batch_size=20)
    fit(module, batches=60, data=data)
    data.setup("fit")
    images = data.train["example"].float() / 127.5 - 1
    hits = module.classify(images).argmax(1) == data.train["label"]
    assert hits.float().mean() > 0.9


def test_cross_entropy_of_equal_logits():
    """Equal logits give log K with every smoothing."""
    module = classifier(smoothing=0.1)
    torch.nn.init.zeros_(module.network[1].weight)
    torch.nn.init.zeros_(module.network[1].bias)
    batch = {"example": torch.randn(5, 1, 8, 8), "label": torch.tensor([0, 1, 2, 1, 0])}
    loss = module.network_loss(batch)["cross_entropy"]
    torch.testing.assert_close(loss, torch.tensor(3.0).log())


def test_shift_moves_each_image_as_a_whole():
    image = torch.full((50, 1, 9, 9), -1.0)
    image[:, :, 4, 4] = 1.0
    torch.manual_seed(0)
    moved = random_shift(image, 2)
    assert moved.shape == image.shape
    assert torch.equal((moved == 1).flatten(1).sum(1), torch.ones(50, dtype=torch.long))
    positions = (moved == 1).nonzero()[:, 2:]
    assert int(positions.min()) == 2
    assert int(positions.max()) == 6
    assert len({tuple(p) for p in positions.tolist()}) > 10


def test_refuses_data_that_does_not_fit():
    with pytest.raises(ConfigError, match="cannot take inputs of"):
        classifier(features=10).check_data({"example": (1, 8, 8)}, ("example", "label"))
    with pytest.raises(ConfigError, match="'label'"):
        classifier().check_data({"example": (1, 8, 8)}, ("example",))
    assert isinstance(classifier(), Classifies)
    assert not isinstance(classifier(), Generates)
    assert tiny_gan().needs == ("example",)
    assert tiny_ring().provides == ("example", "label")
