"""Initialisations have the statistics that their papers state."""

import math

import pytest
import torch
from torch import nn

from ganlab.errors import ConfigError
from ganlab.networks import INITS, DCGANDiscriminator, DCGANGenerator, initialise, with_gain


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("network", [DCGANGenerator(32), DCGANDiscriminator(32)])
def test_dcgan_samples_weights_from_n_0_002_and_norms_from_n_1_002(network):
    types = {type(layer) for layer in network.modules()}
    assert types & {nn.Conv2d, nn.ConvTranspose2d}
    assert nn.BatchNorm2d in types
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            count = layer.weight.numel()
            assert abs(layer.weight.mean().item()) < 5 * 0.02 / math.sqrt(count)
            assert abs(layer.weight.std().item() / 0.02 - 1) < 5 / math.sqrt(2 * count)
        elif isinstance(layer, nn.BatchNorm2d):
            count = layer.weight.numel()
            assert abs(layer.weight.mean().item() - 1) < 5 * 0.02 / math.sqrt(count)
            assert 0.01 < layer.weight.std().item() < 0.03
            assert not layer.bias.any()


def test_default_keeps_pytorchs_initialisation():
    torch.manual_seed(1)
    plain = nn.Conv2d(3, 4, 3)
    torch.manual_seed(1)
    assert torch.equal(initialise(nn.Conv2d(3, 4, 3), "default").weight, plain.weight)


@pytest.mark.parametrize(("init", "bound"), [("uniform", 0.05), ("uniform_small", 0.005)])
def test_uniform_fills_its_interval(init, bound):
    weight = initialise(nn.Linear(200, 200), init).weight
    assert 0.999 * bound < weight.abs().max() <= bound
    assert math.isclose(weight.std().item(), bound / math.sqrt(3), rel_tol=0.02)


def test_xavier_and_its_gain():
    weight = initialise(nn.Linear(300, 100), "xavier").weight
    assert math.isclose(weight.std().item(), math.sqrt(2 / 400), rel_tol=0.02)
    weight = initialise(with_gain(nn.Linear(300, 100), 3.0), "xavier").weight
    assert math.isclose(weight.std().item(), 3 * math.sqrt(2 / 400), rel_tol=0.02)


def test_orthogonal_rows():
    weight = initialise(nn.Conv2d(8, 6, 3), "orthogonal").weight.flatten(1)
    assert torch.allclose(weight @ weight.T, torch.eye(6), atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(512, 512), (4096, 512)),
        (nn.Conv2d(64, 64, 3, padding=1), (64, 64, 16, 16)),
        (nn.ConvTranspose2d(64, 32, 4, 2, 1), (64, 64, 16, 16)),
    ],
)
def test_he_compensates_for_the_relu(layer, shape):
    """ReLU of N(0, 1) has second moment ½; the outputs of a He layer have 1 (equation 10)."""
    x = torch.randn(shape).relu()
    y = initialise(layer, "he")(x)
    y = y[..., 2:-2, 2:-2] if y.ndim == 4 else y
    assert math.isclose(y.square().mean().item(), 1.0, rel_tol=0.06)


@pytest.mark.parametrize("init", [word for word in INITS if word != "default"])
def test_biases_are_zero_and_norms_are_reset(init):
    network = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.BatchNorm1d(4, affine=False))
    nn.init.constant_(network[1].weight, 9.0)
    initialise(network, init)
    assert not network[0].bias.any()
    assert not network[1].bias.any()
    assert (network[1].weight - 1).abs().max() < (0.2 if init == "dcgan" else 1e-9)


def test_layers_with_spectral_norm_are_refused():
    network = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)))
    with pytest.raises(ConfigError, match=r"init: .*layer '0'.*before spectral_normalize"):
        initialise(network, "xavier")
