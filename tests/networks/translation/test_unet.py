"""The U-Net: the paper's parameter counts, any depth, and the outputs of pix2pix's PyTorch port."""

import pytest
import torch
from helpers.peer_networks import UNet, randomised
from torch import nn

from ganlab.errors import ConfigError
from ganlab.networks import UNetGenerator


def parameters(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("size", "count"), [(256, 54_413_955), (128, 41_828_995)])
def test_parameters_of_the_paper(size, count):
    with torch.device("meta"):
        assert parameters(UNetGenerator(size)) == count


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("depth", [5, 6])
def test_outputs_and_gradients_equal_those_of_the_public_port(norm, depth):
    """With equal parameters, in equal order, both implementations give equal outputs."""
    theirs = randomised(UNet(2, 4, levels=depth, f=4, norm=norm, drop=False))
    ours = UNetGenerator(64, 2, 4, features=4, depth=depth, norm=norm, dropout=False)
    values = theirs.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), values, strict=True)))
    x = torch.randn(2, 2, 64, 64)
    for mode in (True, False):
        ours.train(mode), theirs.train(mode)
        output, expected = ours(x), theirs(x)
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)
        for network, out in ((ours, output), (theirs, expected)):
            network.zero_grad()
            out.square().mean().backward()
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "depth"), [(256, 8), (512, 8), (128, 7), (96, 5), (32, 5), (28, 2), ((64, 48), 4)]
)
def test_depth_follows_the_size(size, depth):
    network = UNetGenerator(size, 1, 1, features=2)
    assert network.depth == depth
    assert network.multiple == 2**depth


def test_forward_takes_other_multiples_of_the_size():
    network = UNetGenerator(32, 1, 2, features=2, depth=3)
    assert network(torch.zeros(1, 1, 40, 8)).shape == (1, 2, 40, 8)
    with pytest.raises(ConfigError, match="nearest 40 × 24"):
        network(torch.zeros(1, 1, 42, 21))
    with pytest.raises(ConfigError, match=r"allowed \(N, 1, H, W\)"):
        network(torch.zeros(1, 3, 32, 32))


def test_dropout_is_where_the_paper_has_it():
    """After the three innermost upsampling stages; at 256 the port skips the innermost stage."""

    def dropped(network):
        return [number for number, stage in enumerate(network.up) if _has_dropout(stage)]

    def _has_dropout(stage):
        return any(isinstance(layer, nn.Dropout) for layer in stage)

    assert dropped(UNetGenerator(256, features=1)) == [0, 1, 2]
    assert dropped(UNetGenerator(256, features=1, dropout=[1, 2, 3])) == [1, 2, 3]
    assert dropped(UNetGenerator(256, features=1, dropout=False)) == []
    assert dropped(UNetGenerator(8, features=1)) == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 100, "depth": 8}, "nearest 256"),
        ({"size": 300, "depth": 6}, "nearest 320"),
        ({"size": 33}, "nearest 32"),
        ({"size": [64, 50], "depth": 5}, "nearest 64 × 64"),
        ({"size": 64, "depth": 1}, "depth: received 1"),
        ({"size": "64", "depth": 3}, "size: received '64'"),
        ({"size": 64.5, "depth": 3}, "size: received 64.5"),
        ({"size": [64, "x"], "depth": 3}, r"size\[1\]: received 'x'"),
        ({"size": 64, "norm": "group"}, "allowed batch"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        UNetGenerator(**{"features": 2} | arguments)


def test_weights_are_initialised_as_in_the_paper():
    torch.manual_seed(0)
    network = UNetGenerator(32, features=16)
    weights = torch.cat([p.flatten() for n, p in network.named_parameters() if p.dim() == 4])
    assert weights.mean().abs() < 1e-3
    assert abs(weights.std() - 0.02) < 1e-3


def test_too_large_a_bottleneck_and_dropout_after_a_missing_stage_are_refused():
    with pytest.raises(ConfigError, match=r"100 can be halved 2 times only.*nearest 96"):
        UNetGenerator(100, features=4)
    assert UNetGenerator(100, features=4, depth=2).multiple == 4
    with pytest.raises(ConfigError, match=r"dropout: received doubling 9; allowed 0"):
        UNetGenerator(32, features=4, dropout=[0, 9])


def test_without_skips_the_output_depends_on_the_bottleneck_only():
    """If the innermost maps of two pictures are set to zero, only skips make outputs differ."""
    torch.manual_seed(0)
    pictures = torch.randn(2, 3, 32, 32)
    for skips in (False, True):
        network = UNetGenerator(32, features=4, skips=skips, dropout=False, norm="none").eval()
        network.down[-1].register_forward_hook(lambda *args: torch.zeros_like(args[2]))
        first, second = network(pictures)
        assert torch.equal(first, second) is not skips
