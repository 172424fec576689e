"""Constraints on the discriminator's weights, and noise on its inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganlab.errors import ConfigError
from ganlab.regularizers.base import ParameterPenalty, Regularizer
from ganlab.regularizers.spectral_norm import spectral_normalize


class WeightClipping(Regularizer):
    """Clipping of all weights to [−bound, bound] after each step of the discriminator.

    WGAN, arXiv:1701.07875, algorithm 1, line 7.

    Args:
        bound: c, above 0.

    Raises:
        ConfigError: `bound` is not above 0.
    """

    def __init__(self, bound: float = 0.01) -> None:
        if isinstance(bound, (int, float)) and bound <= 0:
            raise ConfigError(f"WeightClipping.bound: received {bound}; needs a number above 0.")
        self.bound = bound

    @torch.no_grad()
    def constrain(self, discriminator: nn.Module) -> None:
        for parameter in discriminator.parameters():
            parameter.clamp_(-self.bound, self.bound)


class SpectralNorm(Regularizer):
    """Division of each layer's weight by its largest singular value.

    Miyato et al. 2018 (arXiv:1802.05957), equation 8; see `spectral_normalize`.

    Args:
        iterations: power iterations at each forward pass in training mode.
    """

    def __init__(self, iterations: int = 1) -> None:
        self.iterations = iterations

    def prepare(self, discriminator: nn.Module) -> None:
        spectral_normalize(discriminator, self.iterations)


class WeightDecay(ParameterPenalty):
    """Half the squared L2 norm of all parameters, including biases and the scales of norms."""

    def of_parameters(self, discriminator: nn.Module) -> Tensor:
        squares = [p.square().sum() for p in discriminator.parameters()]
        return 0.5 * torch.stack(squares).sum()


class InstanceNoise(Regularizer):
    """Gaussian noise on all inputs of the discriminator.

    Arjovsky and Bottou 2017 (arXiv:1701.04862), section 3; Sønderby et al. 2017 (arXiv:1610.04490).
    With a `Ramp` as `sigma` the noise decays.

    Args:
        sigma: the standard deviation, at least 0, in units of the normalised samples.

    Raises:
        ConfigError: `sigma` is negative.
    """

    def __init__(self, sigma: float = 0.1) -> None:
        if isinstance(sigma, (int, float)) and sigma < 0:
            raise ConfigError(f"InstanceNoise.sigma: received {sigma}; needs 0 or more.")
        self.sigma = sigma

    def perturb(self, samples: Tensor) -> Tensor:
        return samples + self.sigma * torch.randn_like(samples) if self.sigma else samples
