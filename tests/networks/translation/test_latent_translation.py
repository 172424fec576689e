"""BicycleGAN's encoder, and its U-Net with a latent."""

import pytest
import torch

from ganlab.errors import ConfigError
from ganlab.networks import LatentUNet, ResidualEncoder, UNetGenerator, draw_latents


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_parameters_from_the_lists_of_layers():
    def block(width, wider):
        return (width**2 + width * wider) * 9 + width + wider + width * wider + wider

    blocks = block(64, 128) + block(128, 192) + block(192, 256) + block(256, 256)
    with torch.device("meta"):
        encoder, unet, plain = (
            ResidualEncoder(256),
            LatentUNet(256),
            UNetGenerator(256, norm="instance"),
        )
    assert count(encoder) == 3 * 64 * 16 + 64 + blocks + 2 * (256 * 8 + 8) == 2_590_032
    assert count(unet) - count(plain) == 8 * 64 * 16  # z adds 8 channels to the first convolution


@pytest.mark.parametrize(("size", "blocks"), [(16, 1), (28, 1), (32, 1), (64, 2), (128, 3)])
def test_the_encoder_halves_sides_until_they_are_below_16(size, blocks):
    encoder = ResidualEncoder(size, features=2, latent=3)
    assert len(encoder.layers) == 1 + blocks + 1
    mean, log_variance = encoder(torch.randn(2, 3, size, size))
    assert mean.shape == log_variance.shape == (2, 3)
    assert min(encoder.layers(torch.randn(1, 3, size, size)).shape[2:]) < 16


def test_the_mean_of_a_picture_does_not_depend_on_the_rest_of_the_batch():
    encoder, x = ResidualEncoder(32, features=4), torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(encoder(x)[0][:1], encoder(x[:1])[0])


def test_latents_have_the_given_mean_and_variance():
    torch.manual_seed(0)
    mean = torch.tensor([[2.0, -1.0]]).expand(50_000, 2)
    log_variance = torch.tensor([[0.25, 4.0]]).log().expand(50_000, 2)
    z = draw_latents(mean, log_variance)
    torch.testing.assert_close(z.mean(0), mean[0], rtol=0, atol=0.05)
    torch.testing.assert_close(z.std(0), torch.tensor([0.5, 2.0]), rtol=0.02, atol=0)


def test_z_is_the_same_at_every_position_and_changes_the_picture():
    torch.manual_seed(0)
    unet, x = LatentUNet(16, latent=2, in_channels=1, features=4), torch.randn(2, 1, 16, 16)
    z = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    planes = z[:, :, None, None] * torch.ones(2, 2, 16, 16)
    assert torch.equal(unet(x, z), unet.unet(torch.cat([x, planes], 1)))
    assert not torch.allclose(unet(x, z), unet(x, z.flip(0)))


def test_wrong_arguments_and_pictures_are_refused():
    unet = LatentUNet(16, latent=2, in_channels=1, features=4)
    with pytest.raises(ConfigError, match=r"allowed \(N, 1, H, W\)"):
        unet(torch.randn(2, 3, 16, 16), torch.randn(2, 2))
    for build in (
        lambda: LatentUNet(16, latent=0),
        lambda: LatentUNet(17),
        lambda: ResidualEncoder(8),
        lambda: ResidualEncoder(16, latent=0),
        lambda: ResidualEncoder(16, channels=7),
    ):
        with pytest.raises(ConfigError):
            build()
