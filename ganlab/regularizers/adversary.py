"""Losses of a generator and a discriminator with patch scores or several scales."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganlab.losses import AdversarialLoss, flat_scores, mean_scores, over_scales
from ganlab.networks import in_one_pass
from ganlab.regularizers.base import Regularizer, Regularizers


class Adversary:
    """An adversarial loss with regularizers, for discriminators of patches or several scales.

    Args:
        loss: the adversarial loss of both players.
        regularizers: the discriminators' regularizers by name; None values are ignored.
        *discriminators: the networks; regularizers may change them in this constructor.

    Attributes:
        regularizers: the regularizers by name, without None values.
    """

    def __init__(
        self,
        loss: AdversarialLoss,
        regularizers: Mapping[str, Regularizer | None] | None,
        *discriminators: nn.Module,
    ) -> None:
        self.loss, self._regularizers = loss, Regularizers(regularizers)
        self.regularizers = self._regularizers.named
        self.discriminators = discriminators
        for discriminator in discriminators:
            self._regularizers.prepare(discriminator)

    def discriminator_terms(
        self,
        discriminator: nn.Module,
        real: Tensor,
        fake: Tensor,
        step: int,
        view: Callable[[Tensor], Tensor] = lambda samples: samples,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the discriminator's loss terms, and its scores.

        Gradient penalties differentiate `mean_scores`: a sample's mean score, summed over scales.

        Args:
            discriminator: maps inputs (N, …) to scores of any shape, or to a list for several
                scales.
            real: real examples (N, …).
            fake: samples (N, …); they get no gradient.
            step: the number of steps that the discriminator has made.
            view: maps examples or samples to the discriminator's input, e.g. by concatenating them
                with their sources.

        Returns:
            The terms: "adversarial", and each due penalty under its name. The scores, to monitor:
            "real_scores" and "fake_scores" (N, S), where S counts the positions of all scales.
        """
        real, fake = self._regularizers.inputs(real, fake, step)
        real_scores, fake_scores = in_one_pass(discriminator, view(real), view(fake))
        penalties = self._regularizers.penalties(
            discriminator,
            lambda samples: mean_scores(discriminator(view(samples))),
            real,
            fake,
            mean_scores(real_scores),
            mean_scores(fake_scores),
            step,
        )
        loss = over_scales(self.loss.discriminator, real_scores, fake_scores)
        monitored = {"real_scores": real_scores, "fake_scores": fake_scores}
        return (
            {"adversarial": loss, **penalties},
            {name: flat_scores(scores) for name, scores in monitored.items()},
        )

    def generator_loss(
        self,
        discriminator: nn.Module,
        fake: Tensor,
        real: Tensor,
        view: Callable[[Tensor], Tensor] = lambda samples: samples,
    ) -> Tensor:
        """Return the generator's adversarial loss, a scalar; see `discriminator_terms`."""
        scores = [discriminator(view(self._regularizers.perturb(fake)))]
        if self.loss.paired:
            with torch.no_grad():
                scores.append(discriminator(view(self._regularizers.perturb(real))))
        return over_scales(self.loss.generator, *scores)

    def generator_and_matching_loss(
        self,
        discriminator: nn.Module,
        fake: Tensor,
        real: Tensor,
        view: Callable[[Tensor], Tensor] = lambda samples: samples,
    ) -> tuple[Tensor, Tensor]:
        """Return `generator_loss` and the feature matching loss.

        The feature matching loss is the L1 distance of the discriminator's maps of real examples
        and samples, summed over layers and averaged over scales (Wang et al. 2018,
        arXiv:1711.11585, equation 4). With `features=True`, the discriminator must return its
        scores and all its maps.
        """
        scores, fake_maps = discriminator(view(self._regularizers.perturb(fake)), features=True)
        with torch.no_grad():
            real_input = view(self._regularizers.perturb(real))
            real_scores, real_maps = discriminator(real_input, features=True)
        arguments = [scores, real_scores] if self.loss.paired else [scores]
        distances = [l1_loss(a, b) for a, b in zip(fake_maps, real_maps, strict=True)]
        scales = 1 if isinstance(scores, Tensor) else len(scores)
        matching = torch.stack(distances).sum() / scales
        return over_scales(self.loss.generator, *arguments), matching

    def constrain(self) -> None:
        """Let regularizers change the weights after a step of the discriminators."""
        for discriminator in self.discriminators:
            self._regularizers.constrain(discriminator)
