"""MUNIT's networks: parameter counts, and the effects of content and style."""

import pytest
import torch

from ganlab.errors import ConfigError
from ganlab.networks import StyledResNet


def count(network):
    return sum(p.numel() for p in network.parameters())


def conv(inputs, outputs, kernel):
    return inputs * outputs * kernel**2 + outputs


def test_parameters_from_the_lists_of_layers():
    with torch.device("meta"):
        network = StyledResNet()
    content = conv(3, 64, 7) + conv(64, 128, 4) + conv(128, 256, 4) + 8 * conv(256, 256, 3)
    style = conv(3, 64, 7) + conv(64, 128, 4) + conv(128, 256, 4) + 2 * conv(256, 256, 4)
    drawing = conv(256, 128, 5) + conv(128, 64, 5) + 2 * (128 + 64) + conv(64, 3, 7)
    assert count(network.content) == content
    assert count(network.style) == style + conv(256, 8, 1)
    assert count(network.styled) == 8 * conv(256, 256, 3)
    assert count(network.affine) == conv(8, 256, 1) + conv(256, 256, 1) + conv(256, 4096, 1)
    assert count(network.drawing) == drawing


def test_styled_norms_have_the_scales_and_offsets_of_the_style():
    """After a styled norm a channel's mean is the offset, its standard deviation the scale."""
    torch.manual_seed(0)
    block = StyledResNet(features=2, blocks=1, latent=3).styled[0]
    x, affine = torch.randn(2, 8, 6, 6), torch.rand(2, 32) + 0.5
    added = block(x, affine) - x
    torch.testing.assert_close(added.mean((2, 3)), affine[:, 24:], rtol=0, atol=1e-5)
    deviation = added.std((2, 3), correction=0)
    torch.testing.assert_close(deviation, affine[:, 16:24], rtol=1e-3, atol=0)
    first = block.first(x)  # the first norm is checked by its effect on the second convolution
    normed = (first - first.mean((2, 3), True)) / first.std((2, 3), correction=0, keepdim=True)
    scale, offset = affine[:, :8, None, None], affine[:, 8:16, None, None]
    second = block.second(torch.relu(normed * scale + offset))
    normed = (second - second.mean((2, 3), True)) / second.std((2, 3), correction=0, keepdim=True)
    expected = normed * affine[:, 16:24, None, None] + affine[:, 24:, None, None]
    torch.testing.assert_close(added, expected, rtol=0, atol=1e-2)


def test_pictures_of_a_batch_do_not_influence_each_other():
    torch.manual_seed(0)
    network = StyledResNet(1, 3, latent=2, features=4, blocks=1)
    x, z = torch.randn(3, 1, 16, 24), torch.randn(3, 2)
    output = network(x, z)
    assert output.shape == (3, 3, 16, 24)
    torch.testing.assert_close(output[1:2], network(x[1:2], z[1:2]))
    assert float(output.detach().abs().max()) <= 1
    assert not torch.allclose(output, network(x, z.flip(0)), atol=1e-3)


def test_content_does_not_depend_on_contrast_and_brightness():
    """The content encoder's instance norms remove a linear change of all values."""
    torch.manual_seed(0)
    network, x = StyledResNet(1, 1, features=4, blocks=1), torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(network.content(3 * x + 1), network.content(x), rtol=0, atol=1e-3)
    assert network.style(x).shape == (2, 8)
    assert not torch.allclose(network.style(3 * x + 1), network.style(x), atol=1e-3)


def test_wrong_arguments_and_pictures_are_refused():
    network = StyledResNet(1, 3, features=2, blocks=1)
    with pytest.raises(ConfigError, match=r"allowed multiples of 4 from 16"):
        network(torch.randn(1, 1, 18, 18), torch.randn(1, 8))
    for options in ({"latent": 0}, {"blocks": 0}, {"style_features": 0}, {"init": "nobody"}):
        with pytest.raises(ConfigError):
            StyledResNet(**options)
