"""Spectral norm: singular values of 1, copies, state dicts and repeated calls."""

import copy

import pytest
import torch
from torch import nn

from ganlab.errors import ConfigError
from ganlab.networks import DCGANDiscriminator, MLPDiscriminator, ResNetDiscriminator32
from ganlab.regularizers.spectral_norm import LAYERS, spectral_normalize


def largest(layer):
    """The largest singular value of a layer's weight as a matrix of (out, everything else)."""
    weight = layer.weight.detach()
    if isinstance(layer, nn.ConvTranspose2d):
        weight = weight.transpose(0, 1)
    return torch.linalg.matrix_norm(weight.flatten(1), 2).item()


@pytest.fixture
def network():
    torch.manual_seed(0)
    return spectral_normalize(DCGANDiscriminator(16, features=8, norm="none"))


def test_singular_values_become_one():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Embedding(5, 8), nn.Linear(8, 6), nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 3, 4)
    )
    with torch.no_grad():
        for layer in module:
            layer.weight.mul_(7)
    assert spectral_normalize(module) is module
    for layer in module:
        for _ in range(300):
            _ = layer.weight
        assert largest(layer) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    "build",
    [
        lambda: DCGANDiscriminator(16, features=8, norm="none"),
        lambda: ResNetDiscriminator32(features=8),
        lambda: MLPDiscriminator([2], [16, 16]),
    ],
)
def test_every_weight_of_a_discriminator_is_normalised(build):
    torch.manual_seed(0)
    discriminator = spectral_normalize(build(), iterations=50)
    discriminator(torch.randn(2, *discriminator.shape))
    layers = [m for m in discriminator.modules() if isinstance(m, LAYERS)]
    assert len(layers) >= 3
    discriminator.eval()
    for layer in layers:
        assert largest(layer) == pytest.approx(1.0, abs=0.03)


def test_scores_of_an_mlp_are_1_lipschitz():
    """With unit spectral norms and activations of slope ≤ 1, |D(a) − D(b)| ≤ ‖a − b‖."""
    torch.manual_seed(0)
    critic = spectral_normalize(MLPDiscriminator([2], [32, 32], init="orthogonal"), iterations=50)
    for _ in range(5):
        critic(torch.randn(1, 2))
    critic.eval()
    a, b = torch.randn(500, 2), torch.randn(500, 2)
    assert ((critic(a) - critic(b)).abs() <= 1.001 * (a - b).norm(dim=1)).all()


def test_a_second_call_changes_nothing(network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    spectral_normalize(network)
    after = network.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(
        len(m.parametrizations["weight"]) == 1 for m in network.layers if hasattr(m, "weight")
    )


def test_power_iteration_in_training_mode_only(network):
    x = torch.randn(2, 3, 16, 16)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.eval()
    assert torch.equal(network(x), network(x))
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())
    network.train()
    network(x)
    moved = [name for name, tensor in network.state_dict().items() if (state[name] != tensor).any()]
    assert moved
    assert all(name.endswith(("._u", "._v")) for name in moved)


def test_copies_and_state_dicts_round_trip(network):
    x = torch.randn(2, 3, 16, 16)
    network(x)
    twin = copy.deepcopy(network).eval()
    fresh = spectral_normalize(DCGANDiscriminator(16, features=8, norm="none")).eval()
    assert list(fresh.state_dict()) == list(network.state_dict())
    fresh.load_state_dict(network.state_dict())
    network.eval()
    assert torch.equal(twin(x), network(x))
    assert torch.equal(fresh(x), network(x))
    with torch.no_grad():
        twin.layers[0].parametrizations.weight.original.zero_()
    assert torch.equal(fresh(x), network(x))


def test_the_gradient_is_orthogonal_to_the_weight(network):
    """Scaling W does not change W / σ (section 2.3), so the gradient is orthogonal to W."""
    network.eval()(torch.randn(2, 3, 16, 16)).sum().backward()
    original = network.layers[-1].parametrizations.weight.original
    along = (original * original.grad).sum().abs()
    assert along < 1e-3 * original.norm() * original.grad.norm()


def test_construction_on_the_meta_device(network):
    with torch.device("meta"):
        bare = spectral_normalize(DCGANDiscriminator(16, features=8, norm="none"))
    assert list(bare.state_dict()) == list(network.state_dict())


def test_wrong_arguments():
    with pytest.raises(ConfigError, match=r"iterations: received 0; .*nearest 1"):
        spectral_normalize(nn.Linear(2, 2), iterations=0)
    with pytest.raises(ConfigError, match="eps: received 0"):
        spectral_normalize(nn.Linear(2, 2), eps=0)
    with pytest.raises(ConfigError, match="module: received ReLU without a layer"):
        spectral_normalize(nn.ReLU())
