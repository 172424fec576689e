"""Adversarial losses. Scores are the discriminator's raw outputs (logits), of any shape."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu, softplus

from ganlab.errors import ConfigError
from ganlab.losses.labels import check_probability, flip_labels


class AdversarialLoss:
    """What discriminator and generator minimise.

    Attributes:
        paired: whether the generator's loss also reads the scores of real samples.
    """

    paired = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Scores of real and generated samples, any shape, to a scalar to minimise."""
        raise NotImplementedError

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Scores of generated (and, if `paired`, real) samples to a scalar to minimise."""
        raise NotImplementedError


class NonSaturating(AdversarialLoss):
    """Cross-entropy, with the generator maximising log D(G(z)).

    Goodfellow et al. 2014 (arXiv:1406.2661), equation 1 for the discriminator and the alternative
    of section 3 for the generator. −log σ(s) = softplus(−s).

    Args:
        smoothing: one-sided label smoothing: real samples have the label 1 − smoothing
            (Salimans et al. 2016, arXiv:1606.03498, section 3.4), in [0, 0.5).
        flip: probability that a pair of labels is exchanged for the discriminator, in [0, 0.5).

    Raises:
        ConfigError: a probability outside its range.
    """

    def __init__(self, smoothing: float = 0.0, flip: float = 0.0) -> None:
        check_probability("smoothing", smoothing, 0.5)
        check_probability("flip", flip, 0.5)
        self.smoothing, self.flip = smoothing, flip

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        real, fake = flip_labels(real, fake, self.flip)
        loss = softplus(-real).mean() + softplus(fake).mean()
        # −(1−s)·log σ(r) − s·log(1 − σ(r)) = softplus(−r) + s·r
        return loss + self.smoothing * real.mean() if self.smoothing else loss

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return softplus(-fake).mean()


class Minimax(NonSaturating):
    """The zero-sum game: the generator minimises log(1 − D(G(z))).

    Goodfellow et al. 2014 (arXiv:1406.2661), equation 1. The gradient vanishes where the
    discriminator is sure, σ(s) → 0.
    """

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -softplus(fake).mean()


class LeastSquares(AdversarialLoss):
    """LSGAN: Mao et al. 2017 (arXiv:1611.04076), equation 2.

    Args:
        a: label of generated samples.
        b: label of real samples.
        c: what the generator wants the discriminator to say of its samples. (a, b, c) = (−1, 1, 0)
            minimises the Pearson χ² divergence (equation 8), (0, 1, 1) is the usual choice
            (equation 9).
        flip: probability that a pair of labels is exchanged for the discriminator, in [0, 0.5).
        generator_factor: of the generator's loss: ½ in the equations, 1 in CycleGAN and pix2pixHD.
            It weighs beside other terms alone: Adam does not see it.

    Raises:
        ConfigError: a probability outside its range, or a == b (nothing to tell apart).
    """

    def __init__(
        self,
        a: float = 0.0,
        b: float = 1.0,
        c: float = 1.0,
        flip: float = 0.0,
        generator_factor: float = 0.5,
    ) -> None:
        check_probability("flip", flip, 0.5)
        if a == b:
            raise ConfigError(f"LeastSquares: a and b are both {a}; the labels must differ.")
        self.a, self.b, self.c, self.flip = a, b, c, flip
        self.generator_factor = generator_factor

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        real, fake = flip_labels(real, fake, self.flip)
        return 0.5 * (real - self.b).square().mean() + 0.5 * (fake - self.a).square().mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return self.generator_factor * (fake - self.c).square().mean()


class Wasserstein(AdversarialLoss):
    """Critic loss of WGAN: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), equation 2.

    Scores are unbounded; the Lipschitz constraint comes from a regularizer.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()


class Hinge(AdversarialLoss):
    """Hinge loss: Lim and Ye 2017 (arXiv:1705.02894); Miyato et al. 2018, equations 16 and 17."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()
