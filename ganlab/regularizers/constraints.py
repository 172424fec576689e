"""Constraints on the discriminator's weights, and a penalty on them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganlab.errors import ConfigError
from ganlab.regularizers.base import Penalty, Regularizer
from ganlab.regularizers.spectral_norm import spectral_normalize
from ganlab.regularizers.step import Step


class WeightClipping(Regularizer):
    """Clipping of all weights to [−bound, bound] after each step of the discriminator.

    WGAN, arXiv:1701.07875, algorithm 1, line 7.

    Args:
        bound: c, above 0.

    Raises:
        ConfigError: `bound` is not above 0.
    """

    def __init__(self, bound: float = 0.01) -> None:
        super().__init__()
        if isinstance(bound, (int, float)) and bound <= 0:
            raise ConfigError(f"WeightClipping.bound: received {bound}; needs a number above 0.")
        self.bound = bound

    @torch.no_grad()
    def constrain(self, network: nn.Module) -> None:
        for parameter in network.parameters():
            parameter.clamp_(-self.bound, self.bound)


class SpectralNorm(Regularizer):
    """Division of each layer's weight by its largest singular value.

    Miyato et al. 2018 (arXiv:1802.05957), equation 8; see `spectral_normalize`.

    Args:
        iterations: power iterations at each forward pass in training mode.
    """

    def __init__(self, iterations: int = 1) -> None:
        super().__init__()
        self.iterations = iterations

    def prepare(self, network: nn.Module) -> None:
        spectral_normalize(network, self.iterations)


class WeightDecay(Penalty):
    """Half the squared L2 norm of all parameters, including biases and the scales of norms."""

    def term(self, step: Step) -> Tensor:
        squares = [p.square().sum() for p in step.network.parameters()]
        return 0.5 * torch.stack(squares).sum()
