"""The residual networks for 32 pixels: parameter counts, shortcuts, pooling and errors."""

import math

import pytest
import torch
import torch.nn.functional as F

from ganlab.errors import ConfigError
from ganlab.networks import ResNetDiscriminator32, ResNetGenerator32
from ganlab.networks.synthesis.resnet import DownBlock, FirstDownBlock, UpBlock


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts():
    with torch.device("meta"):
        assert count(ResNetGenerator32()) == 4_276_739
        assert count(ResNetDiscriminator32()) == 1_053_825


def test_images_and_scores():
    generator = ResNetGenerator32(latent=5, features=8, channels=1)
    x = generator(torch.randn(3, 5))
    assert x.shape == (3, 1, 32, 32) == (3, *generator.shape)
    assert x.abs().max() <= 1
    for norm in ("none", "layer", "instance", "batch"):
        assert ResNetDiscriminator32(features=8, channels=1, norm=norm)(x).shape == (3,)


@pytest.mark.parametrize(
    ("block", "resize"),
    [
        (UpBlock(2, 3), lambda x: F.interpolate(x, scale_factor=2, mode="nearest")),
        (FirstDownBlock(2, 3), lambda x: F.avg_pool2d(x, 2)),
        (DownBlock(2, True, "none"), lambda x: F.avg_pool2d(x, 2)),
        (DownBlock(2, False, "none"), lambda x: x),
    ],
)
def test_a_block_whose_branch_is_zero_gives_the_shortcut(block, resize):
    """Resizing commutes with the shortcut's 1 × 1 convolution; here the resizing comes second."""
    torch.nn.init.zeros_(block.conv2.weight)
    torch.nn.init.zeros_(block.conv2.bias)
    x = torch.randn(4, 2, 6, 6)
    before = x.clone()
    wanted = resize(x if block.shortcut is None else block.shortcut(x))
    assert torch.allclose(block(x), wanted, atol=1e-6)
    assert torch.equal(x, before)


def test_sum_pooling_is_64_times_mean_pooling():
    torch.manual_seed(0)
    total = ResNetDiscriminator32(features=4, pooling="sum")
    mean = ResNetDiscriminator32(features=4, pooling="mean")
    mean.load_state_dict(total.state_dict())
    x = torch.randn(2, 3, 32, 32)
    assert torch.allclose(total(x), 64 * mean(x), rtol=1e-4, atol=1e-5)  # 8 × 8 positions, bias 0


def test_gains_of_the_initialisation():
    """Xavier uniform has the variance gain² · 2 / (fan in + fan out)."""
    torch.manual_seed(0)
    block = ResNetDiscriminator32(features=128).blocks[1]
    fans = 2 * 128
    assert math.isclose(block.conv1.weight.std().item(), math.sqrt(4 / (9 * fans)), rel_tol=0.02)
    assert math.isclose(block.shortcut.weight.std().item(), math.sqrt(2 / fans), rel_tol=0.02)


@pytest.mark.parametrize("network", [ResNetGenerator32, ResNetDiscriminator32])
def test_another_size_is_refused(network):
    with pytest.raises(ConfigError, match="size: ResNet-32 cannot make 64; allowed 32; nearest 32"):
        network(size=64)


def test_wrong_arguments():
    with pytest.raises(ConfigError, match=r"channels: received 5.*nearest 4.*ResNet-32 supports"):
        ResNetGenerator32(channels=5)
    with pytest.raises(ConfigError, match="pooling: received 'max'; allowed sum, mean"):
        ResNetDiscriminator32(pooling="max")
    with pytest.raises(ConfigError, match="norm: received 'spectral'"):
        ResNetDiscriminator32(norm="spectral")
    with pytest.raises(ConfigError, match="x: received a batch"):
        ResNetDiscriminator32(features=2)(torch.randn(1, 3, 64, 64))
