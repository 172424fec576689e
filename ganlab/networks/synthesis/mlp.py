"""Multilayer perceptrons, for points and for small images."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ganlab.errors import one_of
from ganlab.networks.blocks import Discriminator, Generator, Norm, vector_norm
from ganlab.networks.checks import check_count, check_counts, check_input, check_probability
from ganlab.networks.init import Init, initialise
from ganlab.networks.minibatch import MinibatchStd


class Maxout(nn.Module):
    """A layer whose outputs are each the maximum of `pieces` linear units: Goodfellow et al. 2013.

    arXiv:1302.4389, section 3.
    """

    def __init__(self, inputs: int, outputs: int, pieces: int = 5) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(inputs, outputs * pieces)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs) to (N, outputs)."""
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(2)


class SymmetricSigmoid(nn.Module):
    """A sigmoid s, scaled to [-1, 1]: 2s - 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Map a tensor of any shape to the same shape."""
        return 2.0 * torch.sigmoid(x) - 1.0


ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": lambda: nn.LeakyReLU(0.2), "tanh": nn.Tanh}
OUTPUTS = {"tanh": nn.Tanh, "sigmoid": SymmetricSigmoid, "linear": nn.Identity}


class MLPGenerator(Generator):
    """The MLP generator of Goodfellow et al. 2014 (arXiv:1406.2661), section 5.

    The authors' code for MNIST uses latent 100 (uniform noise), shape [1, 28, 28],
    hidden [1200, 1200], activation relu, output sigmoid and init uniform.

    Args:
        latent: the length of z.
        shape: the shape of a sample, e.g. [2] for points or [1, 28, 28] for images.
        hidden: the units of each hidden layer.
        activation: "relu", "leaky_relu" (slope 0.2) or "tanh".
        output: "tanh" or "sigmoid" (2s - 1) for samples in [-1, 1]; "linear" for unbounded samples,
            such as points.
        norm: "batch", "layer" or "none", after each hidden linear layer.
        init: a name in `ganlab.networks.init.INITS`.

    Raises ConfigError for a size or a name that is not allowed.
    """

    def __init__(
        self,
        latent: int,
        shape: Sequence[int],
        hidden: Sequence[int] = (128, 128, 128),
        activation: Literal["relu", "leaky_relu", "tanh"] = "relu",
        output: Literal["tanh", "sigmoid", "linear"] = "tanh",
        norm: Norm = "none",
        init: Init = "default",
    ) -> None:
        super().__init__()
        self.latent = check_count("latent", latent)
        self.shape = check_counts("shape", shape, "the shape of one sample")
        widths = check_counts("hidden", hidden, "the units of each hidden layer")
        one_of("activation", activation, ACTIVATIONS)
        one_of("output", output, OUTPUTS)

        layers: list[nn.Module] = []
        for inputs, outputs in zip((self.latent, *widths), widths, strict=False):
            layers.append(nn.Linear(inputs, outputs))
            if (normalise := vector_norm(norm, outputs)) is not None:
                layers.append(normalise)
            layers.append(ACTIVATIONS[activation]())
        layers.append(nn.Linear(widths[-1], math.prod(self.shape)))
        if output != "linear":
            layers.append(OUTPUTS[output]())
        if len(self.shape) > 1:
            layers.append(nn.Unflatten(1, self.shape))
        self.layers = nn.Sequential(*layers)
        initialise(self, init)

    def forward(self, z: Tensor) -> Tensor:
        """Map latents (N, latent) to samples (N, *shape)."""
        return self.layers(z)


class MLPDiscriminator(Discriminator):
    """The MLP discriminator of Goodfellow et al. 2014 (arXiv:1406.2661), section 5.

    The authors' code for MNIST uses shape [1, 28, 28], hidden [240, 240], activation maxout with
    5 pieces, dropout 0.5, input_dropout 0.2 and init uniform_small.

    Args:
        shape: the shape of a sample; inside a `LabelledDiscriminator` with how="concat",
            [numbers in the sample + classes].
        hidden: the units of each hidden layer.
        activation: "leaky_relu" (slope 0.2), "relu", "tanh" or "maxout".
        norm: "batch", "layer" or "none", between each hidden linear layer and its activation; with
            "maxout", after the maximum.
        dropout: the share of each hidden layer's units that is dropped in training, in [0, 1).
        input_dropout: the share of the sample's numbers that is dropped in training, in [0, 1).
        pieces: the linear pieces of each maxout unit, at least 2.
        init: a name in `ganlab.networks.init.INITS`.
        minibatch_std: whether the last hidden layer gets the standard deviation over the batch as
            one more input, see `MinibatchStd`.

    Attributes:
        width: the units of the last hidden layer.

    Raises ConfigError for a size or a name that is not allowed, such as norm "instance".
    """

    def __init__(
        self,
        shape: Sequence[int],
        hidden: Sequence[int] = (128, 128, 128),
        activation: Literal["leaky_relu", "relu", "tanh", "maxout"] = "leaky_relu",
        norm: Norm = "none",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        pieces: int = 5,
        init: Init = "default",
        minibatch_std: bool = False,
    ) -> None:
        super().__init__()
        self.shape = check_counts("shape", shape, "the shape of one sample")
        widths = check_counts("hidden", hidden, "the units of each hidden layer")
        one_of("activation", activation, (*ACTIVATIONS, "maxout"))
        check_probability("dropout", dropout)
        check_probability("input_dropout", input_dropout)
        check_count("pieces", pieces, 2)

        layers: list[nn.Module] = []
        if len(self.shape) > 1:
            layers.append(nn.Flatten())
        if input_dropout > 0:
            layers.append(nn.Dropout(input_dropout))
        sizes = [*zip((math.prod(self.shape), *widths), widths, strict=False)]
        for number, (inputs, outputs) in enumerate(sizes, start=1):
            if minibatch_std and number == len(sizes):
                layers.append(MinibatchStd())
                inputs += 1
            if activation == "maxout":
                layers.append(Maxout(inputs, outputs, pieces))
            else:
                layers.append(nn.Linear(inputs, outputs))
            if (normalise := vector_norm(norm, outputs)) is not None:
                layers.append(normalise)
            if activation != "maxout":
                layers.append(ACTIVATIONS[activation]())
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear(widths[-1], 1))
        self.layers = nn.Sequential(*layers)
        self.width = widths[-1]
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Map samples (N, *shape) to scores (N,).

        Raises:
            ConfigError: x has another shape.
        """
        check_input(x, self.shape)
        return self.layers(x).squeeze(1)

    def represent(self, x: Tensor) -> Tensor:
        """Map samples (N, *shape) to the last layer's input (N, width)."""
        check_input(x, self.shape)
        return self.layers[:-1](x)

    def score_of(self, represented: Tensor) -> Tensor:
        """Map what `represent` returns, (N, width), to scores (N,)."""
        return self.layers[-1](represented).squeeze(1)
