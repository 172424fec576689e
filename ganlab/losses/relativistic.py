"""Relativistic losses, which compare scores of real examples with scores of samples."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from ganlab.losses.adversarial import AdversarialLoss


class RelativisticPairing(AdversarialLoss):
    """RpGAN: the score of each real example is compared with the score of one sample.

    Jolicoeur-Martineau 2018 (arXiv:1807.00734), section 4.1. With R1 and R2 it is the loss of
    R3GAN, Huang et al. 2025 (arXiv:2501.05441), equation 2. Scores at equal indices form a pair.
    """

    paired = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        return softplus(real - fake).mean()


class RelativisticAverage(AdversarialLoss):
    """RaGAN: real scores are compared with the mean generated score, and vice versa.

    Jolicoeur-Martineau 2018 (arXiv:1807.00734), section 4.2, with the cross-entropy. As in the
    other losses, the terms of real and of generated scores are added, not averaged.
    """

    paired = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        return self.discriminator(fake, real)
