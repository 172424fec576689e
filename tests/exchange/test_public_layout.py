"""Reading and writing of public state dicts, from stand-ins for the public networks."""

import pytest
import torch
from helpers.peer_networks import Patch, Pixel, ResNet, UNet, randomised

from ganlab.errors import CheckpointError, ConfigError
from ganlab.exchange.public_layout import read_public, write_public
from ganlab.networks import PatchGAN, PixelGAN, ResNetGenerator, UNetGenerator

NORMS = ("batch", "instance", "none")
CASES = {
    **{f"resnet_{n}": (lambda n=n: ResNet(2, 4, 4, 3, n), 16) for n in NORMS},
    **{f"resnet_dropout_{n}": (lambda n=n: ResNet(3, 3, 4, 1, n, True), 16) for n in NORMS},
    **{f"unet_{n}": (lambda n=n: UNet(2, 4, 6, 4, n), 64) for n in NORMS},
    "unet_5": (lambda: UNet(3, 3, 5, 4), 64),
    **{f"patch_{n}": (lambda n=n: Patch(2, 4, 3, n), 64) for n in NORMS},
    "patch_1": (lambda: Patch(3, 4, 1), 64),
    "patch_5": (lambda: Patch(3, 4, 5), 128),
    **{f"pixel_{n}": (lambda n=n: Pixel(2, 4, n), 8) for n in NORMS},
}


def shapes(state):
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


@pytest.mark.parametrize(("build", "size"), CASES.values(), ids=CASES)
def test_network_that_was_read_computes_the_same_and_is_written_back_unchanged(build, size):
    """Outputs agree in evaluation mode, and in training mode with equal random numbers."""
    public = randomised(build())
    cls, arguments, state = read_public(public.state_dict(), "x.pth")
    ours = cls(**arguments)
    ours.load_state_dict(state)
    written = write_public(ours)
    assert shapes(written) == shapes(public.state_dict())
    assert [*written] == [*public.state_dict()]
    assert all(torch.equal(tensor, written[key]) for key, tensor in public.state_dict().items())
    x = torch.randn(2, ours.in_channels, size, size)
    for mode in (False, True):
        ours.train(mode), public.train(mode)
        torch.manual_seed(5)
        output = ours(x)
        torch.manual_seed(5)
        torch.testing.assert_close(output, public(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "tensors", "cls", "expected"),
    [
        (ResNet, 48, ResNetGenerator, {"blocks": 9, "norm": "instance", "dropout": False}),
        (lambda: ResNet(blocks=6), 36, ResNetGenerator, {"blocks": 6, "downsamplings": 2}),
        (UNet, 82, UNetGenerator, {"size": 256, "depth": 8, "dropout": [1, 2, 3]}),
        (lambda: UNet(levels=7), 70, UNetGenerator, {"size": 128, "dropout": [1, 2]}),
        (lambda: Patch(6), 22, PatchGAN, {"in_channels": 6, "layers": 3, "norm": "batch"}),
        (lambda: Pixel(6), 9, PixelGAN, {"in_channels": 6, "norm": "batch"}),
    ],
)
def test_networks_of_the_papers_are_recognised(build, tensors, cls, expected):
    """`tensors` is the number of tensors in a public file."""
    with torch.device("meta"):
        state = build().state_dict()
    assert len(state) == tensors
    state = {key: torch.zeros([1] * t.dim()).expand(t.shape) for key, t in state.items()}
    recognised, arguments, _ = read_public(state, "x.pth")
    assert recognised is cls
    assert arguments["features"] == 64
    assert {key: arguments[key] for key in expected} == expected


def test_statistics_of_old_instance_norms_are_dropped():
    old, new = randomised(ResNet(f=4, blocks=2, old=True)), ResNet(f=4, blocks=2)
    assert len(old.state_dict()) > len(new.state_dict())
    _, arguments, state = read_public(old.state_dict(), "x.pth")
    assert arguments["norm"] == "instance"
    network = ResNetGenerator(**arguments)
    network.load_state_dict(state)
    assert write_public(network).keys() == new.state_dict().keys()


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_of_wrappers_are_removed(prefix):
    state = Patch(f=4).state_dict()
    wrapped = {prefix + key: tensor for key, tensor in state.items()}
    assert write_public_of(wrapped).keys() == state.keys()


def write_public_of(state):
    cls, arguments, ours = read_public(state, "x.pth")
    network = cls(**arguments)
    network.load_state_dict(ours)
    return write_public(network)


def test_half_precision_becomes_single_and_missing_counters_are_zero():
    state = {
        k: v.half() if v.is_floating_point() else v for k, v in Patch(f=4).state_dict().items()
    }
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    _, _, ours = read_public(state, "x.pth")
    assert ours["stages.0.0.weight"].dtype == torch.float32
    assert int(ours["stages.1.1.num_batches_tracked"]) == 0


def remove(state, key):
    return {k: v for k, v in state.items() if k != key}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "instead of names and tensors"),
        ([1], "holds list"),
        ({"epoch": 3, "model.0.weight": torch.zeros(1)}, r"more than tensors \(epoch\)"),
        ({"conv1.weight": torch.zeros(2, 2)}, r"(?s)conv1.weight \(2, 2\).*U-Net generator"),
        ({"model.0.weight": torch.zeros(4)}, "fit no known network"),
        (remove(ResNet(f=4, blocks=1).state_dict(), "model.4.weight"), "has model.4.weight of"),
        (remove(UNet(f=4).state_dict(), "model.model.3.bias"), "found none"),
        (ResNet(f=4).state_dict() | {"model.7.filt": torch.zeros(3)}, "1 more tensors, such as"),
        (Patch(f=4).state_dict() | {"model.5.weight": torch.zeros(3)}, r"found \(3,\)"),
    ],
)
def test_state_that_fits_no_network_is_refused(state, message):
    with pytest.raises(CheckpointError, match=message) as error:
        read_public(state, "folder/x.pth")
    assert str(error.value).startswith("folder/x.pth: ")


def test_networks_that_the_layout_does_not_support_are_refused():
    for network in (
        torch.nn.Linear(2, 2),
        ResNetGenerator(features=2, blocks=1, upsampling="resize"),
        PatchGAN(features=2, padding=2),
    ):
        with pytest.raises(ConfigError, match="public layout does not support"):
            write_public(network)
    network = PatchGAN(features=2, norm="none")
    with torch.no_grad():
        network.stages[1][0].bias.fill_(1.0)
    with pytest.raises(ConfigError, match="no biases"):
        write_public(network)
