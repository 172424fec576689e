"""Class-conditional networks made of unconditional ones: Mirza and Osindero 2014, arXiv:1411.1784.

The inner network is built wider, to take the label in, and the wrapper joins the two:

    generator:
      _target_: ganlab.networks.LabelledGenerator
      classes: 10
      network: {_target_: ganlab.networks.DCGANGenerator, size: 28, channels: 1, latent: 110}
    discriminator:
      _target_: ganlab.networks.LabelledDiscriminator
      classes: 10
      how: map
      shape: [1, 28, 28]
      network: {_target_: ganlab.networks.DCGANDiscriminator, size: 28, channels: 11}

Here z has 100 numbers (110 less 10 classes) and the image 1 channel (11 less 10 classes). A width
that does not fit is an error that says which number to set.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlab.errors import ConfigError, one_of
from ganlab.networks.blocks import Discriminator, Generator, label_embedding
from ganlab.networks.checks import check_count, check_counts, check_input
from ganlab.networks.init import Init, initialise

HOW = ("concat", "map", "embedding")


def _attribute(network: nn.Module, name: str) -> object:
    """An attribute of an inner network, which also has to be unconditional."""
    if getattr(network, "classes", None) is not None:
        raise ConfigError(
            f"network: received {type(network).__name__}, which takes labels itself; allowed are "
            "networks without classes. Use it as it is, without the wrapper."
        )
    if not hasattr(network, name):
        raise ConfigError(
            f"network: received {type(network).__name__}, which has no attribute {name!r}; allowed "
            f"are the networks of ganlab.networks and others that state their {name}. Set "
            f"self.{name} in its constructor."
        )
    return getattr(network, name)


class LabelledGenerator(Generator):
    """A generator that sees the label beside z, as a one-hot or as a learned vector.

    Args:
        network: a generator whose latent is z's plus the label's: latent = z + classes, or
            z + embedding.
        classes: number of classes, at least 2.
        embedding: width of a learned vector per class; None for the one-hot of the paper.
        init: of the learned vectors alone, a name in `ganlab.networks.init.INITS`; "default" is
            N(0, 1).

    Raises ConfigError where network.latent leaves nothing for z.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: int,
        embedding: int | None = None,
        init: Init = "default",
    ) -> None:
        super().__init__()
        self.classes = check_count("classes", classes, 2)
        width = classes if embedding is None else check_count("embedding", embedding)
        inner = _attribute(network, "latent")
        if inner <= width:
            raise ConfigError(
                f"network.latent: received {inner}, of which the label takes {width} and leaves "
                f"nothing for z; allowed numbers from {width + 1}; nearest {width + 1}. Set "
                f"network.latent to {width} more than z should have, {100 + width} for 100."
            )
        self.latent = inner - width
        self.shape = _attribute(network, "shape")
        self.network = network
        self.embedding = None if embedding is None else label_embedding(classes, embedding)
        if self.embedding is not None:
            initialise(self.embedding, init)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Latents (N, latent) and labels (N,) int64 to samples (N, *shape)."""
        vector = F.one_hot(label, self.classes) if self.embedding is None else self.embedding(label)
        return self.network(torch.cat([z, vector.to(z.dtype)], 1))


class LabelledDiscriminator(Discriminator):
    """A discriminator that sees the label beside the sample.

    Args:
        network: a discriminator built for the sample with the label joined to it.
        classes: number of classes, at least 2.
        how: "concat" appends the one-hot to the flattened sample, as in the paper: network.shape
            is [numbers in the sample + classes], for MLPs. "map" appends one constant map per
            class to the image: network.channels is the image's + classes. "embedding" appends one
            learned map per class: network.channels is the image's + 1.
        shape: shape of one sample without the label, [1, 28, 28] or [2].
        init: of the learned maps alone, a name in `ganlab.networks.init.INITS`; "default" is
            N(0, 1).

    Raises ConfigError where network was not built for that input, with the number to set.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: int,
        how: Literal["concat", "map", "embedding"],
        shape: Sequence[int],
        init: Init = "default",
    ) -> None:
        super().__init__()
        self.classes = check_count("classes", classes, 2)
        self.how = one_of("how", how, HOW)
        self.shape = check_counts("shape", shape, "the shape of one sample without the label")
        self._check_fit(tuple(_attribute(network, "shape")))
        self.network = network
        self.embedding = None
        if how == "embedding":
            self.embedding = label_embedding(classes, math.prod(self.shape[1:]))
            initialise(self.embedding, init)

    def _check_fit(self, inner: tuple[int, ...]) -> None:
        """Stop where the inner network does not take the sample with its label."""
        if self.how == "concat":
            features = math.prod(self.shape)
            if inner != (wanted := (features + self.classes,)):
                raise ConfigError(
                    f"network.shape: received {list(inner)}; allowed {list(wanted)}, the sample's "
                    f"{features} numbers and {self.classes} classes; nearest {list(wanted)}. Set "
                    f"network.shape to {list(wanted)}, or how to map for a network of images."
                )
            return
        if len(self.shape) != 3:
            raise ConfigError(
                f"shape: received {list(self.shape)} with how={self.how}; allowed [channels, "
                "height, width] of an image. Set shape to the image's, or how to concat."
            )
        channels, *places = self.shape
        added = self.classes if self.how == "map" else 1
        if len(inner) != 3:
            raise ConfigError(
                f"network.shape: received {list(inner)} with how={self.how}; allowed "
                f"{[channels + added, *places]}, that of a network of images. Take such a network, "
                "or set how to concat."
            )
        if list(inner[1:]) != places:
            raise ConfigError(
                f"network.size: received {inner[1]} × {inner[2]} for images of {places[0]} × "
                f"{places[1]}; allowed {places[0]}; nearest {places[0]}. Set network.size to "
                f"{places[0]}, or shape to [{channels}, {inner[1]}, {inner[2]}]."
            )
        if inner[0] != channels + added:
            raise ConfigError(
                f"network.channels: received {inner[0]}; allowed {channels + added}, the image's "
                f"{channels} and {added} for the label ({self.how}); nearest {channels + added}. "
                f"Set network.channels to {channels + added}."
            )

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Samples (N, *shape) and labels (N,) int64 to scores (N,)."""
        check_input(x, self.shape)
        if self.how == "embedding":
            maps = self.embedding(label).view(-1, 1, *self.shape[1:]).to(x.dtype)
            return self.network(torch.cat([x, maps], 1))
        one_hot = F.one_hot(label, self.classes).to(x.dtype)
        if self.how == "map":
            maps = one_hot[:, :, None, None].expand(-1, -1, *self.shape[1:])
            return self.network(torch.cat([x, maps], 1))
        return self.network(torch.cat([x.flatten(1), one_hot], 1))
