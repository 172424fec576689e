"""MLPs: the networks of the GAN paper of 2014, maxout, ranges of outputs, errors."""

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from ganlab.errors import ConfigError
from ganlab.networks import Maxout, MLPDiscriminator, MLPGenerator


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_the_networks_of_2014():
    """The generator has 2 × 1200 ReLUs, the discriminator 2 × 240 maxout units of 5 pieces."""
    with torch.device("meta"):
        generator = MLPGenerator(100, [1, 28, 28], [1200, 1200], output="sigmoid", init="uniform")
        discriminator = MLPDiscriminator([1, 28, 28], [240, 240], "maxout", dropout=0.5)
    assert count(generator) == 101 * 1200 + 1201 * 1200 + 1201 * 784
    assert count(discriminator) == 785 * 1200 + 241 * 1200 + 241


def test_maxout_is_the_largest_of_its_pieces():
    layer = Maxout(3, 4, pieces=5)
    x = torch.randn(7, 3)
    pieces = layer.linear(x)
    wanted = torch.stack([pieces[:, 5 * unit : 5 * unit + 5].max(1).values for unit in range(4)], 1)
    assert torch.equal(layer(x), wanted)


def test_maxout_of_two_opposite_pieces_is_the_absolute_value():
    layer = Maxout(1, 1, pieces=2)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        layer.linear.bias.zero_()
    x = torch.linspace(-2, 2, 9)[:, None]
    assert torch.equal(layer(x), x.abs())


@pytest.mark.parametrize("output", ["tanh", "sigmoid"])
def test_bounded_outputs_fill_minus_one_to_one(output):
    torch.manual_seed(0)
    generator = MLPGenerator(4, [1, 3, 3], [16], output=output, init="default")
    x = generator(1000 * torch.randn(200, 4))
    assert x.shape == (200, 1, 3, 3)
    assert x.min() == -1
    assert x.max() == 1


def test_a_linear_output_is_unbounded():
    generator = MLPGenerator(4, [2], [16], output="linear")
    x = generator(1000 * torch.randn(200, 4))
    assert x.shape == (200, 2)
    assert x.abs().max() > 1


def test_networks_for_points_have_no_reshaping_layers():
    types = {type(m) for m in MLPGenerator(4, [2], [8, 8], output="linear").layers}
    types |= {type(m) for m in MLPDiscriminator([2], [8, 8]).layers}
    assert types == {nn.Linear, nn.ReLU, nn.LeakyReLU}


@pytest.mark.parametrize("activation", ["leaky_relu", "relu", "tanh", "maxout"])
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_each_sample_has_one_score(activation, norm):
    discriminator = MLPDiscriminator([1, 4, 4], [8, 8], activation, norm)
    assert discriminator(torch.randn(3, 1, 4, 4)).shape == (3,)
    kinds = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
    norms = sum(isinstance(m, tuple(kinds.values())) for m in discriminator.modules())
    assert norms == (0 if norm == "none" else 2)


def test_dropout_acts_only_in_training():
    discriminator = MLPDiscriminator([64], [64], dropout=0.5, input_dropout=0.2)
    assert [m.p for m in discriminator.modules() if isinstance(m, nn.Dropout)] == [0.2, 0.5]
    x = torch.randn(4, 64)
    assert not torch.equal(discriminator(x), discriminator(x))
    discriminator.eval()
    assert torch.equal(discriminator(x), discriminator(x))


def test_shapes_may_be_lists_from_yaml():
    config = OmegaConf.create({"shape": [1, 4, 4], "hidden": [8]})
    generator = MLPGenerator(3, config.shape, config.hidden)
    assert generator.shape == (1, 4, 4)
    assert type(generator.shape) is tuple
    assert MLPDiscriminator(config.shape, config.hidden)(generator(torch.randn(2, 3))).shape == (2,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shape": []}, "shape: received .*allowed a list of positive whole numbers"),
        ({"shape": 2}, "shape: received 2"),
        ({"shape": [2], "hidden": [8, 0]}, r"hidden\[1\]: received 0.*nearest 1"),
        (
            {"shape": [2], "norm": "instance"},
            "norm: received 'instance' for an MLP.*nearest 'layer'",
        ),
        ({"shape": [2], "activation": "leaky"}, r"activation: .*Did you mean 'leaky_relu'\?"),
        ({"shape": [2], "dropout": 1.0}, "dropout: received 1.0; .*nearest 0.99"),
        ({"shape": [2], "pieces": 1}, "pieces: received 1; .*nearest 2"),
    ],
)
def test_wrong_arguments(arguments, words):
    with pytest.raises(ConfigError, match=words):
        MLPDiscriminator(**arguments)


def test_wrong_arguments_of_the_generator():
    with pytest.raises(ConfigError, match=r"output: received 'sigmod'.*Did you mean 'sigmoid'\?"):
        MLPGenerator(2, [2], output="sigmod")
    with pytest.raises(ConfigError, match="latent: received '2'"):
        MLPGenerator("2", [2])
