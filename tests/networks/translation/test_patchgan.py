"""Patch discriminators: parameter counts, receptive fields, and outputs of the authors' code."""

import pytest
import torch
from helpers.peer_networks import Patch, Pixel, randomised
from torch import nn

from ganlab.errors import ConfigError
from ganlab.networks import ImageGAN, MultiScale, PatchGAN, PixelGAN


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_parameters_of_the_papers():
    with torch.device("meta"):
        assert parameters(PatchGAN(6)) == 2_768_705
        assert parameters(PatchGAN(3, norm="instance")) == 2_764_737
        assert parameters(PixelGAN(6)) == 9_024
        assert parameters(MultiScale(39)) == 5_603_202


def seen_by_the_middle_score(network, size):
    """Height and width of the pixels on which the middle score depends.

    All weights are made positive, so that gradients do not cancel.
    """
    with torch.no_grad():
        for p in network.parameters():
            p.abs_().add_(0.1)
    x = torch.rand(1, network.in_channels, size, size, requires_grad=True)
    scores = network(x)
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    rows, columns = x.grad[0].abs().sum(0).nonzero().unbind(1)
    return int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)


@pytest.mark.parametrize(
    ("field", "layers", "size"), [(16, 1, 64), (34, 2, 96), (70, 3, 256), (142, 4, 352)]
)
def test_receptive_fields(field, layers, size):
    network = PatchGAN(1, 1, norm="none", receptive_field=field)
    assert network.layers == layers
    assert network.receptive_field == field
    assert seen_by_the_middle_score(network, size) == (field, field)


def test_receptive_fields_of_pixelgan_and_imagegan():
    assert PixelGAN.receptive_field == 1
    assert seen_by_the_middle_score(PixelGAN(1, 2, norm="none"), 9) == (1, 1)
    network = ImageGAN(256, 1, 1, norm="none")
    assert network.receptive_field == 286  # the paper's ImageGAN
    assert min(seen_by_the_middle_score(network, 256)) >= 255
    for size in (8, 16, 17, 64, 70, 71, 286):
        field = ImageGAN(size, features=1).receptive_field
        assert field >= size
        assert field == 16 or (field - 14) // 2 < size  # not deeper than necessary


def test_shapes_of_the_scores():
    assert PatchGAN(6, 2)(torch.zeros(2, 6, 256, 256)).shape == (2, 1, 30, 30)
    assert PixelGAN(6, 2)(torch.zeros(2, 6, 8, 12)).shape == (2, 1, 8, 12)


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("layers", [1, 3, 5])
def test_scores_equal_those_of_the_public_patchgan(norm, layers):
    theirs = randomised(Patch(2, f=4, layers=layers, norm=norm))
    _compare(PatchGAN(2, 4, layers, norm), theirs, torch.randn(2, 2, 128, 96))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_scores_equal_those_of_the_public_pixelgan(norm):
    _compare(PixelGAN(2, 4, norm), randomised(Pixel(2, 4, norm)), torch.randn(2, 2, 8, 8))


def _compare(ours, theirs, x):
    values = theirs.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), values, strict=True)))
    for mode in (True, False):
        ours.train(mode), theirs.train(mode)
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-6)


def test_each_scale_gets_the_halved_picture():
    """Each scale's scores are its PatchGAN's on the pooled picture; features are hidden maps."""
    network = MultiScale(3, 4, layers=2, scales=3).eval()
    assert [scale.receptive_field for scale in network.scales] == [34] * 3
    x = torch.randn(2, 3, 64, 64)
    scores, features = network(x, features=True)
    assert len(scores) == 3
    assert len(features) == 3 * 3
    pool = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
    for score, plain, scale in zip(scores, network(x), network.scales, strict=True):
        torch.testing.assert_close(score, scale(x))
        assert torch.equal(score, plain)
        x = pool(x)


def test_features_are_the_maps_after_activations():
    network = PatchGAN(3, 4, norm="instance")
    x = torch.randn(1, 3, 64, 64)
    score, maps = network(x, features=True)
    assert [m.shape[1] for m in maps] == [4, 8, 16, 32]
    torch.testing.assert_close(score, network.stages[-1](maps[-1]))
    assert torch.equal(score, network(x))


def test_wrong_arguments_and_pictures_are_refused():
    with pytest.raises(ConfigError, match=r"16, 34, 70, 142, 286.*nearest 70"):
        PatchGAN(receptive_field=64)
    with pytest.raises(ConfigError, match="from 24; nearest 24 × 40"):
        PatchGAN(3, 2)(torch.zeros(1, 3, 16, 40))
    with pytest.raises(ConfigError, match=r"allowed \(N, 6, H, W\)"):
        PatchGAN(6, 2)(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ConfigError, match="layers"):
        PatchGAN(layers=0)
    with pytest.raises(ConfigError, match="norm"):
        PixelGAN(norm="batchnorm")
    with pytest.raises(ConfigError, match="size"):
        ImageGAN(2000)


def test_smallest_pictures():
    """With padding 1, pictures with the smallest allowed side give one score."""
    for layers in (1, 2, 3, 4):
        network = PatchGAN(1, 2, layers, norm="none")
        assert network.least == 3 * 2**layers
        assert network(torch.zeros(1, 1, network.least, network.least)).shape == (1, 1, 1, 1)
    for scales in (1, 2, 3):
        network = MultiScale(1, 2, layers=2, scales=scales, norm="none", padding=1)
        least = 2 ** (scales - 1) * 11 + 1
        assert network(torch.zeros(1, 1, least, least))[-1].shape == (1, 1, 1, 1)
        with pytest.raises(ConfigError, match=f"sides from {least}.*fewer layers"):
            network(torch.zeros(1, 1, least - 1, least - 1))
