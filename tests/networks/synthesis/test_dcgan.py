"""DCGAN: parameter counts of the paper, every size, and errors."""

import math

import pytest
import torch
from torch import nn

from ganlab.errors import ConfigError
from ganlab.networks import DCGANDiscriminator, DCGANGenerator
from ganlab.networks.blocks import FullConv2d, FullConvTranspose2d, to_channels_last
from ganlab.networks.synthesis.dcgan import SIZES, map_sizes


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_sizes_are_a_base_from_4_to_7_doubled_several_times():
    wanted = [16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256]
    assert list(SIZES) == wanted
    for size, (base, doublings) in SIZES.items():
        assert base * 2**doublings == size
        assert 4 <= base <= 7


def test_parameter_counts_of_the_paper():
    with torch.device("meta"):
        assert count(DCGANGenerator(64)) == 3_576_704
        assert count(DCGANDiscriminator(64)) == 2_765_568
        assert count(DCGANGenerator(64, features=128)) == 12_658_432


def test_channels_double_up_to_the_maximum():
    assert map_sizes(64, 64) == (4, (64, 128, 256, 512))
    assert map_sizes(28, 32) == (7, (32, 64))
    assert map_sizes(256, 64) == (4, (64, 128, 256, 512, 1024, 2048))
    assert map_sizes(256, 64, 512) == (4, (64, 128, 256, 512, 512, 512))


@pytest.mark.parametrize("size", SIZES)
def test_every_size_makes_and_judges_images(size):
    generator = DCGANGenerator(size, channels=1 + size % 3, latent=5, features=2, max_features=4)
    discriminator = DCGANDiscriminator(size, generator.channels, 2, max_features=4)
    x = generator(torch.randn(2, 5))
    assert x.shape == (2, *generator.shape) == (2, generator.channels, size, size)
    assert discriminator.shape == generator.shape
    assert x.abs().max() <= 1
    assert discriminator(x).shape == (2,)


