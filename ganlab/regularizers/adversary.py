"""What a discriminator and its generator minimise, whose scores are of patches or of scales."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganlab.losses import AdversarialLoss, flat_scores, mean_scores, over_scales
from ganlab.networks import jointly
from ganlab.regularizers.base import Regularizer, Regularizers


class Adversary:
    """An adversarial loss with its regularizers, for discriminators of patches or several scales.

    Args:
        loss: what both sides minimise.
        regularizers: what holds discriminators back, by name.
        *discriminators: the networks, which regularizers may change now.

    Attributes:
        regularizers: by name, without those that are null.
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
        """The discriminator's terms: "adversarial", and those of its regularizers by their names.

        Penalties take the gradient of what the loss looks at, the mean over a sample's scores.

        Args:
            discriminator: samples (N, …) to scores of any shape, or a list for several scales.
            real: real samples (N, …).
            fake: generated ones; no gradient reaches them.
            step: steps that the discriminator has made.
            view: what the discriminator is given of samples, e.g. joined with their sources.

        Returns:
            The terms, and "real_scores" and "fake_scores" (N, places) for whoever watches.
        """
        real, fake = self._regularizers.inputs(real, fake, step)
        real_scores, fake_scores = jointly(discriminator, view(real), view(fake))
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
        watched = {"real_scores": real_scores, "fake_scores": fake_scores}
        return (
            {"adversarial": loss, **penalties},
            {name: flat_scores(scores) for name, scores in watched.items()},
        )

    def generator_loss(
        self,
        discriminator: nn.Module,
        fake: Tensor,
        real: Tensor,
        view: Callable[[Tensor], Tensor] = lambda samples: samples,
    ) -> Tensor:
        """The generator's term, a scalar; see `discriminator_terms`."""
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
        """`generator_loss`, and the L1 distances of the discriminator's maps of real and generated.

        They are added up over layers and averaged over scales (Wang et al. 2018, arXiv:1711.11585,
        equation 4). The discriminator gives scores and all its maps with `features=True`.
        """
        scores, ours = discriminator(view(self._regularizers.perturb(fake)), features=True)
        with torch.no_grad():
            shown = view(self._regularizers.perturb(real))
            real_scores, theirs = discriminator(shown, features=True)
        compared = [scores, real_scores] if self.loss.paired else [scores]
        distances = [l1_loss(one, other) for one, other in zip(ours, theirs, strict=True)]
        scales = 1 if isinstance(scores, Tensor) else len(scores)
        matching = torch.stack(distances).sum() / scales
        return over_scales(self.loss.generator, *compared), matching

    def constrain(self) -> None:
        """Let regularizers change the discriminators' weights after their step."""
        for discriminator in self.discriminators:
            self._regularizers.constrain(discriminator)
