"""The residual networks of WGAN-GP and SNGAN for 32 × 32 images.

Gulrajani et al. 2017 (arXiv:1704.00028), appendix, and Miyato et al. 2018 (arXiv:1802.05957),
table 4. These networks have no spectral norm; `ganlab.regularizers.spectral_normalize` adds it.
"""

import math
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ganlab.errors import ConfigError, one_of
from ganlab.networks.blocks import (
    ConditionalBatchNorm2d,
    Discriminator,
    Generator,
    Norm,
    image_norm,
)
from ganlab.networks.checks import check_classes, check_count, check_image_channels, check_input
from ganlab.networks.init import Init, initialise, with_gain


def residual_conv(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 3 × 3 convolution of a residual branch, initialised with the gain √2 of a ReLU."""
    return with_gain(nn.Conv2d(inputs, outputs, 3, padding=1), math.sqrt(2.0))


class UpBlock(nn.Module):
    """Norm, ReLU, upsample, conv, norm, ReLU, conv, plus the upsampled shortcut.

    With `classes`, the norms depend on the label.

    The shortcut's 1 × 1 convolution comes before the nearest-neighbour upsampling. Both orders give
    the same result, but upsampling first would cost four times as much.
    """

    def __init__(self, inputs: int, outputs: int, classes: int | None = None) -> None:
        super().__init__()
        self.norm1 = _batch_norm(inputs, classes)
        self.conv1 = residual_conv(inputs, outputs)
        self.norm2 = _batch_norm(outputs, classes)
        self.conv2 = residual_conv(outputs, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        """Map (N, inputs, H, W) [and labels (N,) int64] to (N, outputs, 2H, 2W)."""
        h = F.interpolate(F.relu(self.norm1(x, *label)), scale_factor=2, mode="nearest")
        h = self.conv2(F.relu(self.norm2(self.conv1(h), *label)))
        return h + F.interpolate(self.shortcut(x), scale_factor=2, mode="nearest")


def _batch_norm(channels: int, classes: int | None) -> nn.Module:
    return (
        nn.BatchNorm2d(channels) if classes is None else ConditionalBatchNorm2d(channels, classes)
    )


class FirstDownBlock(nn.Module):
    """Conv, ReLU, conv, average pooling, plus the pooled shortcut; no ReLU acts on the image.

    The block never has norms, even if the later blocks have norms.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = residual_conv(inputs, outputs)
        self.conv2 = residual_conv(outputs, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H/2, W/2)."""
        h = self.conv2(F.relu(self.conv1(x)))
        return F.avg_pool2d(h, 2) + self.shortcut(F.avg_pool2d(x, 2))


class DownBlock(nn.Module):
    """Norm, ReLU, conv, norm, ReLU, conv and, with `down`, average pooling, plus the shortcut.

    With `down`, the shortcut is pooled and has a 1 × 1 convolution; otherwise it is the identity.
    """

    def __init__(self, features: int, down: bool, norm: Norm) -> None:
        super().__init__()
        self.norm1 = image_norm(norm, features) or nn.Identity()
        self.conv1 = residual_conv(features, features)
        self.norm2 = image_norm(norm, features) or nn.Identity()
        self.conv2 = residual_conv(features, features)
        self.shortcut = nn.Conv2d(features, features, 1) if down else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, features, H, W) to the same shape, or with `down` to (N, features, H/2, W/2)."""
        h = self.conv1(F.relu(self.norm1(x)))
        h = self.conv2(F.relu(self.norm2(h)))
        if self.shortcut is None:
            return h + x
        return F.avg_pool2d(h, 2) + self.shortcut(F.avg_pool2d(x, 2))


def check_size(size: int) -> None:
    """Raise a ConfigError unless `size` is 32."""
    if size != 32:
        raise ConfigError(
            f"size: ResNet-32 cannot make {size!r}; allowed 32; nearest 32. Set size and the "
            "data's size to 32, or use DCGANGenerator and DCGANDiscriminator for other sizes."
        )


class ResNetGenerator32(Generator):
    """A 4 × 4 map from z, three blocks that double its sides, batch norm, ReLU, conv, tanh.

    arXiv:1802.05957, table 4 (left). 4,276,739 parameters by default.

    Args:
        latent: the length of z.
        features: the channels of every map.
        channels: the channels of the image, 1 to 4.
        size: the side of the image; only 32 is allowed.
        init: a name in `ganlab.networks.init.INITS`; the reference code has "xavier", with a gain
            of √2 in residual branches.
        classes: the number of classes of a network whose blocks have norms that depend on the
            label, see `ConditionalBatchNorm2d`; None for a network without labels.

    Raises ConfigError for a size, a number of channels or a name that is not allowed.
    """

    def __init__(
        self,
        latent: int = 128,
        features: int = 256,
        channels: int = 3,
        size: int = 32,
        init: Init = "xavier",
        classes: int | None = None,
    ) -> None:
        super().__init__()
        check_size(size)
        self.size = size
        self.latent = check_count("latent", latent)
        self.classes = check_classes(classes)
        self.features = check_count("features", features)
        self.channels = check_image_channels("ResNet-32", channels)
        self.shape = (channels, size, size)
        self.project = nn.Linear(latent, features * 4 * 4)
        self.blocks = nn.Sequential(*(UpBlock(features, features, classes) for _ in range(3)))
        self.norm = nn.BatchNorm2d(features)
        self.to_image = nn.Conv2d(features, channels, 3, padding=1)
        initialise(self, init)

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        """Map latents (N, latent) [and labels (N,) int64] to images (N, channels, 32, 32).

        The images are in [-1, 1].
        """
        h = self.project(z).view(-1, self.features, 4, 4)
        for block in self.blocks:
            h = block(h, *label)
        return self.to_image(F.relu(self.norm(h))).tanh()


class ResNetDiscriminator32(Discriminator):
    """Two blocks that halve the sides, two blocks that keep them, ReLU, pooling, a linear layer.

    arXiv:1802.05957, table 4 (right). 1,053,825 parameters by default.

    Args:
        features: the channels of every map.
        channels: the channels of the input, at least 1; inside a `LabelledDiscriminator`, the
            image's channels plus the label's maps.
        size: the side of the image; only 32 is allowed.
        norm: "none" as in both papers, or the norm of the last three blocks.
        pooling: how positions are reduced: "sum" as in SNGAN, or "mean" as in WGAN-GP.
        init: a name in `ganlab.networks.init.INITS`; the reference code has "xavier", with a gain
            of √2 in residual branches.

    Attributes:
        width: the number of inputs of the last layer, `features`.

    Raises ConfigError for a size or a name that is not allowed, and for images of another size.
    """

    def __init__(
        self,
        features: int = 128,
        channels: int = 3,
        size: int = 32,
        norm: Norm = "none",
        pooling: Literal["sum", "mean"] = "sum",
        init: Init = "xavier",
    ) -> None:
        super().__init__()
        check_size(size)
        self.size = size
        self.channels = check_count("channels", channels)
        self.shape = (channels, size, size)
        self.pooling = one_of("pooling", pooling, ("sum", "mean"))
        self.width = check_count("features", features)
        self.blocks = nn.Sequential(
            FirstDownBlock(channels, features),
            DownBlock(features, down=True, norm=norm),
            DownBlock(features, down=False, norm=norm),
            DownBlock(features, down=False, norm=norm),
        )
        self.score = nn.Linear(features, 1)
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, channels, 32, 32) in [-1, 1] to scores (N,)."""
        return self.score_of(self.represent(x))

    def represent(self, x: Tensor) -> Tensor:
        """Map images (N, channels, 32, 32) in [-1, 1] to the last layer's input (N, width)."""
        check_input(x, self.shape)
        h = F.relu(self.blocks(x))
        return h.sum((2, 3)) if self.pooling == "sum" else h.mean((2, 3))

    def score_of(self, represented: Tensor) -> Tensor:
        """Map what `represent` returns, (N, width), to scores (N,)."""
        return self.score(represented).squeeze(1)
