"""Base classes of regularizers, and the application of several regularizers to a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from ganlab.augment import Augmentation, Inputs
from ganlab.errors import ConfigError
from ganlab.regularizers.step import Step, parts_of

T = TypeVar("T")


class Regularizer(nn.Module):
    """A regularizer of a network; subclasses override some methods, which do nothing here.

    It may have state in buffers; each network then has a regularizer of its own.

    Attributes:
        logged: names of buffers of one element, whose values are logged.
    """

    logged: tuple[str, ...] = ()

    def prepare(self, network: nn.Module) -> None:
        """Change the network, once, before training."""

    def constrain(self, network: nn.Module) -> None:
        """Change the weights after a step of the network."""


class Penalty(Regularizer):
    """A term of the network's loss, computed at every step or at every n-th step.

    Args:
        weight: the factor of the term.
        every: n: the term is computed at every n-th step of its phase only and multiplied by n
            (lazy regularization: Karras et al. 2020, arXiv:1912.04958, section 3.1).

    Raises:
        ConfigError: `every` is below 1, or `weight` below 0.
    """

    def __init__(self, weight: float = 1.0, every: int = 1) -> None:
        super().__init__()
        if every < 1:
            raise ConfigError(f"{type(self).__name__}.every: received {every}; needs 1 or more.")
        if isinstance(weight, (int, float)) and weight < 0:
            raise ConfigError(f"{type(self).__name__}.weight: received {weight}; needs 0 or more.")
        self.weight, self.every = weight, every

    def is_due(self, number: int) -> bool:
        """Whether the term is computed at this step of the phase, counted from 0."""
        return number % self.every == 0

    def term(self, step: Step) -> Tensor:
        """Return the unweighted term, a scalar."""
        raise NotImplementedError


class GradientPenaltyBase(Penalty):
    """A penalty on the gradient of the discriminator's score with respect to its input.

    Attributes:
        at: "real" or "fake" if the gradient is taken at real examples or at samples, whose scores
            are already computed; None if it is taken at the result of `points`.
    """

    at: Literal["real", "fake"] | None = None

    def points(self, real: tuple[Tensor, ...], fake: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the points where the gradient is taken, of the shapes of `real` and `fake`."""
        raise NotImplementedError

    def of_gradients(self, gradients: Tensor) -> Tensor:
        """Return the unweighted term, a scalar, from gradients (N, D), one row per sample."""
        raise NotImplementedError

    def term(self, step: Step) -> Tensor:
        real, fake = parts_of(step.real), parts_of(step.fake)
        if self.at and not torch.is_autocast_enabled(real[0].device.type):
            is_real = self.at == "real"
            scores = step.real_scores if is_real else step.fake_scores
            return self.of_gradients(_gradients(scores, real if is_real else fake))
        points = {"real": real, "fake": fake}[self.at] if self.at else self.points(real, fake)
        with torch.autocast(real[0].device.type, enabled=False):
            points = tuple(part.detach().float().requires_grad_() for part in points)
            scores = step.score(points[0] if isinstance(step.real, Tensor) else points)
            gradients = _gradients(scores, points)
        return self.of_gradients(gradients)


class Regularizers(nn.ModuleDict):
    """The regularizers and augmentations of one network, by name.

    Args:
        regularizers: the regularizers; None values are ignored.

    Raises:
        ConfigError: a value is neither a regularizer nor an augmentation, or a name is not allowed.
    """

    def __init__(
        self, regularizers: Mapping[str, Regularizer | Augmentation | None] | None = None
    ) -> None:
        named = {k: r for k, r in (regularizers or {}).items() if r is not None}
        if "adversarial" in named:
            raise ConfigError(
                "loss.regularizers.adversarial: the adversarial loss has this name. Choose another."
            )
        for name, regularizer in named.items():
            if not isinstance(regularizer, (Regularizer, Augmentation)):
                raise ConfigError(
                    f"loss.regularizers.{name}: received {type(regularizer).__name__}; needs a "
                    "ganlab.regularizers.Regularizer or a ganlab.augment.Augmentation."
                )
        try:
            super().__init__(named)
        except KeyError as error:
            raise ConfigError(f"loss.regularizers: {error.args[0]}. Choose another name.") from None

    def prepare(self, network: nn.Module) -> None:
        """Let each regularizer change the network, once, before training."""
        for regularizer in self._all(Regularizer):
            regularizer.prepare(network)

    def augment(self, inputs: Inputs) -> Inputs:
        """Return the inputs of the discriminator, changed by each augmentation in turn."""
        for augmentation in self._all(Augmentation):
            inputs = augmentation(inputs)
        return inputs

    def constrain(self, network: nn.Module) -> None:
        """Let each regularizer change the weights after a step of the network."""
        for regularizer in self._all(Regularizer):
            regularizer.constrain(network)

    def inputs(self, real: Inputs, fake: Inputs, number: int) -> tuple[Inputs, Inputs]:
        """Return real and generated inputs of a discriminator's step, detached.

        An input requires gradients if a due penalty takes its gradient at this input. Generated
        inputs get the dtypes of real ones, because under autocast a generator's output is in half
        precision.
        """
        at = {r.at for r in self._all(GradientPenaltyBase) if r.is_due(number)}
        parts = zip(parts_of(fake), parts_of(real), strict=True)
        fakes = [f.detach().to(r.dtype).requires_grad_("fake" in at) for f, r in parts]
        reals = [part.detach().requires_grad_("real" in at) for part in parts_of(real)]
        return (reals[0], fakes[0]) if isinstance(real, Tensor) else (tuple(reals), tuple(fakes))

    def terms(self, step: Step) -> dict[str, Tensor]:
        """Return the weighted term of each due penalty by name; let augmentations adapt.

        Call this once for each batch of the phase. `step` has inputs that `inputs` returned.
        """
        terms = {
            name: penalty.weight * penalty.every * penalty.term(step)
            for name, penalty in self.items()
            if isinstance(penalty, Penalty) and penalty.is_due(step.number)
        }
        for augmentation in self._all(Augmentation):
            augmentation.update(step.real_scores)
        return terms

    def _all(self, kind: type[T]) -> list[T]:
        return [r for r in self.values() if isinstance(r, kind)]


def _gradients(scores: Tensor, points: tuple[Tensor, ...]) -> Tensor:
    """Return the gradients (N, D) of scores (N,) with respect to all parts of the points."""
    gradients = torch.autograd.grad(scores.sum(), points, create_graph=True)
    return torch.cat([gradient.flatten(1) for gradient in gradients], 1)
