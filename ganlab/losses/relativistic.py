"""Relativistic losses: how much more real a sample looks than those of the other kind."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from ganlab.losses.adversarial import AdversarialLoss


class RelativisticPairing(AdversarialLoss):
    """RpGAN: each real sample is compared with one generated sample.

    Jolicoeur-Martineau 2018 (arXiv:1807.00734), section 4.1; with R1 and R2 it is the R3GAN of
    Huang et al. 2025 (arXiv:2501.05441), equation 2. Scores pair up by position.
    """

    paired = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        return softplus(real - fake).mean()


class RelativisticAverage(AdversarialLoss):
    """RaGAN: each sample is compared with the mean of the other kind.

    Jolicoeur-Martineau 2018 (arXiv:1807.00734), section 4.2, with the cross-entropy. As for the
    other losses, the two halves are added.
    """

    paired = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        return self.discriminator(fake, real)
