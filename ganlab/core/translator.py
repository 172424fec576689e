"""The base class of all families that translate pictures into pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ganlab.augment import Augmentation
from ganlab.core.batch_norm import batch_norm_statistics
from ganlab.core.module import AdversarialModule, Batch
from ganlab.core.randomness import seed_device
from ganlab.errors import ConfigError, one_of
from ganlab.losses import AdversarialLoss
from ganlab.regularizers import Adversary, Regularizer

NormAtTest = Literal["running", "batch"]
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclass(frozen=True)
class Direction:
    """One direction of translation.

    Args:
        source: batch key of the input pictures.
        target: batch key of the output pictures.
        generator: name of the submodule that translates.
    """

    source: str
    target: str
    generator: str


class Translator(AdversarialModule):
    """A game whose generators translate pictures into pictures.

    Args:
        dropout_at_test: whether dropout stays on when the model is used after training. Dropout is
            the noise of pix2pix (Isola et al. 2017, arXiv:1611.07004, section 3.2).
        norm_at_test: statistics of batch norm when the model is used: "running" for the averages
            from training, "batch" for the statistics of each batch. With "batch", pictures are
            translated one by one, as in pix2pix. Other norms are not affected.

    Attributes:
        directions: maps names to directions; the first is the default. Each generator has the
            attributes `in_channels` and `multiple`; height and width of a picture must be
            multiples of `multiple`.
        weights: maps names of loss terms to weights.
        adversaries: the adversarial loss and the regularizers of each discriminator, by the name of
            its submodule.

    Raises:
        ConfigError: `norm_at_test` is unknown.
    """

    directions: Mapping[str, Direction] = {}

    def __init__(self, dropout_at_test: bool = False, norm_at_test: NormAtTest = "running") -> None:
        super().__init__()
        one_of("model.norm_at_test", norm_at_test, get_args(NormAtTest))
        self.dropout_at_test, self.norm_at_test = dropout_at_test, norm_at_test
        self.adversaries = nn.ModuleDict()

    def set_weights(self, **weights: float) -> None:
        """Keep the weights of a family's loss terms in `weights`; a weight may be a schedule.

        Raises:
            ConfigError: a weight is below 0.
        """
        for name, weight in weights.items():
            if isinstance(weight, (int, float)) and weight < 0:
                raise ConfigError(f"model.{name}_weight: received {weight}; needs 0 or more.")
        self.weights = weights

    def declare_game(
        self,
        adversarial: AdversarialLoss,
        regularizers: Mapping[str, Regularizer | Augmentation | None] | None,
        *discriminators: str,
        **scheduled: Any,
    ) -> None:
        """Give each discriminator the adversarial loss and regularizers; follow all schedules.

        Call this once `set_weights` has been called, with the names of the discriminators. Each has
        a copy of the loss and of the regularizers, since these may have state.
        """
        for name in discriminators:
            parts = deepcopy((adversarial, regularizers))
            self.adversaries[name] = Adversary(*parts, self.get_submodule(name))
        for adversary in self.adversaries.values():
            self.schedule(adversarial=adversary.loss, regularizers=adversary.regularizers)
        self.schedule(**scheduled, weights=self.weights)

    def discriminator_terms(
        self,
        name: str,
        real: Tensor,
        fake: Tensor,
        given: tuple[Tensor, ...] = (),
        watch: bool = True,
    ) -> dict[str, Tensor]:
        """Return the loss terms of discriminator `name`; see `Adversary.discriminator_terms`.

        With `watch`, callbacks see its scores. Scores of two discriminators are not comparable.
        """
        terms, scores = self.adversaries[name].discriminator_terms(
            self.get_submodule(name), real, fake, self.phase_steps, given
        )
        if watch:
            self.watch(**scores)
        return terms

    def loss_against(
        self, name: str, fake: Tensor, real: Tensor, given: tuple[Tensor, ...] = ()
    ) -> Tensor:
        """Return the generator's loss against discriminator `name`; see `Adversary`."""
        return self.adversaries[name].generator_loss(self.get_submodule(name), fake, real, given)

    def after_step(self, role: str) -> None:
        """Let regularizers constrain the discriminators' weights after an optimizer step."""
        for name, adversary in self.adversaries.items():
            if self.trains(role, name):
                adversary.regularizers.constrain(self.get_submodule(name))

    @torch.no_grad()
    def translate(
        self,
        x: Tensor,
        direction: str | None = None,
        *,
        ema: bool = True,
        seed: int | None = None,
        batch_size: int = 1,
    ) -> Tensor:
        """Return pictures of one domain, translated into another domain.

        Args:
            x: pictures (N, C, H, W) in [−1, 1], on any device.
            direction: a name in `directions` (default: the first).
            ema: whether to use the generator's EMA weights if it has them.
            seed: seed of dropout and latents; None to sample without a seed. Random translations
                are made one by one, picture i with seed + i, so that the batch does not matter.
            batch_size: pictures per forward pass; 1 is used if translations are random or
                `norm_at_test` is "batch".

        Returns:
            Pictures (N, C, H, W) in [−1, 1], on the module's device.

        Raises:
            ConfigError: an unknown direction, or pictures of a shape that the network refuses.
        """
        chosen = self.direction(direction)
        one_by_one = self.is_random or self.norm_at_test == "batch"
        with self.translating(chosen.generator, ema) as generator:
            parts = []
            for index, part in enumerate(x.split(1 if one_by_one else batch_size)):
                with self._seeded(None if seed is None else seed + index):
                    parts.append(self.generate(generator, part.to(self.device)))
        return torch.cat(parts)

    @property
    def is_random(self) -> bool:
        """Whether translations are random, by dropout or by a latent."""
        generators = (self.get_submodule(d.generator) for d in self.directions.values())
        return self.dropout_at_test or any(hasattr(network, "latent") for network in generators)

    def generate(self, generator: nn.Module, x: Tensor) -> Tensor:
        """Return a generator's pictures for x (N, C, H, W); sample latents if it takes latents.

        Latents are sampled on the CPU, so that they are the same on every device.
        """
        if not hasattr(generator, "latent"):
            return generator(x)
        return generator(x, torch.randn(len(x), generator.latent).to(x))

    def direction(self, name: str | None = None) -> Direction:
        """Return the direction with this name (default: the first).

        Raises:
            ConfigError: there is no such direction; the message suggests the nearest name.
        """
        if name is None:
            return next(iter(self.directions.values()))
        return self.directions[one_of("direction", name, self.directions)]

    @contextmanager
    def translating(self, name: str, ema: bool = True) -> Iterator[nn.Module]:
        """Yield generator `name` in evaluation mode, with `dropout_at_test` and `norm_at_test`."""
        with self.evaluating(name, ema) as generator:
            if self.dropout_at_test:  # undone by `generator.eval()` below
                for layer in generator.modules():
                    if isinstance(layer, DROPOUTS):
                        layer.train()
            try:
                with batch_norm_statistics(generator, self.norm_at_test, lambda: None):
                    yield generator
            finally:
                generator.eval()

    @contextmanager
    def _seeded(self, seed: int | None) -> Iterator[None]:
        """Seed torch's default generators within the block, and restore them after it."""
        if seed is None:
            yield
            return
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            seed_device(self.device, seed)
            yield

    def pictures(self, batch: Batch, *, ema: bool = True, seed: int = 0) -> dict[str, Tensor]:
        """Return a dict that maps titles to rows of pictures (N, C, H, W) in [−1, 1]."""
        rows = {}
        for name, direction in self.directions.items():
            rows[direction.source] = x = batch[direction.source]
            title = f"{direction.source} → {direction.target}"
            rows[title] = self.translate(x, name, ema=ema, seed=seed).cpu()
        return rows

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, the generators' input and output shapes, and augmentations."""
        super().check_data(shapes, provides)
        pictures = tuple(torch.zeros(2, *shapes[key], device=self.device) for key in self.needs)
        for adversary in self.adversaries.values():
            adversary.regularizers.augment(pictures)
        for direction in self.directions.values():
            x = torch.zeros(2, *shapes[direction.source], device=self.device)
            network = self.get_submodule(direction.generator)
            made = self.check_takes(
                direction.generator, lambda x, network=network: self.generate(network, x), x
            )
            if made[1:] != tuple(shapes[direction.target]):
                raise ConfigError(
                    f"model.{direction.generator}: makes pictures of shape {made[1:]}, but "
                    f"{direction.target!r} of the data has {tuple(shapes[direction.target])}. Let "
                    "the model's channels and size follow the data's (out_channels: "
                    "${data.channels}, size: ${data.size})."
                )
