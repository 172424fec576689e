"""Losses of a generator and a discriminator with patch scores or several scales."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganlab.augment import Augmentation
from ganlab.losses import AdversarialLoss, flat_scores, mean_scores, over_scales
from ganlab.networks import in_one_pass
from ganlab.regularizers.base import Regularizer, Regularizers
from ganlab.regularizers.step import Step


class Adversary(nn.Module):
    """An adversarial loss with regularizers, for one discriminator of patches or several scales.

    The discriminator maps inputs (N, …) to scores of any shape, or to a list for several scales. It
    may be conditional: pictures `given` (N, …) are concatenated with samples along the channels.

    Args:
        loss: the adversarial loss of both players.
        regularizers: the discriminator's regularizers by name; None values are ignored.
        discriminator: the network, which regularizers may change in this constructor.
    """

    def __init__(
        self,
        loss: AdversarialLoss,
        regularizers: Mapping[str, Regularizer | Augmentation | None] | None,
        discriminator: nn.Module,
    ) -> None:
        super().__init__()
        self.loss, self.regularizers = loss, Regularizers(regularizers)
        self.regularizers.prepare(discriminator)

    def discriminator_terms(
        self,
        discriminator: nn.Module,
        real: Tensor,
        fake: Tensor,
        number: int,
        given: tuple[Tensor, ...] = (),
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the discriminator's loss terms, and its scores.

        Gradient penalties differentiate `mean_scores`: a sample's mean score, summed over scales.

        Args:
            discriminator: the network.
            real: real examples (N, …).
            fake: samples (N, …); they get no gradient.
            number: how many steps the discriminator's phase has made before.
            given: the pictures that a conditional discriminator sees too.

        Returns:
            The terms: "adversarial", and each due penalty under its name. The scores, to monitor:
            "real_scores" and "fake_scores" (N, S), where S counts the positions of all scales.
        """
        real, fake = self.regularizers.inputs(real, fake, number)
        inputs = self._input(real, given), self._input(fake, given)
        real_scores, fake_scores = in_one_pass(discriminator, *inputs)
        step = Step(
            discriminator,
            lambda samples: mean_scores(discriminator(self._input(samples, given))),
            real,
            fake,
            mean_scores(real_scores),
            mean_scores(fake_scores),
            number,
        )
        loss = over_scales(self.loss.discriminator, real_scores, fake_scores)
        monitored = {"real_scores": real_scores, "fake_scores": fake_scores}
        return (
            {"adversarial": loss, **self.regularizers.terms(step)},
            {name: flat_scores(scores) for name, scores in monitored.items()},
        )

    def generator_loss(
        self, discriminator: nn.Module, fake: Tensor, real: Tensor, given: tuple[Tensor, ...] = ()
    ) -> Tensor:
        """Return the generator's adversarial loss, a scalar; see `discriminator_terms`."""
        scores = [discriminator(self._input(fake, given))]
        if self.loss.paired:
            with torch.no_grad():
                scores.append(discriminator(self._input(real, given)))
        return over_scales(self.loss.generator, *scores)

    def generator_and_matching_loss(
        self, discriminator: nn.Module, fake: Tensor, real: Tensor, given: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, Tensor]:
        """Return `generator_loss` and the feature matching loss.

        The feature matching loss is the L1 distance of the discriminator's maps of real examples
        and samples, summed over layers and averaged over scales (Wang et al. 2018,
        arXiv:1711.11585, equation 4). With `features=True`, the discriminator must return its
        scores and all its maps.
        """
        scores, fake_maps = discriminator(self._input(fake, given), features=True)
        with torch.no_grad():
            real_scores, real_maps = discriminator(self._input(real, given), features=True)
        arguments = [scores, real_scores] if self.loss.paired else [scores]
        distances = [l1_loss(a, b) for a, b in zip(fake_maps, real_maps, strict=True)]
        scales = 1 if isinstance(scores, Tensor) else len(scores)
        matching = torch.stack(distances).sum() / scales
        return over_scales(self.loss.generator, *arguments), matching

    def _input(self, samples: Tensor, given: tuple[Tensor, ...]) -> Tensor:
        """Return what the discriminator sees: given pictures and samples, augmented alike."""
        if not given:
            return self.regularizers.augment(samples)
        return torch.cat(self.regularizers.augment((*given, samples)), 1)
