"""Class-conditional networks made of unconditional ones.

In `LabelledGenerator` and `LabelledDiscriminator` (Mirza and Osindero 2014, arXiv:1411.1784) the
inner network gets a wider input. The wrapper concatenates the label to z or to the sample:

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

Here z has 100 numbers (110 minus 10 classes) and the image has 1 channel (11 minus 10 classes). If
a width does not fit, the error names the number to set. `ProjectionDiscriminator` leaves the inner
network as it is.
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


def _inner_attribute(network: nn.Module, name: str) -> object:
    """Return an attribute of an inner network.

    Raises:
        ConfigError: the network is conditional, or lacks the attribute.
    """
    if getattr(network, "classes", None) is not None:
        raise ConfigError(
            f"network: received {type(network).__name__}, which takes labels itself; allowed are "
            "networks without classes. Use this network without the wrapper."
        )
    if not hasattr(network, name):
        raise ConfigError(
            f"network: received {type(network).__name__}, which has no attribute {name!r}; allowed "
            f"are networks with this attribute, such as those of ganlab.networks. Set self.{name} "
            "in the network's constructor."
        )
    return getattr(network, name)


class LabelledGenerator(Generator):
    """A generator whose input is z, concatenated with the label's one-hot or learned vector.

    Args:
        network: an unconditional generator whose `latent` is the length of z plus the length of the
            label's vector (`classes` or `embedding`).
        classes: the number of classes, at least 2.
        embedding: the length of a learned vector per class; None for the paper's one-hot vector.
        init: the initialisation of the learned vectors only, a name in
            `ganlab.networks.init.INITS`; "default" is N(0, 1).

    Attributes:
        latent: the length of z.

    Raises ConfigError if `network.latent` is too small, or `network` is conditional.
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
        inner = _inner_attribute(network, "latent")
        if inner <= width:
            raise ConfigError(
                f"network.latent: received {inner}, but the label takes {width} numbers and z at "
                f"least 1; allowed numbers from {width + 1}; nearest {width + 1}. Set "
                f"network.latent to {width} plus the length of z, e.g. {100 + width} for length "
                "100."
            )
        self.latent = inner - width
        self.shape = _inner_attribute(network, "shape")
        self.network = network
        self.embedding = None if embedding is None else label_embedding(classes, embedding)
        if self.embedding is not None:
            initialise(self.embedding, init)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Map latents (N, latent) and labels (N,) int64 to samples (N, *shape)."""
        vector = F.one_hot(label, self.classes) if self.embedding is None else self.embedding(label)
        return self.network(torch.cat([z, vector.to(z.dtype)], 1))


class LabelledDiscriminator(Discriminator):
    """A discriminator whose input is the sample, concatenated with the label.

    Args:
        network: an unconditional discriminator, built for the concatenated input.
        classes: the number of classes, at least 2.
        how: "concat" appends the label's one-hot vector to the flattened sample, as in the paper;
            for MLPs, with network.shape [numbers in the sample + classes]. "map" appends one
            constant map per class (1 for the label's class, else 0), so network.channels is the
            image's channels + classes. "embedding" appends the label's learned map, so
            network.channels is the image's channels + 1.
        shape: the shape of a sample without the label, e.g. [1, 28, 28] or [2].
        init: the initialisation of the learned maps only, a name in `ganlab.networks.init.INITS`;
            "default" is N(0, 1).

    Raises ConfigError if `network` is conditional or built for another input; the message names the
    number to set.
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
        self._check_fit(tuple(_inner_attribute(network, "shape")))
        self.network = network
        self.embedding = None
        if how == "embedding":
            self.embedding = label_embedding(classes, math.prod(self.shape[1:]))
            initialise(self.embedding, init)

    def _check_fit(self, inner: tuple[int, ...]) -> None:
        """Raise unless `inner`, the inner network's shape, fits the sample with its label."""
        if self.how == "concat":
            features = math.prod(self.shape)
            if inner != (wanted := (features + self.classes,)):
                raise ConfigError(
                    f"network.shape: received {list(inner)}; allowed {list(wanted)}, the sample's "
                    f"{features} numbers and {self.classes} classes; nearest {list(wanted)}. Set "
                    f"network.shape to {list(wanted)}, or how=map if network takes images."
                )
            return
        if len(self.shape) != 3:
            raise ConfigError(
                f"shape: received {list(self.shape)} with how={self.how}; allowed [channels, "
                "height, width] of an image. Set shape to the image's shape, or how=concat."
            )
        channels, *sides = self.shape
        added = self.classes if self.how == "map" else 1
        if len(inner) != 3:
            raise ConfigError(
                f"network.shape: received {list(inner)} with how={self.how}; allowed "
                f"{[channels + added, *sides]}, the shape of a network for images. Use such a "
                "network, or set how=concat."
            )
        if list(inner[1:]) != sides:
            raise ConfigError(
                f"network.size: received {inner[1]} × {inner[2]} for images of {sides[0]} × "
                f"{sides[1]}; allowed {sides[0]}; nearest {sides[0]}. Set network.size to "
                f"{sides[0]}, or shape to [{channels}, {inner[1]}, {inner[2]}]."
            )
        if inner[0] != channels + added:
            raise ConfigError(
                f"network.channels: received {inner[0]}; allowed {channels + added}: {channels} of "
                f"the image and {added} of the label (how={self.how}); nearest "
                f"{channels + added}. Set network.channels to {channels + added}."
            )

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Map samples (N, *shape) and labels (N,) int64 to scores (N,)."""
        check_input(x, self.shape)
        if self.how == "embedding":
            maps = self.embedding(label).view(-1, 1, *self.shape[1:]).to(x.dtype)
            return self.network(torch.cat([x, maps], 1))
        one_hot = F.one_hot(label, self.classes).to(x.dtype)
        if self.how == "map":
            maps = one_hot[:, :, None, None].expand(-1, -1, *self.shape[1:])
            return self.network(torch.cat([x, maps], 1))
        return self.network(torch.cat([x.flatten(1), one_hot], 1))


class ProjectionDiscriminator(Discriminator):
    """A discriminator that adds an inner product with the label's vector to the score.

    Miyato and Koyama 2018 (arXiv:1802.05637), equation 3: the score is yᵀVφ(x) + ψ(φ(x)). Here φ is
    the network without its last layer, ψ the last layer, and V holds a learned vector per class.

    Args:
        network: an unconditional discriminator with `width`, `represent` and `score_of`, see
            `ganlab.networks.Discriminator`.
        classes: the number of classes, at least 2.
        init: the initialisation of the vectors only, a name in `ganlab.networks.init.INITS`;
            "default" is N(0, 1).

    Raises ConfigError if `network` is conditional, or does not have these attributes.
    """

    def __init__(self, network: nn.Module, classes: int, init: Init = "default") -> None:
        super().__init__()
        self.classes = check_count("classes", classes, 2)
        self.shape = _inner_attribute(network, "shape")
        for name in ("represent", "score_of"):
            _inner_attribute(network, name)
        self.network = network
        self.embedding = label_embedding(classes, _inner_attribute(network, "width"))
        initialise(self.embedding, init)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Map samples (N, *shape) and labels (N,) int64 to scores (N,)."""
        represented = self.network.represent(x)
        projected = (self.embedding(label) * represented).sum(1)
        return self.network.score_of(represented) + projected
