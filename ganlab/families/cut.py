"""The game of CUT: Park et al. 2020 (arXiv:2007.15651), one-way translation without pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ganlab.augment import Augmentation
from ganlab.core import Batch, Direction, Translator
from ganlab.errors import ConfigError
from ganlab.losses import AdversarialLoss, PatchNCE
from ganlab.networks import PatchHeads, sample_positions
from ganlab.regularizers import Regularizer


class _Translated(NamedTuple):
    made: Tensor  # G(a), followed by G(b) if `identity_weight` is above 0
    keys: list[Tensor]  # the encoder's maps of the generator's input, without gradients
    flipped: bool  # whether `made` is flipped left to right


class CUT(Translator):
    """A generator from a to b, trained to keep each patch recognisable among the source's patches.

    The first half of the generator is also the encoder. For each of `layers`, a head maps patches
    onto the unit sphere, where `contrast` compares them. The generator and the heads are one
    player. FastCUT is CUT with identity_weight=0, contrastive_weight=10 and flip_equivariance=True.

    Args:
        generator: maps pictures (N, C, H, W) of a to pictures of b, both in [−1, 1]. A
            `ResNetGenerator`, or another network with `layers` and `encode(x, layers)`.
        discriminator: maps pictures of b to scores of any shape, or to a list of scores of several
            scales.
        adversarial: the adversarial loss.
        regularizers: the discriminator's regularizers, by name.
        contrast: the contrastive loss (default: `PatchNCE()`).
        layers: indices of the generator's maps that are compared, as `encode` counts them.
        patches: largest number of patches that are compared per map, ≥ 2.
        head_features: dimension of the space that contains the sphere.
        adversarial_weight: weight of the generator's adversarial term.
        contrastive_weight: λ_X, weight of the contrast between patches of a and G(a), averaged
            over the layers.
        identity_weight: λ_Y, weight of the contrast between patches of b and G(b), which keeps the
            generator from changing pictures of b; 0 for none.
        flip_equivariance: whether, in a random half of the batches, the generator sees pictures
            flipped left to right. The maps of its output are then flipped back, as in the authors'
            FastCUT.
        **common: dropout_at_test and norm_at_test, see `Translator`.

    Raises:
        ConfigError: a generator without `encode`, layers that it does not have, or numbers outside
            their ranges.
    """

    roles = ("discriminator", "generator")
    needs = ("a", "b")
    can_compile = False
    directions = {"a_to_b": Direction("a", "b", "generator")}

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        adversarial: AdversarialLoss,
        regularizers: Mapping[str, Regularizer | Augmentation | None] | None = None,
        contrast: PatchNCE | None = None,
        layers: Sequence[int] = (0, 4, 7, 10, 14),
        patches: int = 256,
        head_features: int = 256,
        adversarial_weight: float = 1.0,
        contrastive_weight: float = 1.0,
        identity_weight: float = 1.0,
        flip_equivariance: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        if patches < 2:
            raise ConfigError(f"model.patches: received {patches}; needs 2 or more to compare.")
        self.set_weights(
            adversarial=adversarial_weight,
            contrastive=contrastive_weight,
            identity=identity_weight,
        )
        if not any(self.weights.values()):
            raise ConfigError(
                "model: all weights of CUT are 0, so nothing is learned. Set one above 0."
            )
        self.generator, self.discriminator = generator, discriminator
        self.layers, self.patches = list(layers), patches
        self.heads = PatchHeads(_channels(generator, self.layers), head_features)
        self.contrast = contrast or PatchNCE()
        self.flip_equivariance = flip_equivariance
        self.declare_game(adversarial, regularizers, "discriminator", contrast=self.contrast)

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses for distinguishing pictures of b from translations of a."""
        fake = self._translated(batch).made[: len(batch["a"])]
        return self.discriminator_terms("discriminator", batch["b"], fake)

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses for fooling the discriminator and for keeping patches recognisable."""
        translated, n = self._translated(batch), len(batch["a"])
        terms = {}
        if self.weights["adversarial"]:
            loss = self.loss_against("discriminator", translated.made[:n], batch["b"])
            terms["adversarial"] = self.weights["adversarial"] * loss
        parts = {"contrastive": slice(0, n), "identity": slice(n, None)}
        parts = {name: part for name, part in parts.items() if self.weights[name]}
        contrasts = self._contrasts(translated) if parts else []
        for name, part in parts.items():
            losses = [self.contrast(queries[part], keys[part]) for queries, keys in contrasts]
            terms[name] = self.weights[name] * torch.stack(losses).mean()
        return terms

    def pictures(self, batch: Batch, *, ema: bool = True, seed: int = 0) -> dict[str, Tensor]:
        """Return rows of a, G(a) and b, and of G(b) if `identity_weight` is above 0."""
        rows = super().pictures(batch, ema=ema, seed=seed) | {"b": batch["b"]}
        if self.weights["identity"]:
            rows["b → b"] = self.translate(batch["b"], ema=ema, seed=seed).cpu()
        return rows

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that both networks take the data's shapes."""
        super().check_data(shapes, provides)
        if self.weights["identity"] and shapes["a"] != shapes["b"]:
            raise ConfigError(
                f"model.identity_weight: received {self.weights['identity']}, but the generator "
                f"takes a's shape {tuple(shapes['a'])}, not b's {tuple(shapes['b'])}. Set it to 0."
            )
        real = torch.zeros(2, *shapes["b"], device=self.device)
        self.check_takes("discriminator", self.discriminator, real)

    def _translated(self, batch: Batch) -> _Translated:
        """Return the generator's pictures and maps of a batch, made once for both players.

        If `identity_weight` is above 0, a and b go through the generator in one batch, as in the
        authors' code.
        """

        def make() -> _Translated:
            x = torch.cat([batch["a"], batch["b"]]) if self.weights["identity"] else batch["a"]
            flipped = self.flip_equivariance and float(torch.rand(())) < 0.5
            maps = self.generator.encode(x.flip(3) if flipped else x, self.layers)
            rest = self.generator.layers[self.layers[-1] + 1 :]
            made = rest(maps[-1].clone()).tanh()  # a clone, since `rest` may write in place
            if flipped:
                with torch.no_grad():
                    maps = self.generator.encode(x, self.layers)
            return _Translated(made, [x.detach() for x in maps], flipped)

        return self.shared("translated", of="generator", make=make)

    def _contrasts(self, translated: _Translated) -> list[tuple[Tensor, Tensor]]:
        """Return, for each layer, vectors (N, S, F) of output patches and of input patches."""
        maps = self.generator.encode(translated.made, self.layers)
        if translated.flipped:
            maps = [x.flip(3) for x in maps]
        positions = sample_positions(maps, self.patches)
        with torch.no_grad():
            keys = self.heads(translated.keys, positions)
        return list(zip(self.heads(maps, positions), keys, strict=True))


def _channels(generator: nn.Module, layers: Sequence[int]) -> list[int]:
    """Return the numbers of channels of the compared maps, computed on the meta device."""
    if not hasattr(generator, "encode") or not hasattr(generator, "layers"):
        raise ConfigError(
            f"model.generator: received {type(generator).__name__}, which has no `encode`; CUT "
            "compares patches of the generator's maps. Use ganlab.networks.ResNetGenerator."
        )
    side = 16 * generator.multiple
    x = torch.zeros(1, generator.in_channels, side, side, device="meta")
    with torch.no_grad():
        return [maps.shape[1] for maps in deepcopy(generator).to("meta").encode(x, layers)]
