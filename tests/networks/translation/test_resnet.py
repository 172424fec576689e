"""CycleGAN's residual generator: parameter counts, outputs of the authors' code, hidden maps."""

import pytest
import torch
from helpers.peer_networks import ResNet, randomised

from ganlab.errors import ConfigError
from ganlab.networks import GlobalGenerator, ResNetGenerator


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_parameters_of_the_papers():
    with torch.device("meta"):
        assert parameters(ResNetGenerator()) == 11_378_179
        assert parameters(ResNetGenerator(blocks=6)) == 7_837_699
        assert parameters(GlobalGenerator(36)) == 182_546_755


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_outputs_and_gradients_equal_those_of_the_public_code(norm):
    """With equal parameters, in equal order, both implementations give equal outputs."""
    theirs = randomised(ResNet(2, 4, f=4, blocks=3, norm=norm))
    ours = ResNetGenerator(2, 4, features=4, blocks=3, norm=norm)
    values = theirs.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), values, strict=True)))
    x = torch.randn(2, 2, 24, 32)
    for mode in (True, False):
        ours.train(mode), theirs.train(mode)
        output, expected = ours(x), theirs(x)
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)
        for network, out in ((ours, output), (theirs, expected)):
            network.zero_grad()
            out.square().mean().backward()
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm", ["instance", "none"])
def test_encode_returns_the_outputs_of_the_layers(norm):
    network = ResNetGenerator(features=4, blocks=5, norm=norm)
    seen = {}
    for i, layer in enumerate(network.layers):  # out + 0 copies: a later in-place ReLU changes out
        layer.register_forward_hook(lambda _, __, out, i=i: seen.update({i: out + 0}))
    x = torch.randn(2, 3, 16, 24)
    network(x)
    expected = dict(seen)
    indices = (0, 4, 5, 7, 10, 14)
    maps = network.encode(x, indices)
    shapes = [(3, 22, 30), (8, 8, 12), (8, 8, 12), (16, 4, 6), (16, 4, 6), (16, 4, 6)]
    assert [tuple(m.shape[1:]) for m in maps] == shapes
    for i, inner in zip(indices, maps, strict=True):
        torch.testing.assert_close(inner, expected[i])


def test_encode_refuses_wrong_indices():
    network = ResNetGenerator(features=2, blocks=1)
    for indices in ([], [-1], [4, 3], [4, 4], [99]):
        with pytest.raises(ConfigError, match=r"indices from 0 to .* in rising order"):
            network.encode(torch.zeros(1, 3, 16, 16), indices)


@pytest.mark.parametrize("downsamplings", [1, 2, 3])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_sizes(downsamplings, upsampling):
    network = ResNetGenerator(1, 2, 2, blocks=1, downsamplings=downsamplings, upsampling=upsampling)
    side = 2 * network.multiple
    assert network(torch.zeros(1, 1, side, 3 * side)).shape == (1, 2, side, 3 * side)
    with pytest.raises(ConfigError, match=f"multiples of {network.multiple}"):
        network(torch.zeros(1, 1, 4 * side, 4 * side + 1))
    with pytest.raises(ConfigError, match=f"from {side}; nearest {side} × {side}"):
        network(torch.zeros(1, 1, side // 2, side))


def test_dropout_is_between_the_convolutions_of_blocks():
    """Dropout acts only in training, and adds no parameters."""
    torch.manual_seed(0)
    plain, noisy = (ResNetGenerator(features=4, blocks=2, dropout=d) for d in (False, True))
    assert parameters(plain) == parameters(noisy)
    x = torch.randn(1, 3, 16, 16)
    assert not torch.equal(noisy(x), noisy(x))
    noisy.eval()
    assert torch.equal(noisy(x), noisy(x))


def test_instance_norm_normalises_each_picture_alone():
    network = ResNetGenerator(features=4, blocks=1)
    x = torch.randn(3, 3, 16, 16)
    together = network(x)
    alone = torch.cat([network(picture[None]) for picture in x])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