@pytest.mark.parametrize("size", [16, 28, 40, 256])
def test_discriminator_mirrors_the_generator(size):
    """The weights' shapes agree in reverse order, except at z and at the score."""
    with torch.device("meta"):
        generator, discriminator = DCGANGenerator(size, latent=7), DCGANDiscriminator(size)
    ups = [m.weight.shape for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    downs = [m.weight.shape for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert ups[:0:-1] == [torch.Size((b, a, h, w)) for b, a, h, w in downs[:-1]]
    assert ups[0][1:] == downs[-1][1:]


@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "none"])
def test_norms_and_biases(norm):
    discriminator = DCGANDiscriminator(32, features=4, norm=norm)
    kinds = {"batch": nn.BatchNorm2d, "layer": nn.GroupNorm, "instance": nn.InstanceNorm2d}
    norms = [m for m in discriminator.modules() if isinstance(m, tuple(kinds.values()))]
    assert len(norms) == (0 if norm == "none" else 2)
    assert all(isinstance(m, kinds[norm]) and m.weight.shape for m in norms)
    biases = [m.bias is not None for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert biases == [norm == "none"] * 4
    assert discriminator(torch.randn(3, 3, 32, 32)).shape == (3,)


@pytest.mark.parametrize("norm", ["layer", "instance", "none"])
def test_without_batch_norm_a_score_depends_only_on_its_sample(norm):
    """WGAN-GP needs this, as its penalty is defined for each sample alone."""
    torch.manual_seed(0)
    discriminator = DCGANDiscriminator(16, channels=1, features=4, norm=norm)
    x = torch.randn(4, 1, 16, 16)
    assert torch.allclose(discriminator(x)[:2], discriminator(x[:2]), atol=1e-6)


def test_with_batch_norm_a_score_depends_on_the_batch():
    torch.manual_seed(0)
    discriminator = DCGANDiscriminator(16, channels=1, features=4)
    x = torch.randn(4, 1, 16, 16)
    assert not torch.allclose(discriminator(x)[:2], discriminator(x[:2]), atol=1e-6)


def test_second_derivatives_agree_with_finite_differences():
    """Gradient penalties need second derivatives, also through the in-place LeakyReLU."""
    torch.manual_seed(0)
    discriminator = DCGANDiscriminator(16, channels=1, features=2, norm="none", init="default")
    discriminator.double()
    x = torch.randn(1, 1, 16, 16, dtype=torch.float64, requires_grad=True)
    weight = discriminator.layers[0].weight

    def penalty():
        (gradient,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return gradient.square().sum()

    (exact,) = torch.autograd.grad(penalty(), weight)
    direction = torch.randn_like(weight)
    with torch.no_grad():
        weight += 1e-6 * direction
    above = penalty().item()
    with torch.no_grad():
        weight -= 2e-6 * direction
    slope = (above - penalty().item()) / 2e-6
    assert math.isclose(slope, (exact * direction).sum().item(), rel_tol=1e-4)


@pytest.mark.parametrize(
    ("size", "nearest"), [(30, "28 or 32"), (8, "16"), (300, "256"), (100, "96 or 112")]
)
@pytest.mark.parametrize("network", [DCGANGenerator, DCGANDiscriminator])
def test_a_wrong_size_names_the_nearest(network, size, nearest):
    with pytest.raises(ConfigError) as error:
        network(size)
    message = str(error.value)
    assert message.startswith(f"size: DCGAN cannot make {size}; allowed 16, 20, 24, 28, 32, 40,")
    assert f"; nearest {nearest}. Set size" in message


@pytest.mark.parametrize("size", ["64", 64.0, None, True])
def test_a_size_of_the_wrong_type(size):
    with pytest.raises(ConfigError, match="size: DCGAN cannot make"):
        DCGANGenerator(size)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"channels": 5}, "channels: received 5; allowed whole numbers from 1 to 4; nearest 4"),
        ({"channels": 0}, "channels: received 0; allowed whole numbers from 1 to 4; nearest 1"),
        ({"latent": 0}, "latent: received 0; allowed whole numbers from 1; nearest 1"),
        ({"features": -3}, "features: received -3; allowed whole numbers from 1; nearest 1"),
        ({"max_features": 0}, "max_features: received 0"),
        ({"norm": "bach"}, r"norm: received 'bach'; allowed batch.*Did you mean 'batch'\?"),
        ({"init": "dcgn"}, r"init: received 'dcgn'; allowed default.*Did you mean 'dcgan'\?"),
    ],
)
def test_wrong_arguments(arguments, words):
    with pytest.raises(ConfigError, match=words):
        DCGANGenerator(32, **arguments)


def test_images_of_another_size_are_refused():
    """A 64-pixel image would otherwise give 25 scores."""
    discriminator = DCGANDiscriminator(32, features=2)
    with pytest.raises(ConfigError, match=r"\(1, 3, 64, 64\); allowed \(N, 3, 32, 32\)"):
        discriminator(torch.randn(1, 3, 64, 64))


def test_a_discriminator_takes_channels_for_label_maps():
    discriminator = DCGANDiscriminator(16, channels=11, features=2)
    assert discriminator(torch.randn(2, 11, 16, 16)).shape == (2,)


@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.parametrize(
    ("ours", "torchs", "side"),
    [(FullConv2d, nn.Conv2d, 5), (FullConvTranspose2d, nn.ConvTranspose2d, 1)],
)
def test_products_of_matrices_equal_convolutions(ours, torchs, side, is_last):
    torch.manual_seed(0)
    layer, other = (cls(3, 4, 5, dtype=torch.double) for cls in (ours, torchs))
    other.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, side, side, dtype=torch.double)
    if is_last:
        to_channels_last(layer)
        x = x.contiguous(memory_format=torch.channels_last)
    results = []
    for network in (layer, other):
        given = x.clone().requires_grad_()
        made = network(given.tanh())
        (first,) = torch.autograd.grad(made.square().sum(), given, create_graph=True)
        gradients = torch.autograd.grad(first.square().sum(), [given, network.weight])
        results.append([made, first, *gradients])
    torch.testing.assert_close(*results)
