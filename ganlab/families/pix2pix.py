"""The game of pix2pix: Isola et al. 2017 (arXiv:1611.07004), translation learned from pairs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from ganlab.augment import Augmentation
from ganlab.core import Batch, Direction, Translator
from ganlab.core.translator import NormAtTest
from ganlab.errors import ConfigError, one_of
from ganlab.losses import AdversarialLoss
from ganlab.regularizers import Regularizer

Objective = Literal["l1", "l2", "gan", "l1_gan", "l2_gan"]


class Pix2Pix(Translator):
    """A generator from source to target, against a discriminator of pairs (equations 1 to 4).

    There is no latent: the noise of the paper is dropout in the generator (section 3.2).

    Args:
        generator: maps sources (N, C, H, W) to targets (N, C', H, W), both in [−1, 1].
        discriminator: maps pairs (N, C + C', H, W) to scores of any shape, or to a list of scores
            of several scales. If not `conditional`, it takes only targets.
        adversarial: the adversarial loss; may be None for the objectives "l1" and "l2".
        regularizers: the discriminator's regularizers, by name.
        objective: "l1_gan" is the paper's objective (equation 4). "l1" and "l2" train the generator
            without a discriminator. "gan" has no reconstruction term (tables 1 and 2).
        reconstruction_weight: λ, weight of the L1 or L2 term.
        discriminator_weight: factor of the discriminator's loss; 0.5 in the paper (section 3.3).
        feature_matching_weight: weight of the L1 distances between the discriminator's maps of
            real and generated pairs, summed over layers and averaged over scales (Wang et al. 2018,
            arXiv:1711.11585, equation 4); 0 for none. It needs a `PatchGAN` or a `MultiScale`.
        conditional: whether the discriminator sees the source.
        dropout_at_test, norm_at_test: see `Translator`; the paper uses true and "batch".

    Raises:
        ConfigError: an unknown objective, weights below 0, arguments that do not fit the
            objective, or feature matching with a discriminator that gives no maps.
    """

    roles = ("discriminator", "generator")
    needs = ("source", "target")
    directions = {"source_to_target": Direction("source", "target", "generator")}

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        adversarial: AdversarialLoss | None = None,
        regularizers: Mapping[str, Regularizer | Augmentation | None] | None = None,
        objective: Objective = "l1_gan",
        reconstruction_weight: float = 100.0,
        discriminator_weight: float = 0.5,
        feature_matching_weight: float = 0.0,
        conditional: bool = True,
        dropout_at_test: bool = True,
        norm_at_test: NormAtTest = "batch",
    ) -> None:
        super().__init__(dropout_at_test, norm_at_test)
        self.generator = generator
        self.reconstruction = {"l1": l1_loss, "l2": mse_loss}.get(objective[:2])
        self.objective, self.conditional = objective, conditional
        self.set_weights(
            reconstruction=reconstruction_weight,
            discriminator=discriminator_weight,
            feature_matching=feature_matching_weight,
        )
        self._check(objective, adversarial, discriminator)
        if "gan" not in objective:  # the generator's loss would not use a discriminator
            self.roles = ("generator",)
            _check_alone(self.weights, regularizers)
            self.schedule(weights=self.weights)
        else:
            self.discriminator = discriminator
            self.declare_game(adversarial, regularizers, "discriminator")

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses for distinguishing real pairs from pairs with a generated target."""
        terms = self.discriminator_terms(
            "discriminator", batch["target"], self._fake(batch), self._given(batch)
        )
        return {name: self.weights["discriminator"] * term for name, term in terms.items()}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses for fooling the discriminator and for being close to the target."""
        fake, target, terms = self._fake(batch), batch["target"], {}
        if self.adversaries:
            given = self._given(batch)
            if self.weights["feature_matching"]:
                adversary = self.adversaries["discriminator"]
                loss, distance = adversary.generator_and_matching_loss(
                    self.discriminator, fake, target, given
                )
                terms["feature_matching"] = self.weights["feature_matching"] * distance
            else:
                loss = self.loss_against("discriminator", fake, target, given)
            terms["adversarial"] = loss
        if self.reconstruction is not None:
            distance = self.reconstruction(fake, target)
            terms[self.objective[:2]] = self.weights["reconstruction"] * distance
        return terms

    def pictures(self, batch: Batch, *, ema: bool = True, seed: int = 0) -> dict[str, Tensor]:
        """Return rows of sources, generated targets, and real targets."""
        made = self.translate(batch["source"], ema=ema, seed=seed).cpu()
        return {"source": batch["source"], "generated": made, "target": batch["target"]}

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that both networks take the data's shapes."""
        super().check_data(shapes, provides)
        if self.adversaries:
            zeros = {k: torch.zeros(2, *shapes[k], device=self.device) for k in self.needs}
            seen = torch.cat([*self._given(zeros), zeros["target"]], 1)
            self.check_takes("discriminator", self.discriminator, seen)

    def _given(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return what the discriminator sees beside a target."""
        return (batch["source"],) if self.conditional else ()

    def _fake(self, batch: Batch) -> Tensor:
        """Return the generated targets of this batch, made once for both players."""
        make = lambda: self.generator(batch["source"])  # noqa: E731
        return self.shared("fake", of="generator", make=make)

    def _check(
        self, objective: str, adversarial: AdversarialLoss | None, discriminator: nn.Module
    ) -> None:
        one_of("model.objective", objective, get_args(Objective))
        if "gan" not in objective:
            return
        if adversarial is None:
            raise ConfigError(
                f"model.objective: received {objective}, which needs an adversarial loss. "
                "Choose a loss (loss=non_saturating), or model.objective=l1."
            )
        takes = inspect.signature(discriminator.forward).parameters
        if self.weights["feature_matching"] and "features" not in takes:
            raise ConfigError(
                f"model.feature_matching_weight: a {type(discriminator).__name__} gives no maps to "
                "match. Set it to 0, or use a PatchGAN or MultiScale."
            )


def _check_alone(
    weights: Mapping[str, float],
    regularizers: Mapping[str, Regularizer | Augmentation | None] | None,
) -> None:
    """Raise for settings that have no meaning if the generator is the only player."""
    alone = "with model.objective=l1 or l2 the generator is the only player"
    if any(regularizer is not None for regularizer in (regularizers or {}).values()):
        names = ", ".join(regularizers or {})
        raise ConfigError(
            f"loss.regularizers: received {names}; {alone}, so there is no discriminator to "
            "regularize. Leave them out: loss=none regularizer=[]."
        )
    if not weights["reconstruction"] or weights["feature_matching"]:
        raise ConfigError(
            f"model: {alone}, so it needs reconstruction_weight above 0 and "
            f"feature_matching_weight 0; received {weights['reconstruction']} and "
            f"{weights['feature_matching']}."
        )
