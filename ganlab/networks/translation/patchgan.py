"""Patch discriminators: Isola et al. 2017, arXiv:1611.07004, section 3.2.2 and appendix.

Each score depends on a square of pixels, its receptive field. The side of this square is 1 for a
PixelGAN, 70 for the paper's PatchGAN, and at least the picture's side for an ImageGAN.
"""

from __future__ import annotations

from torch import Tensor, nn

from ganlab.errors import ConfigError
from ganlab.networks.blocks import Norm, check_picture, has_bias, image_norm
from ganlab.networks.checks import check_count
from ganlab.networks.init import Init, initialise

MOST_LAYERS = 7


def receptive_field_of(layers: int) -> int:
    """Return the side in pixels of the receptive field of a `PatchGAN` with `layers` halvings."""
    return 9 * 2**layers - 2


def layers_for(field: int) -> int:
    """Return the number of halvings that gives a receptive field of `field` pixels.

    Raises:
        ConfigError: `field` is not 16, 34, 70, 142, 286, 574 or 1150; the message names the
            nearest of these numbers.
    """
    fields = {receptive_field_of(layers): layers for layers in range(1, MOST_LAYERS + 1)}
    if field in fields:
        return fields[field]
    near = min(fields, key=lambda f: abs(f - field)) if isinstance(field, (int, float)) else 70
    raise ConfigError(
        f"receptive_field: received {field!r}; allowed {', '.join(map(str, fields))} pixels; "
        f"nearest {near}. For a field of 1 use PixelGAN."
    )


class PatchGAN(nn.Module):
    """A patch discriminator of 4 × 4 convolutions: `layers` with stride 2, then two with stride 1.

    2,768,705 parameters with 6 input channels; 2,764,737 with 3 input channels and norm "instance".

    Args:
        in_channels: the channels of the pictures; for a conditional discriminator, the channels of
            source and target together.
        features: the channels of the first map; each later hidden map has twice as many as the map
            before it, up to 8 · `features`.
        layers: the number of halvings, 1 to 7; 3 gives the paper's receptive field of 70 × 70.
        norm: the norm of all hidden maps except the first: "batch" as in the paper, "instance"
            without scale and offset as in CycleGAN, "layer" or "none". With "batch", the
            convolutions before norms have no bias.
        init: a name in `ganlab.networks.init.INITS`.
        padding: the width of the zero padding of each map, 1 or 2; pix2pixHD has 2.
        receptive_field: the side of the receptive field in pixels: 16, 34, 70, 142, 286, 574 or
            1150; overrides `layers`. None to use `layers`.

    Attributes:
        layers, receptive_field: as above; both are set, whichever argument was given.
        least: the smallest allowed side of pictures; with padding 1 it gives one score.

    Raises:
        ConfigError: a count or name that is not allowed.
    """

    def __init__(
        self,
        in_channels: int = 3,
        features: int = 64,
        layers: int = 3,
        norm: Norm = "batch",
        init: Init = "dcgan",
        padding: int = 1,
        receptive_field: int | None = None,
    ) -> None:
        super().__init__()
        if receptive_field is not None:
            layers = layers_for(receptive_field)
        self.in_channels = check_count("in_channels", in_channels)
        self.features = check_count("features", features)
        self.layers = check_count("layers", layers, 1, MOST_LAYERS)
        self.receptive_field = receptive_field_of(layers)
        self.padding = check_count("padding", padding, 1, 2)
        self.least = (5 - 2 * padding) * 2**layers
        self.norm = norm
        widths = [features * 2 ** min(level, 3) for level in range(layers + 1)]
        stages = []
        for level, width in enumerate(widths):
            inputs = in_channels if level == 0 else widths[level - 1]
            stride, bias = (2 if level < layers else 1), level == 0 or has_bias(norm)
            stage = nn.Sequential(nn.Conv2d(inputs, width, 4, stride, padding, bias=bias))
            normalise = image_norm(norm, width, plain=True)
            if level > 0 and normalise is not None:
                stage.append(normalise)
            stages.append(stage.append(nn.LeakyReLU(0.2, inplace=True)))
        self.stages = nn.ModuleList([*stages, nn.Conv2d(widths[-1], 1, 4, 1, padding)])
        initialise(self, init)

    def forward(self, x: Tensor, features: bool = False) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Map pictures (N, in_channels, H, W) in [-1, 1] to unbounded scores (N, 1, h, w).

        With `features`, also return the map after each activation, from the largest to the
        smallest.

        Raises:
            ConfigError: pictures of other channels, or too small for a score.
        """
        check_picture(x, self.in_channels, 1, self.least)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return (maps[-1], maps[:-1]) if features else maps[-1]


class ImageGAN(PatchGAN):
    """The smallest `PatchGAN` whose receptive field is at least as large as the picture.

    The paper's ImageGAN for 256 pixels has a receptive field of 286.

    Args:
        size: the side of the pictures, 8 to 1150.
        in_channels, features, norm, init: see `PatchGAN`.

    Raises:
        ConfigError: a size, count or name that is not allowed.
    """

    def __init__(
        self,
        size: int,
        in_channels: int = 3,
        features: int = 64,
        norm: Norm = "batch",
        init: Init = "dcgan",
    ) -> None:
        check_count("size", size, 8, receptive_field_of(MOST_LAYERS))
        enough = (n for n in range(1, MOST_LAYERS + 1) if receptive_field_of(n) >= size)
        super().__init__(in_channels, features, next(enough), norm, init)


class PixelGAN(nn.Module):
    """1 × 1 convolutions that score each pixel alone; 9,024 parameters with 6 input channels.

    Args:
        in_channels, features, norm, init: see `PatchGAN`; only the second map has the norm.

    Raises:
        ConfigError: a count or name that is not allowed.
    """

    receptive_field = 1

    def __init__(
        self,
        in_channels: int = 3,
        features: int = 64,
        norm: Norm = "batch",
        init: Init = "dcgan",
    ) -> None:
        super().__init__()
        self.in_channels = check_count("in_channels", in_channels)
        self.features = check_count("features", features)
        self.norm = norm
        bias = has_bias(norm)
        self.stages = nn.Sequential(
            nn.Conv2d(in_channels, features, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(features, 2 * features, 1, bias=bias),
            image_norm(norm, 2 * features, plain=True) or nn.Identity(),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * features, 1, 1, bias=bias),
        )
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, in_channels, H, W) in [-1, 1] to unbounded scores (N, 1, H, W)."""
        check_picture(x, self.in_channels, 1, 1)
        return self.stages(x)
