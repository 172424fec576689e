"""What several networks share: the contract of generators and discriminators, norms, embeddings."""

from typing import Literal

import torch
from torch import nn

from ganlab.errors import ConfigError
from ganlab.networks.checks import check_choice

Norm = Literal["batch", "layer", "instance", "none"]
NORMS = ("batch", "layer", "instance", "none")


class Generator(nn.Module):
    """What every generator offers: `forward(z)` or, with classes, `forward(z, label)`.

    `z` is (N, latent), `label` is (N,) int64 in 0…classes-1; the answer is (N, *shape), images in
    [-1, 1].
    """

    latent: int
    shape: tuple[int, ...]
    classes: int | None = None


class Discriminator(nn.Module):
    """What every discriminator offers: `forward(x)` or, with classes, `forward(x, label)`.

    `x` is (N, *shape), `label` is (N,) int64 in 0…classes-1; the answer is (N,), unbounded: the
    loss applies a sigmoid where its paper has one.
    """

    shape: tuple[int, ...]
    classes: int | None = None


def image_norm(norm: Norm, channels: int) -> nn.Module | None:
    """The norm of a (N, channels, H, W) map, or None for "none".

    "layer" normalises each sample over channels and places (arXiv:1607.06450), with a scale and
    offset per channel; "instance" each channel of each sample (arXiv:1607.08022).
    """
    check_choice("norm", norm, NORMS)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "layer":
        return nn.GroupNorm(1, channels)
    if norm == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return None


def vector_norm(norm: Norm, features: int) -> nn.Module | None:
    """The norm of a (N, features) batch, or None for "none". "instance" is a ConfigError."""
    check_choice("norm", norm, NORMS)
    if norm == "batch":
        return nn.BatchNorm1d(features)
    if norm == "layer":
        return nn.LayerNorm(features)
    if norm == "instance":
        raise ConfigError(
            "norm: received 'instance' for an MLP, whose units have no places to normalise over; "
            "allowed: batch, layer, none; nearest 'layer'. Set norm to one of these words."
        )
    return None


def label_embedding(classes: int, width: int) -> nn.Embedding:
    """A learned vector of `width` numbers per class, drawn from N(0, 1)."""
    weight = torch.empty(classes, width)
    if not weight.is_meta:  # nn.Embedding would draw there too, which costs seconds of imports
        nn.init.normal_(weight)
    return nn.Embedding.from_pretrained(weight, freeze=False)
