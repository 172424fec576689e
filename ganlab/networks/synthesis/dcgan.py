"""DCGAN for 17 sizes from 16 to 256: Radford, Metz, Chintala 2015, arXiv:1511.06434."""

from torch import Tensor, nn

from ganlab.errors import ConfigError
from ganlab.networks.blocks import (
    ConditionalBatchNorm2d,
    Discriminator,
    FullConv2d,
    FullConvTranspose2d,
    Generator,
    Norm,
    image_norm,
)
from ganlab.networks.checks import check_classes, check_count, check_image_channels, check_input
from ganlab.networks.init import Init, initialise

# Maps sizes to (base, doublings), where size = base * 2**doublings. The base, 4 to 7, is the side
# of the smallest map; the side is doubled `doublings` times.
SIZES: dict[int, tuple[int, int]] = {
    base * 2**doublings: (base, doublings)
    for doublings in range(2, 7)
    for base in range(4, 8)
    if base * 2**doublings <= 256
}


def map_sizes(
    size: int, features: int, max_features: int | None = None
) -> tuple[int, tuple[int, ...]]:
    """Return the smallest map's side, and the channels of all maps, the largest map first.

    `map_sizes(64, 64)` is (4, (64, 128, 256, 512)). Raises ConfigError for a size not in `SIZES`.
    """
    if not isinstance(size, int) or size not in SIZES:
        hint = ""
        if isinstance(size, (int, float)) and size == size:
            below = max((s for s in SIZES if s <= size), default=None)
            above = min((s for s in SIZES if s >= size), default=None)
            close = dict.fromkeys(str(s) for s in (below, above) if s is not None)
            hint = f"; nearest {' or '.join(close)}"
        raise ConfigError(
            f"size: DCGAN cannot make {size!r}; allowed {', '.join(map(str, SIZES))}{hint}. "
            "Set size and the data's size (data.size=…) to one of these."
        )
    check_count("features", features)
    if max_features is not None:
        check_count("max_features", max_features)
    base, doublings = SIZES[size]
    widths = (features * 2**level for level in range(doublings))
    return base, tuple(
        width if max_features is None else min(width, max_features) for width in widths
    )


class DCGANGenerator(Generator):
    """DCGAN's generator, section 3 and figure 1: transposed convolutions from z to an image.

    Args:
        size: the side of the image, one of `SIZES` (16, 20, 24, 28, 32, 40, …, 256).
        channels: the channels of the image, 1 to 4.
        latent: the length of z.
        features: the channels of the last hidden map; each map before it has twice as many.
        max_features: the most channels of a map; None for no limit.
        norm: the norm of every map except the image; "batch" as in the paper. Convolutions have a
            bias only with "none".
        init: a name in `ganlab.networks.init.INITS`; "dcgan" as in the paper.
        classes: the number of classes of a network whose batch norms depend on the label, see
            `ConditionalBatchNorm2d`; None for a network without labels.

    Raises ConfigError for a size, a number of channels or a name that is not allowed.
    """

    def __init__(
        self,
        size: int,
        channels: int = 3,
        latent: int = 100,
        features: int = 64,
        max_features: int | None = None,
        norm: Norm = "batch",
        init: Init = "dcgan",
        classes: int | None = None,
    ) -> None:
        super().__init__()
        base, widths = map_sizes(size, features, max_features)
        self.size = size
        self.channels = check_image_channels("DCGAN", channels)
        self.latent = check_count("latent", latent)
        self.classes = check_classes(classes, norm)
        self.shape = (channels, size, size)

        bias = norm == "none"
        layers: list[nn.Module] = []
        inputs = latent
        for level, width in enumerate(reversed(widths)):
            if level == 0:
                layers.append(FullConvTranspose2d(inputs, width, base, bias=bias))
            else:
                layers.append(nn.ConvTranspose2d(inputs, width, 4, 2, 1, bias=bias))
            if classes is not None:
                layers.append(ConditionalBatchNorm2d(width, classes))
            elif (normalise := image_norm(norm, width)) is not None:
                layers.append(normalise)
            layers.append(nn.ReLU(inplace=True))
            inputs = width
        layers += [nn.ConvTranspose2d(inputs, channels, 4, 2, 1, bias=bias), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialise(self, init)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map latents (N, latent) to images (N, channels, size, size) in [-1, 1].

        With classes, `label` (N,) int64 is needed.
        """
        x = z[:, :, None, None]
        for layer in self.layers:
            x = layer(x, label) if isinstance(layer, ConditionalBatchNorm2d) else layer(x)
        return x


class DCGANDiscriminator(Discriminator):
    """DCGAN's discriminator, section 3: strided convolutions and LeakyReLU of slope 0.2.

    Args:
        size: the side of the image, one of `SIZES` (16, 20, 24, 28, 32, 40, …, 256).
        channels: the channels of the input, at least 1; inside a `LabelledDiscriminator`, the
            image's channels plus the label's maps.
        features: the channels of the first map; each map has twice as many as the map before it.
        max_features: the most channels of a map; None for no limit.
        norm: the norm of every map except the first; "batch" as in the paper. Convolutions have a
            bias only with "none".
        init: a name in `ganlab.networks.init.INITS`; "dcgan" as in the paper.
        hidden: the units of a layer between the last map and the score; None for no such layer, as
            in the paper.

    Attributes:
        width: the number of inputs of the last layer.

    Raises ConfigError for a size or a name that is not allowed, and for images of another size.
    """

    def __init__(
        self,
        size: int,
        channels: int = 3,
        features: int = 64,
        max_features: int | None = None,
        norm: Norm = "batch",
        init: Init = "dcgan",
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        base, widths = map_sizes(size, features, max_features)
        self.size = size
        self.channels = check_count("channels", channels)
        self.shape = (channels, size, size)

        bias = norm == "none"
        layers: list[nn.Module] = []
        inputs = channels
        for level, width in enumerate(widths):
            layers.append(nn.Conv2d(inputs, width, 4, 2, 1, bias=bias))
            normalise = image_norm(norm, width)
            if level > 0 and normalise is not None:
                layers.append(normalise)
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            inputs = width
        if hidden is not None:
            layers.append(FullConv2d(inputs, check_count("hidden", hidden), base))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            inputs, base = hidden, 1
        layers.append(FullConv2d(inputs, 1, base, bias=bias))
        self.layers = nn.Sequential(*layers)
        self.width = inputs * base**2
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, channels, size, size) in [-1, 1] to scores (N,)."""
        check_input(x, self.shape)
        return self.layers(x).flatten()

    def represent(self, x: Tensor) -> Tensor:
        """Map images (N, channels, size, size) in [-1, 1] to the last layer's input (N, width)."""
        check_input(x, self.shape)
        return self.layers[:-1](x).flatten(1)

    def score_of(self, represented: Tensor) -> Tensor:
        """Map what `represent` returns, (N, width), to scores (N,)."""
        last = self.layers[-1]
        return last(represented.unflatten(1, (-1, *last.kernel_size))).flatten()
