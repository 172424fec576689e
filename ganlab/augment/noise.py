"""Noise on the inputs of a discriminator."""

from __future__ import annotations

import torch
from torch import Tensor

from ganlab.augment.base import Augmentation
from ganlab.errors import ConfigError


class InstanceNoise(Augmentation):
    """Gaussian noise on all inputs of the discriminator.

    Arjovsky and Bottou 2017 (arXiv:1701.04862), section 3; Sønderby et al. 2017 (arXiv:1610.04490).
    With a `Ramp` as `sigma` the noise decays.

    Args:
        sigma: the standard deviation, at least 0, in units of the normalised samples.

    Raises:
        ConfigError: `sigma` is negative.
    """

    def __init__(self, sigma: float = 0.1) -> None:
        super().__init__()
        if isinstance(sigma, (int, float)) and sigma < 0:
            raise ConfigError(f"InstanceNoise.sigma: received {sigma}; needs 0 or more.")
        self.sigma = sigma

    def augment(self, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if not self.sigma:
            return parts
        return tuple(part + self.sigma * torch.randn_like(part) for part in parts)
