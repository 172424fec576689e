"""An encoder from pictures to Gaussian distributions of latents."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ganlab.networks.checks import check_count, check_image_channels
from ganlab.networks.init import Init, initialise


class ResidualEncoder(nn.Module):
    """The encoder E of BicycleGAN: Zhu et al. 2017 (arXiv:1711.11586), "resnet_256" in its code.

    A 4×4 convolution with stride 2 is followed by residual blocks, at least one, that halve the
    sides until they are below 16 pixels. From the mean over positions, two linear layers compute
    the latents' means and log-variances. Instance norms have no scale and offset.

    Args:
        size: the side of the pictures, at least 16; `forward` also takes larger pictures.
        channels: the channels of the pictures, 1 to 4.
        latent: the dimensions of the distribution.
        features: the channels after the first convolution. After the first, second and later blocks
            there are 2, 3 and 4 times as many channels.
        init: a name in `ganlab.networks.init.INITS`.

    Raises:
        ConfigError: a size, count or name that is not allowed.
    """

    def __init__(
        self,
        size: int = 256,
        channels: int = 3,
        latent: int = 8,
        features: int = 64,
        init: Init = "dcgan",
    ) -> None:
        super().__init__()
        check_count("size", size, 16)
        check_image_channels("ResidualEncoder", channels)
        self.latent = check_count("latent", latent)
        width = check_count("features", features)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1)]
        for block in range(max(int(math.log2(size / 16)), 1)):
            wider = features * min(block + 2, 4)
            layers.append(_HalvingBlock(width, wider))
            width = wider
        self.layers = nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True))
        self.mean = nn.Linear(width, latent)
        self.log_variance = nn.Linear(width, latent)
        initialise(self, init)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map pictures (N, C, H, W) in [−1, 1] to means and log-variances (N, latent)."""
        features = self.layers(x).mean((2, 3))
        return self.mean(features), self.log_variance(features)


class _HalvingBlock(nn.Module):
    """A residual block that halves the sides; norm and activation come before each convolution."""

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.InstanceNorm2d(width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.InstanceNorm2d(width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, wider, 3, padding=1),
        )
        self.shortcut = nn.Conv2d(width, wider, 1)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.residual(x)) + self.shortcut(self.pool(x))


def draw_latents(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return samples mean + σ·ε with ε ~ N(0, 1), all (N, D); gradients reach mean and σ.

    Kingma and Welling 2014 (arXiv:1312.6114), section 2.4.
    """
    deviation = (0.5 * log_variance.float()).exp()
    return mean.float() + deviation * torch.randn_like(deviation)
