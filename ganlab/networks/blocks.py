"""Base classes of generators and discriminators, norms, embeddings and a check of pictures."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlab.errors import ConfigError, one_of

Norm = Literal["batch", "layer", "instance", "none"]
NORMS = ("batch", "layer", "instance", "none")


class Generator(nn.Module):
    """The interface of generators: `forward(z)` or, with classes, `forward(z, label)`.

    `z` is (N, latent), `label` is (N,) int64 in 0…classes-1. The output is (N, *shape); images are
    in [-1, 1].
    """

    latent: int
    shape: tuple[int, ...]
    classes: int | None = None


class Discriminator(nn.Module):
    """The interface of discriminators: `forward(x)` or, with classes, `forward(x, label)`.

    `x` is (N, *shape), `label` is (N,) int64 in 0…classes-1. The output is (N,), unbounded: the
    loss applies a sigmoid if its paper has one.

    A discriminator that `ProjectionDiscriminator` can condition on labels also has `width`,
    `represent(x)`, which returns the input (N, width) of its last layer, and `score_of`, the last
    layer, which maps that input to scores (N,).
    """

    shape: tuple[int, ...]
    classes: int | None = None


def image_norm(norm: Norm, channels: int, *, plain: bool = False) -> nn.Module | None:
    """Return the norm of a (N, channels, H, W) map, or None for "none".

    "layer" normalises each sample over channels and positions (arXiv:1607.06450), with a scale and
    an offset per channel. "instance" normalises each channel of each sample (arXiv:1607.08022),
    with a scale and an offset unless `plain`. Networks for image translation use `plain`.
    """
    one_of("norm", norm, NORMS)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "layer":
        return nn.GroupNorm(1, channels)
    if norm == "instance":
        return InstanceNorm(channels) if plain else nn.InstanceNorm2d(channels, affine=True)
    return None


class _Contiguous(torch.autograd.Function):
    """A contiguous copy whose gradient has the memory format of the input.

    Elementwise layers before it would be several times slower for another format.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        is_last = x.is_contiguous(memory_format=torch.channels_last)
        ctx.format = torch.channels_last if is_last else torch.contiguous_format
        return x.contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous(memory_format=ctx.format)


class FullConv2d(nn.Conv2d):
    """A convolution whose kernel covers its whole input, as a matrix product.

    The product gives the convolution's result; on a CPU it is several times faster.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, *kernel_size) to (N, out_channels, 1, 1)."""
        x = _Contiguous.apply(x).flatten(1)
        return F.linear(x, self.weight.flatten(1), self.bias)[:, :, None, None]


class FullConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution of a single pixel to a map of the kernel's size, see `FullConv2d`.

    The bias is added per channel.

    Attributes:
        output_format: the memory format of the maps.
    """

    output_format = torch.contiguous_format

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, 1, 1) to (N, out_channels, *kernel_size)."""
        maps = (x.flatten(1) @ self.weight.flatten(1)).unflatten(1, self.weight.shape[1:])
        maps = maps if self.bias is None else maps + self.bias[:, None, None]
        return maps.contiguous(memory_format=self.output_format)


def to_channels_last(network: nn.Module) -> None:
    """Let the weights of convolutions lie in memory with the channels last, in place.

    Weights of matrix products stay contiguous: they gain nothing, and fused optimizers would copy
    them in every step.
    """
    network.to(memory_format=torch.channels_last)
    for layer in network.modules():
        if isinstance(layer, (FullConv2d, FullConvTranspose2d)):
            layer.to(memory_format=torch.contiguous_format)
            layer.output_format = torch.channels_last


class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm without scale, offset and running statistics (arXiv:1607.08022), fast on CPUs.

    It equals a group norm with one group per channel. For contiguous float32 maps on a CPU, the
    group norm's kernel takes less than half the time; for other maps the kernel is slower.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel of each map of (N, C, H, W) to mean 0 and variance 1."""
        if x.device.type == "cpu" and x.dtype == torch.float32 and x.is_contiguous():
            return F.group_norm(x, self.num_features, eps=self.eps)
        return super().forward(x)


class ConditionalBatchNorm2d(nn.Module):
    """Batch norm whose scale and offset depend on the label.

    Dumoulin et al. 2017 (arXiv:1610.07629), equation 5, for classes in place of styles, as in
    Miyato and Koyama 2018 (arXiv:1802.05637), appendix A. The scales start at 1 and the offsets at
    0 for all classes.

    Args:
        channels: the channels of the maps.
        classes: the number of classes.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Parameter(torch.ones(classes, channels))
        self.offset = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Map maps (N, channels, H, W) and labels (N,) int64 to the same shape."""
        scale, offset = self.scale[label], self.offset[label]
        return self.norm(x) * scale[:, :, None, None] + offset[:, :, None, None]


def vector_norm(norm: Norm, features: int) -> nn.Module | None:
    """Return the norm of a (N, features) batch, or None for "none".

    Raises:
        ConfigError: `norm` is "instance" or not in `NORMS`.
    """
    one_of("norm", norm, NORMS)
    if norm == "batch":
        return nn.BatchNorm1d(features)
    if norm == "layer":
        return nn.LayerNorm(features)
    if norm == "instance":
        raise ConfigError(
            "norm: received 'instance' for an MLP, whose units have no positions to normalise "
            "over; allowed: batch, layer, none; nearest 'layer'. Set norm to one of these."
        )
    return None


def has_bias(norm: Norm) -> bool:
    """Whether a convolution before this norm has a bias; a batch norm would subtract the bias."""
    return norm != "batch"


def check_picture(x: Tensor, channels: int, multiple: int, least: int) -> None:
    """Raise unless a network can take the pictures `x`.

    Args:
        x: the pictures; only the shape (N, channels, H, W) is allowed.
        channels: the channels that the network was built for.
        multiple: the number that must divide H and W.
        least: the smallest H and W in pixels.

    Raises:
        ConfigError: the pictures do not fit; the message names the nearest allowed sides.
    """
    if x.dim() != 4 or x.shape[1] != channels:
        raise ConfigError(
            f"x: received a batch of shape {tuple(x.shape)}; allowed (N, {channels}, H, W). Build "
            "the network with the channels of the data, or change the data's channels."
        )
    height, width = x.shape[2:]
    if height % multiple or width % multiple or min(height, width) < least:
        near = [max(round(side / multiple) * multiple, least) for side in (height, width)]
        sides = "sides" if multiple == 1 else f"multiples of {multiple}"
        raise ConfigError(
            f"x: received pictures of {height} × {width}; allowed {sides} from {least}; nearest "
            f"{near[0]} × {near[1]}. Resize, crop or pad the pictures to that, or give the network "
            "fewer layers (halvings, scales)."
        )


def label_embedding(classes: int, width: int) -> nn.Embedding:
    """Return an embedding with a trainable vector of `width` numbers per class, from N(0, 1)."""
    weight = torch.empty(classes, width)
    if not weight.is_meta:  # normal_ on the meta device would trigger slow imports
        nn.init.normal_(weight)
    return nn.Embedding.from_pretrained(weight, freeze=False)
