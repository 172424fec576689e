"""The game of Goodfellow et al. 2014 (arXiv:1406.2661), unconditional or class-conditional."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from ganlab.augment import Augmentation
from ganlab.core import AdversarialModule, Batch
from ganlab.errors import ConfigError
from ganlab.losses import AdversarialLoss, Unrolling
from ganlab.modalities import Modality, of_shape
from ganlab.regularizers import Regularizer, Regularizers, Score, Step


class GAN(AdversarialModule):
    """A generator against a discriminator (or critic), as in algorithm 1 of the paper.

    If the networks take labels, it is the conditional GAN of Mirza and Osindero 2014
    (arXiv:1411.1784): both players see the label of the real example.

    Args:
        generator: maps z (N, latent) [, label (N,)] to samples (N, *shape).
        discriminator: maps samples (N, *shape) [, label (N,)] to scores (N,).
        adversarial: the adversarial loss.
        regularizers: the discriminator's regularizers and augmentations, by name.
        latents: distribution of z: "normal" for N(0, 1), or "uniform" in [−1, 1].
        unrolling: steps of the discriminator that the generator's loss looks ahead; None for no
            steps. These steps minimise the adversarial loss without the regularizers' penalties.

    Raises:
        ConfigError: the networks do not take the same number of classes.
    """

    roles = ("discriminator", "generator")

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        adversarial: AdversarialLoss,
        regularizers: Mapping[str, Regularizer | Augmentation | None] | None = None,
        latents: Literal["normal", "uniform"] = "normal",
        unrolling: Unrolling | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.classes: int | None = getattr(generator, "classes", None)
        others = getattr(discriminator, "classes", None)
        if self.classes != others:
            raise ConfigError(
                f"model: the generator takes {self.classes or 'no'} classes and the discriminator "
                f"{others or 'no'}; both must take the same number."
            )
        self.needs = ("example", "label") if self.classes else ("example",)
        self.adversarial, self.regularizers = adversarial, Regularizers(regularizers)
        self.latents, self.unrolling = latents, unrolling
        self.regularizers.prepare(discriminator)
        self.schedule(adversarial=adversarial, regularizers=self.regularizers)

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses for distinguishing real examples from generated samples."""
        (latents, fake), score, number = self._made(batch), self._score(batch), self.phase_steps
        real, fake = self.regularizers.inputs(batch["example"], fake, number)
        step = Step(
            self.discriminator,
            score,
            real,
            fake,
            score(real),
            score(fake),
            number,
            self._label(batch),
            latents,
            lambda latents: self._generate(batch, latents),
        )
        self.watch(real_scores=step.real_scores, fake_scores=step.fake_scores)
        loss = self.adversarial.discriminator(step.real_scores, step.fake_scores)
        return {"adversarial": loss, **self.regularizers.terms(step)}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss for making the discriminator mistake samples for real examples."""
        real, (_, fake), score = batch["example"], self._made(batch), self._score(batch)
        if self.unrolling:

            def loss(ahead: Score) -> Tensor:
                score = self._score(batch, ahead)
                return self.adversarial.discriminator(score(real), score(fake))

            score = self._score(batch, self.unrolling.look_ahead(self.discriminator, loss))
        fake_scores, real_scores = score(fake), None
        if self.adversarial.paired:
            with torch.set_grad_enabled(self.unrolling is not None):
                real_scores = score(real)
        return {"adversarial": self.adversarial.generator(fake_scores, real_scores)}

    def after_step(self, role: str) -> None:
        """Let regularizers constrain the discriminator's weights after its optimizer step."""
        if role == "discriminator":
            self.regularizers.constrain(self.discriminator)

    def score(self, samples: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the discriminator's scores (N,) of samples (N, *shape)."""
        return self.discriminator(samples, label) if self.classes else self.discriminator(samples)

    def draw_latents(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Return sampled latents (n, latent); `generator` defaults to torch's random generator."""
        shape = (n, self.generator.latent)
        device = self.device if generator is None else generator.device
        if self.latents == "uniform":
            return torch.rand(shape, generator=generator, device=device) * 2 - 1
        return torch.randn(shape, generator=generator, device=device)

    @torch.no_grad()
    def sample(
        self,
        n: int | None = None,
        *,
        labels: Tensor | None = None,
        latents: Tensor | None = None,
        seed: int | None = None,
        ema: bool = True,
        truncation: float | None = None,
        batch_size: int = 256,
    ) -> Tensor:
        """Return samples (n, *shape) on the module's device, images in [−1, 1].

        Args:
            n: number of samples (default: the length of `labels`); ignored if `latents` are given.
            labels: classes (n,) for a conditional model. By default they are sampled uniformly, or
                are 0, 1, 2, … in turn if `latents` are given.
            latents: latents (n, latent) to use instead of sampled ones.
            seed: seed of the latents and labels, which are the same on every device.
            ema: whether to use the generator's EMA weights if it has them.
            truncation: entries of latents outside [−truncation, truncation] are sampled again
                until all are inside (Brock et al. 2019, arXiv:1809.11096, section 3.1).
            batch_size: samples generated per forward pass.

        Raises:
            ConfigError: labels for an unconditional model, labels outside 0 … classes − 1, or
                `truncation` below 0.05.
        """
        if latents is None:
            n = n if n is not None else len(labels) if labels is not None else 0
            latents, labels = self.draw_inputs(n, labels, seed, truncation)
        elif self.classes and labels is None:
            labels = torch.arange(len(latents)) % self.classes
        self._check_labels(labels)
        with self.evaluating("generator", ema) as generator:
            parts = []
            for start in range(0, max(len(latents), 1), batch_size):
                inputs = [latents[start : start + batch_size]]
                inputs += [labels[start : start + batch_size]] if self.classes else []
                parts.append(generator(*(x.to(self.device) for x in inputs)))
        return torch.cat(parts)

    @property
    def modality(self) -> Modality:
        """The modality of the samples, which the generator's output shape determines."""
        return of_shape(self.generator.shape)

    def draw_inputs(
        self,
        n: int,
        labels: Tensor | None = None,
        seed: int | None = None,
        truncation: float | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return latents (n, latent) and, if conditional, labels (n,), on the CPU; see `sample`."""
        if seed is None:  # from torch's default generator, so that torch.manual_seed determines it
            seed = int(torch.randint(2**62, ()))
        rng = torch.Generator().manual_seed(seed)
        latents = self.draw_latents(n, rng)
        if truncation is not None:
            self._check_truncation(truncation)
            while (outside := latents.abs() > truncation).any():
                latents[outside] = self.draw_latents(n, rng)[outside]
        if self.classes and labels is None:
            labels = torch.randint(self.classes, (n,), generator=rng)
        return latents, labels

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that the generator makes samples of the data's shape."""
        super().check_data(shapes, provides)
        device, shape = self.device, shapes["example"]
        z = torch.zeros(2, self.generator.latent, device=device)
        label = [torch.zeros(2, dtype=torch.long, device=device)] if self.classes else []
        with torch.no_grad():
            try:
                made = tuple(self.generator(z, *label).shape[1:])
            except (RuntimeError, ValueError) as error:
                raise ConfigError(f"model.generator: cannot run: {error}") from error
            if made != tuple(shape):
                raise ConfigError(
                    f"model.generator: makes samples of shape {made}, but the data has "
                    f"{tuple(shape)}. Let the model's size and channels follow the data's "
                    "(size: ${data.size}, channels: ${data.channels})."
                )
            try:
                self.score(torch.zeros(2, *shape, device=device), *label)
            except (RuntimeError, ValueError) as error:
                raise ConfigError(
                    f"model.discriminator: cannot take samples of shape {tuple(shape)}: {error}"
                ) from error

    def _made(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return latents and their samples, one for each example, made once for both players."""

        def make() -> tuple[Tensor, Tensor]:
            latents = self.draw_latents(len(batch["example"]))
            return latents, self._generate(batch, latents)

        return self.shared("made", of="generator", make=make)

    def _generate(self, batch: Batch, latents: Tensor) -> Tensor:
        return self.generator(latents, *([batch["label"]] if self.classes else []))

    def _score(self, batch: Batch, score: Score | None = None) -> Score:
        """Return the function that scores augmented samples with a batch's labels."""
        label, score = self._label(batch), score or self.score
        return lambda samples: score(self.regularizers.augment(samples), label)

    def _label(self, batch: Batch) -> Tensor | None:
        return batch["label"] if self.classes else None

    def _check_labels(self, labels: Tensor | None) -> None:
        if labels is None:
            return
        if not self.classes:
            raise ConfigError("labels: this model is unconditional; leave labels out.")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self.classes:
            raise ConfigError(
                f"labels: received {int(labels.min())} … {int(labels.max())}; "
                f"allowed 0 … {self.classes - 1}."
            )

    def _check_truncation(self, truncation: float) -> None:
        if truncation < 0.05:
            raise ConfigError(
                f"truncation: received {truncation}; needs at least 0.05 (with less, hardly "
                "any latent is left), or null for no truncation."
            )
