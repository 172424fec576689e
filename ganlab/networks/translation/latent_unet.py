"""A U-Net with a latent as a second input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganlab.networks.blocks import Norm, check_picture
from ganlab.networks.checks import check_count
from ganlab.networks.init import Init
from ganlab.networks.translation.unet import UNetGenerator


class LatentUNet(nn.Module):
    """A `UNetGenerator` that gets z as additional input channels, constant over all positions.

    The generator of BicycleGAN: Zhu et al. 2017 (arXiv:1711.11586), which calls it "add to input".

    Args:
        size: see `UNetGenerator`.
        latent: the dimensions of z.
        in_channels: the channels of the pictures, without z.
        out_channels, features, depth, norm, dropout, init: see `UNetGenerator`.

    Attributes:
        multiple: the number that must divide the pictures' sides.

    Raises:
        ConfigError: a size, count or name that is not allowed.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        latent: int = 8,
        in_channels: int = 3,
        out_channels: int = 3,
        features: int = 64,
        depth: int | None = None,
        norm: Norm = "instance",
        dropout: bool | Sequence[int] = False,
        init: Init = "dcgan",
    ) -> None:
        super().__init__()
        self.latent = check_count("latent", latent)
        self.in_channels = check_count("in_channels", in_channels)
        self.out_channels = out_channels
        inputs = in_channels + latent
        self.unet = UNetGenerator(
            size, inputs, out_channels, features, depth, norm, dropout, init=init
        )
        self.multiple = self.unet.multiple

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Map pictures (N, in_channels, H, W) and z (N, latent) to (N, out_channels, H, W).

        The pictures are in [-1, 1].

        Raises:
            ConfigError: pictures of other channels, or sides that `multiple` does not divide.
        """
        check_picture(x, self.in_channels, self.multiple, self.multiple)
        return self.unet(torch.cat([x, z[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1))
