"""Base classes of regularizers, and the application of several regularizers to a discriminator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from ganlab.errors import ConfigError

Score = Callable[[Tensor], Tensor]


class Regularizer:
    """A regularizer of a discriminator; subclasses override some methods, which do nothing here."""

    def prepare(self, discriminator: nn.Module) -> None:
        """Change the network, once, before training."""

    def perturb(self, samples: Tensor) -> Tensor:
        """Return what the discriminator sees instead of `samples`, real or generated."""
        return samples

    def constrain(self, discriminator: nn.Module) -> None:
        """Change the weights after a step of the discriminator."""


class Penalty(Regularizer):
    """A term of the discriminator's loss, computed at every step or at every n-th step.

    Args:
        weight: the factor of the term.
        every: n: the term is computed at every n-th step only and multiplied by n (lazy
            regularization: Karras et al. 2020, arXiv:1912.04958, section 3.1).

    Raises:
        ConfigError: `every` is below 1.
    """

    def __init__(self, weight: float = 1.0, every: int = 1) -> None:
        if every < 1:
            raise ConfigError(f"{type(self).__name__}.every: received {every}; needs 1 or more.")
        self.weight, self.every = weight, every

    def is_due(self, step: int) -> bool:
        """Whether the term is computed at this step of the discriminator, counted from 0."""
        return step % self.every == 0


class ParameterPenalty(Penalty):
    """A penalty on the weights of the discriminator."""

    def of_parameters(self, discriminator: nn.Module) -> Tensor:
        """Return the unweighted term, a scalar."""
        raise NotImplementedError


class GradientPenaltyBase(Penalty):
    """A penalty on the gradient of the discriminator's score with respect to its input.

    Attributes:
        at: "real" or "fake" if the gradient is taken at real examples or at samples, whose scores
            are already computed; None if it is taken at the result of `points`.
    """

    at: Literal["real", "fake"] | None = None

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the points, of the shape of `real` and `fake`, where the gradient is taken."""
        raise NotImplementedError

    def of_gradients(self, gradients: Tensor) -> Tensor:
        """Return the unweighted term, a scalar, from gradients (N, D), one row per sample."""
        raise NotImplementedError


class Regularizers:
    """Several named regularizers, applied to a discriminator."""

    def __init__(self, regularizers: Mapping[str, Regularizer | None] | None = None) -> None:
        self.named = {k: r for k, r in (regularizers or {}).items() if r is not None}
        for name, regularizer in self.named.items():
            if not isinstance(regularizer, Regularizer):
                raise ConfigError(
                    f"loss.regularizers.{name}: received {type(regularizer).__name__}; needs a "
                    "ganlab.regularizers.Regularizer."
                )
        self._perturbing = self._overriding("perturb")
        self._constraining = self._overriding("constrain")
        self._gradient = {k: r for k, r in self.named.items() if isinstance(r, GradientPenaltyBase)}
        self._parameter = {k: r for k, r in self.named.items() if isinstance(r, ParameterPenalty)}

    def _overriding(self, method: str) -> list[Regularizer]:
        default = getattr(Regularizer, method)
        return [r for r in self.named.values() if getattr(type(r), method) is not default]

    def prepare(self, discriminator: nn.Module) -> None:
        """Let each regularizer change the network, once, before training."""
        for regularizer in self.named.values():
            regularizer.prepare(discriminator)

    def perturb(self, samples: Tensor) -> Tensor:
        """Return `samples`, changed by each regularizer in turn, as the discriminator's input."""
        for regularizer in self._perturbing:
            samples = regularizer.perturb(samples)
        return samples

    def constrain(self, discriminator: nn.Module) -> None:
        """Let each regularizer change the weights after a step of the discriminator."""
        for regularizer in self._constraining:
            regularizer.constrain(discriminator)

    def inputs(self, real: Tensor, fake: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Return the inputs for a discriminator step: real and fake, perturbed and detached.

        An input requires gradients if a due penalty takes its gradient at this input. `fake` gets
        the type of `real`, because under autocast a generator's output is in half precision.
        """
        real, fake = self.perturb(real).detach(), self.perturb(fake.detach().to(real.dtype))
        at = {r.at for r in self._gradient.values() if r.is_due(step)}
        return real.requires_grad_("real" in at), fake.requires_grad_("fake" in at)

    def penalties(
        self,
        discriminator: nn.Module,
        score: Score,
        real: Tensor,
        fake: Tensor,
        real_scores: Tensor,
        fake_scores: Tensor,
        step: int,
    ) -> dict[str, Tensor]:
        """Return a dict that maps the name of each due penalty to its weighted term.

        Args:
            discriminator: the network, for penalties on its weights.
            score: maps samples (N, …) to scores (N,); called with autocast off.
            real: the real examples, as returned by `inputs`.
            fake: the samples, as returned by `inputs`.
            real_scores: the scores (N,) of `real`.
            fake_scores: the scores (N,) of `fake`.
            step: the number of steps that the discriminator has made.
        """
        terms = {}
        computed = {"real": (real, real_scores), "fake": (fake, fake_scores)}
        autocast = torch.is_autocast_enabled(real.device.type)
        for name, penalty in self._gradient.items():
            if penalty.is_due(step):
                if penalty.at and not autocast:
                    points, scores = computed[penalty.at]
                    gradients = _gradients(scores, points)
                else:
                    points = computed[penalty.at][0] if penalty.at else penalty.points(real, fake)
                    gradients = _gradients_in_full_precision(score, points)
                term = penalty.of_gradients(gradients.flatten(1))
                terms[name] = penalty.weight * penalty.every * term
        for name, penalty in self._parameter.items():
            if penalty.is_due(step):
                term = penalty.of_parameters(discriminator)
                terms[name] = penalty.weight * penalty.every * term
        return terms


def _gradients(scores: Tensor, points: Tensor) -> Tensor:
    return torch.autograd.grad(scores.sum(), points, create_graph=True)[0]


def _gradients_in_full_precision(score: Score, points: Tensor) -> Tensor:
    with torch.autocast(points.device.type, enabled=False):
        points = points.detach().float().requires_grad_()
        return _gradients(score(points), points)
