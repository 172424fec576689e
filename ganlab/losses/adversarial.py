"""Adversarial losses of scores; scores are the discriminator's raw outputs (logits), any shape."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from ganlab.errors import ConfigError
from ganlab.losses.labels import check_probability, flip_labels


class AdversarialLoss(nn.Module):
    """The losses that discriminator and generator minimise.

    A loss with state keeps it in buffers, changes it in `discriminator`, and averages over ranks
    what it changes it by (`ganlab.ranks.mean_over_ranks`). Each discriminator then has a loss of
    its own.

    Attributes:
        paired: whether the generator's loss also needs the scores of real examples.
        logged: names of buffers of one element, whose values are logged.
    """

    paired = False
    logged: tuple[str, ...] = ()

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's loss, a scalar, from the scores of examples and samples."""
        raise NotImplementedError

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return the generator's loss, a scalar, from scores of samples, and `real` if `paired`."""
        raise NotImplementedError


class NonSaturating(AdversarialLoss):
    """Cross-entropy, with a generator that maximises log D(G(z)).

    Goodfellow et al. 2014 (arXiv:1406.2661), equation 1 for the discriminator and the alternative
    of section 3 for the generator. −log σ(s) = softplus(−s).

    Args:
        smoothing: one-sided label smoothing, in [0, 0.5): real examples have the label
            1 − smoothing (Salimans et al. 2016, arXiv:1606.03498, section 3.4).
        flip: the probability, in [0, 0.5), that the discriminator's loss swaps the labels of a real
            example and a sample.

    Raises:
        ConfigError: `smoothing` or `flip` is out of range.
    """

    def __init__(self, smoothing: float = 0.0, flip: float = 0.0) -> None:
        super().__init__()
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

    Goodfellow et al. 2014 (arXiv:1406.2661), equation 1. The generator's gradient vanishes if the
    discriminator rejects samples with certainty, σ(s) → 0.
    """

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -softplus(fake).mean()


class LeastSquares(AdversarialLoss):
    """LSGAN: Mao et al. 2017 (arXiv:1611.04076), equation 2.

    Args:
        a: the label of samples.
        b: the label of real examples.
        c: the score that the generator wants its samples to get. (a, b, c) = (−1, 1, 0) minimises
            the Pearson χ² divergence (equation 8); (0, 1, 1) is the usual choice (equation 9).
        flip: the probability, in [0, 0.5), that the discriminator's loss swaps the labels of a real
            example and a sample.
        generator_factor: the factor of the generator's loss: ½ in the equations, 1 in CycleGAN and
            pix2pixHD. It only matters if the generator has other terms too, as Adam does not
            depend on a common factor of all terms.

    Raises:
        ConfigError: `flip` is out of range, or a == b, so that the labels do not differ.
    """

    def __init__(
        self,
        a: float = 0.0,
        b: float = 1.0,
        c: float = 1.0,
        flip: float = 0.0,
        generator_factor: float = 0.5,
    ) -> None:
        super().__init__()
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
    """The loss of WGAN: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), equation 2.

    It needs a regularizer that makes the discriminator (critic) Lipschitz.
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
