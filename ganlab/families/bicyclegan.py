"""The game of BicycleGAN: Zhu et al. 2017 (arXiv:1711.11586), several targets for one source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import l1_loss

from ganlab.augment import Augmentation
from ganlab.core import Batch, Direction, Translator
from ganlab.errors import ConfigError
from ganlab.losses import AdversarialLoss, kl_to_standard_normal
from ganlab.networks import draw_latents
from ganlab.regularizers import Regularizer

KINDS = ("encoded", "random")  # of latents, and so of generated pictures
STYLES = 4  # number of latents that `pictures` shows


class _Made(NamedTuple):
    encoded: Tensor  # pictures from latents that are sampled from the target's code
    random: Tensor  # pictures from latents that are sampled from the prior
    latents: Tensor  # the latents of `random`
    mean: Tensor  # mean of the target's code
    log_variance: Tensor  # log-variance of the target's code


class BicycleGAN(Translator):
    """A generator of targets from a source and a latent, trained by two games (section 3).

    In cVAE-GAN, the target is encoded, and the generator must reconstruct the target from the
    source and the code. In cLR-GAN, a latent is sampled, and the encoder must recover the latent
    from the generated picture. Each of these games has a discriminator, and both use all pictures
    of a batch. The latent's loss trains only the generator. If it trained the encoder too, the two
    networks could hide z in the picture (section 4). Pictures of encoded and of sampled latents go
    through the generator in one batch.

    Args:
        generator: maps sources (N, C, H, W) in [−1, 1] and z (N, latent) to targets; its attribute
            `latent` is the length of z.
        encoder: maps targets to mean and log-variance, (N, latent) each.
        discriminator_encoded, discriminator_random: map targets to scores of any shape, or to a
            list of scores of several scales. The first discriminator sees pictures of encoded
            latents, the second pictures of sampled latents; neither sees the source (section 4).
        adversarial: the adversarial loss.
        regularizers: the discriminators' regularizers, by name.
        adversarial_weight: weight of the generator's adversarial terms.
        reconstruction_weight: λ, weight of ‖target − G(source, E(target))‖₁.
        kl_weight: λ_KL, weight of the code's KL divergence from N(0, 1).
        latent_weight: λ_latent, weight of ‖z − E(G(source, z))‖₁.
        **common: dropout_at_test and norm_at_test, see `Translator`.

    Raises:
        ConfigError: generator and encoder have latents of different lengths, or a weight is below
            0.
    """

    roles = ("discriminator", "generator")
    needs = ("source", "target")
    averaged_modules = ("generator", "encoder")
    directions = {"source_to_target": Direction("source", "target", "generator")}

    def __init__(
        self,
        generator: nn.Module,
        encoder: nn.Module,
        discriminator_encoded: nn.Module,
        discriminator_random: nn.Module,
        adversarial: AdversarialLoss,
        regularizers: Mapping[str, Regularizer | Augmentation | None] | None = None,
        adversarial_weight: float = 1.0,
        reconstruction_weight: float = 10.0,
        kl_weight: float = 0.01,
        latent_weight: float = 0.5,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        if generator.latent != encoder.latent:
            raise ConfigError(
                f"model.encoder.latent: received {encoder.latent}; the generator takes "
                f"{generator.latent} numbers. Give both networks the same `latent`."
            )
        self.set_weights(
            adversarial=adversarial_weight,
            reconstruction=reconstruction_weight,
            kl=kl_weight,
            latent=latent_weight,
        )
        self.generator, self.encoder = generator, encoder
        self.discriminator_encoded = discriminator_encoded
        self.discriminator_random = discriminator_random
        self.declare_game(adversarial, regularizers, *(f"discriminator_{kind}" for kind in KINDS))

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses for distinguishing targets from both kinds of generated pictures."""
        made, terms = self._made(batch), {}
        for kind in KINDS:
            losses = self.discriminator_terms(
                f"discriminator_{kind}",
                batch["target"],
                getattr(made, kind),
                watch=kind == "random",  # the trained generator is used with sampled latents
            )
            terms |= {f"{term}_{kind}": value for term, value in losses.items()}
        return terms

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the adversarial losses, and the losses of recovering target and latent."""
        made, target = self._made(batch), batch["target"]
        kl = kl_to_standard_normal(made.mean, made.log_variance)
        terms = {
            "reconstruction": self.weights["reconstruction"] * l1_loss(made.encoded, target),
            "kl": self.weights["kl"] * kl,
        }
        if self.weights["latent"]:
            distance = l1_loss(self._encode_with_constants(made.random), made.latents)
            terms["latent"] = self.weights["latent"] * distance
        for kind in KINDS:
            loss = self.loss_against(f"discriminator_{kind}", getattr(made, kind), target)
            terms[f"adversarial_{kind}"] = self.weights["adversarial"] * loss
        return terms

    @torch.no_grad()
    def pictures(self, batch: Batch, *, ema: bool = True, seed: int = 0) -> dict[str, Tensor]:
        """Return rows of sources, targets, reconstructions, and pictures of `STYLES` latents."""
        source, target = batch["source"], batch["target"]
        rng = torch.Generator().manual_seed(seed)
        styles = torch.randn(STYLES, self.generator.latent, generator=rng)
        rows = {"source": source, "target": target}
        with self.translating("generator", ema) as generator, self._seeded(seed):

            def generate_each(latents: Tensor) -> Tensor:
                """Generate pictures one by one, as `translate` does."""
                pairs = zip(source.to(self.device).split(1), latents.split(1), strict=True)
                return torch.cat([generator(x, z) for x, z in pairs]).cpu()

            with self.evaluating("encoder", ema) as encoder:
                code, _ = encoder(target.to(self.device))
            rows["encoded"] = generate_each(code)
            for index, style in enumerate(styles.to(self.device), 1):
                rows[f"latent {index}"] = generate_each(style.expand(len(source), -1))
        return rows

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that all networks take the data's shapes."""
        super().check_data(shapes, provides)
        target = torch.zeros(2, *shapes["target"], device=self.device)
        for name in ("encoder", "discriminator_encoded", "discriminator_random"):
            self.check_takes(name, self.get_submodule(name), target)

    def _made(self, batch: Batch) -> _Made:
        """Return pictures of encoded and of sampled latents, made once for both players."""

        def make() -> _Made:
            source = batch["source"]
            mean, log_variance = self.encoder(batch["target"])
            latents = torch.randn_like(mean)
            both = torch.cat([draw_latents(mean, log_variance), latents])
            encoded, random = self.generator(source.repeat(2, 1, 1, 1), both).chunk(2)
            return _Made(encoded, random, latents, mean, log_variance)

        return self.shared("made", of="generator", make=make)

    def _encode_with_constants(self, pictures: Tensor) -> Tensor:
        """Return the mean of the pictures' code; gradients reach the pictures, not the encoder."""
        constants = {name: p.detach() for name, p in self.encoder.named_parameters()}
        return functional_call(self.encoder, constants, (pictures,))[0]
