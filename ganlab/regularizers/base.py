"""What a regularizer may do, and how several act together on one discriminator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from ganlab.errors import ConfigError

Score = Callable[[Tensor], Tensor]


class Regularizer:
    """Acts on a discriminator in one or more of the ways below; the default does nothing."""

    def prepare(self, discriminator: nn.Module) -> None:
        """Change the network, once, before training."""

    def perturb(self, samples: Tensor) -> Tensor:
        """What the discriminator sees in place of `samples`, real or generated."""
        return samples

    def constrain(self, discriminator: nn.Module) -> None:
        """Change the weights after a step of the discriminator."""


class Penalty(Regularizer):
    """A term added to the discriminator's loss, at every step or lazily.

    Args:
        weight: factor of the term.
        every: compute the term at every n-th step only, n times as strong (Karras et al. 2020,
            arXiv:1912.04958, section 3.1).

    Raises:
        ConfigError: `every` below 1.
    """

    def __init__(self, weight: float = 1.0, every: int = 1) -> None:
        if every < 1:
            raise ConfigError(f"{type(self).__name__}.every: received {every}; needs 1 or more.")
        self.weight, self.every = weight, every

    def is_due(self, step: int) -> bool:
        """Whether the term takes part in this step of the discriminator (counted from 0)."""
        return step % self.every == 0


class ParameterPenalty(Penalty):
    """A penalty on the weights of the discriminator."""

    def of_parameters(self, discriminator: nn.Module) -> Tensor:
        """The unweighted term, a scalar."""
        raise NotImplementedError


class GradientPenaltyBase(Penalty):
    """A penalty on the gradient of the discriminator's score with respect to its input.

    Attributes:
        at: "real" or "fake" where the gradient is taken at those samples, whose scores are known;
            None where `points` makes new ones.
    """

    at: Literal["real", "fake"] | None = None

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        """Where the gradient is taken, from samples (N, …) and to the same shape."""
        raise NotImplementedError

    def of_gradients(self, gradients: Tensor) -> Tensor:
        """The unweighted term from gradients (N, D), one row for each sample."""
        raise NotImplementedError


class Regularizers:
    """Several regularizers, by name, on one discriminator."""

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
        """Let each change the network, once, before training."""
        for regularizer in self.named.values():
            regularizer.prepare(discriminator)

    def perturb(self, samples: Tensor) -> Tensor:
        """What the discriminator sees in place of `samples`."""
        for regularizer in self._perturbing:
            samples = regularizer.perturb(samples)
        return samples

    def constrain(self, discriminator: nn.Module) -> None:
        """Let each change the weights after a step of the discriminator."""
        for regularizer in self._constraining:
            regularizer.constrain(discriminator)

    def inputs(self, real: Tensor, fake: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The discriminator's inputs in its own step: perturbed, detached, and requiring gradients
        where a penalty that is due takes the gradient there. Generated samples take the real ones'
        precision: under autocast a generator's output is of half precision.
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
        """The weighted terms that are due, by name.

        Args:
            discriminator: the network, for penalties on its weights.
            score: maps samples (N, …) to scores (N,), in full precision where asked.
            real: the discriminator's real inputs, as `inputs` made them.
            fake: its generated ones.
            real_scores: scores of `real`.
            fake_scores: scores of `fake`.
            step: steps the discriminator has made.
        """
        terms = {}
        known = {"real": (real, real_scores), "fake": (fake, fake_scores)}
        autocast = torch.is_autocast_enabled(real.device.type)
        for name, penalty in self._gradient.items():
            if penalty.is_due(step):
                if penalty.at and not autocast:
                    points, scores = known[penalty.at]
                    gradients = _gradients(scores, points)
                else:
                    points = known[penalty.at][0] if penalty.at else penalty.points(real, fake)
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
