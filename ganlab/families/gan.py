"""The game of Goodfellow et al. 2014 (arXiv:1406.2661), unconditional or class-conditional."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from ganlab.augment import Augmentation
from ganlab.core import Batch, LatentModel
from ganlab.errors import ConfigError, one_of
from ganlab.losses import AdversarialLoss, Unrolling
from ganlab.networks import in_one_pass
from ganlab.regularizers import Regularizer, Regularizers, Score, Step


class GAN(LatentModel):
    """A generator against a discriminator (or critic): algorithm 1 of the paper.

    In each batch the discriminator takes a step, then the generator, see
    `AdversarialModule.training_step`. The paper's k steps of the discriminator (n_critic in WGAN)
    are `every` of the generator's player. In a batch of both, the generator's step uses the samples
    of the discriminator's step again; the paper samples new latents.

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
        ConfigError: the networks do not take the same number of classes, or unknown `latents`.
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
        scored = getattr(discriminator, "classes", None)
        if self.classes != scored:
            raise ConfigError(
                f"model: the generator takes {self.classes or 'no'} classes and the discriminator "
                f"{scored or 'no'}; both must take the same number."
            )
        self.needs = ("example", "label") if self.classes else ("example",)
        self.adversarial, self.regularizers = adversarial, Regularizers(regularizers)
        self.latents = one_of("model.latents", latents, ("normal", "uniform"))
        self.unrolling = unrolling
        self.regularizers.prepare(discriminator)
        self.schedule(adversarial=adversarial, regularizers=self.regularizers)

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses for distinguishing real examples from generated samples."""
        step = self._seen(batch)
        self.watch(real_scores=step.real_scores, fake_scores=step.fake_scores)
        loss = self.adversarial.discriminator(step.real_scores, step.fake_scores)
        return {"adversarial": loss, **self.regularizers.terms(step)}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss for making the discriminator mistake samples for real examples."""
        real, (_, fake), score = batch["example"], self.made(batch), self._score_of(batch)
        if self.unrolling:

            def loss(ahead: Score) -> Tensor:
                score = self._score_of(batch, ahead)
                return self.adversarial.discriminator(score(real), score(fake))

            score = self._score_of(batch, self.unrolling.look_ahead(self.discriminator, loss))
        fake_scores, real_scores = score(fake), None
        if self.adversarial.paired:
            with torch.set_grad_enabled(self.unrolling is not None):  # unrolled, D depends on G
                real_scores = score(real)
        return {"adversarial": self.adversarial.generator(fake_scores, real_scores)}

    def after_step(self, role: str) -> None:
        """Let regularizers constrain the discriminator's weights after its optimizer step."""
        if self.trains(role, "discriminator"):
            self.regularizers.constrain(self.discriminator)

    def score(self, samples: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the discriminator's scores (N,) of samples (N, *shape)."""
        return self.discriminator(samples, *() if label is None else (label,))

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that both networks fit the data's shape."""
        super().check_data(shapes, provides)
        label = [torch.zeros(2, dtype=torch.long)] if self.classes else []
        real = self.regularizers.augment(torch.zeros(2, *shapes["example"], device=self.device))
        self.check_takes("discriminator", self.score, real, *label)

    def made(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return latents and their samples, one for each example, made once for both players."""

        def make() -> tuple[Tensor, Tensor]:
            latents = self.draw_latents(len(batch["example"]))
            return latents, self._generate(batch, latents)

        return self.shared("made", of="generator", make=make)

    def _generate(self, batch: Batch, latents: Tensor) -> Tensor:
        label = self._label(batch)
        return self.generator(latents, *() if label is None else (label,))

    def _seen(self, batch: Batch) -> Step:
        """Return what the discriminator sees in its step."""
        (latents, fake), score = self.made(batch), self._score_of(batch)
        real, fake = self.regularizers.inputs(batch["example"], fake, self.phase_steps)
        changed = map(self.regularizers.augment, (real, fake))
        label = self._label(batch)
        real_scores, fake_scores = in_one_pass(
            self.discriminator, *changed, call=partial(self._scores_of_batches, label)
        )
        return Step(
            self.discriminator,
            score,
            real,
            fake,
            real_scores=real_scores,
            fake_scores=fake_scores,
            number=self.phase_steps,
            labels=label,
            latents=latents,
            generate=partial(self._generate, batch),
        )

    def _score_of(self, batch: Batch, score: Score | None = None) -> Score:
        """Return the function that scores augmented samples with a batch's labels."""
        label, score, augment = self._label(batch), score or self.score, self.regularizers.augment
        return lambda samples: score(augment(samples), label)

    def _scores_of_batches(self, label: Tensor | None, samples: Tensor) -> Tensor:
        """Return the scores of one or several batches of samples that have the same labels."""
        times = 0 if label is None else len(samples) // len(label)
        return self.score(samples, None if label is None else label.repeat(times))

    def _label(self, batch: Batch) -> Tensor | None:
        return batch["label"] if "label" in self.needs else None
