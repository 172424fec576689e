"""The game of MUNIT: Huang et al. 2018 (arXiv:1804.04732), content kept and style sampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganlab.augment import Augmentation
from ganlab.core import Batch, Direction, Translator
from ganlab.losses import AdversarialLoss
from ganlab.regularizers import Regularizer

OTHER = {"a": "b", "b": "a"}
STYLES = 3  # number of sampled styles that `pictures` shows


class _Made(NamedTuple):
    """Codes and decoded pictures; each dict maps a domain's name to a tensor."""

    content: dict[str, Tensor]  # contents of the domain's pictures
    styles: dict[str, Tensor]  # styles of the domain, sampled from the prior
    reconstructed: dict[str, Tensor]  # pictures, reconstructed from their own content and style
    fakes: dict[str, Tensor]  # decoded from the other domain's contents and the sampled styles


class MUNIT(Translator):
    """Translation between two domains that share contents, each with its own styles (section 3).

    A picture is reconstructed from its content and its style. A translation is decoded from the
    picture's content and a style of the other domain, sampled from N(0, 1). Training penalises the
    L1 errors of reconstructed pictures (equation 1), and of the contents and styles that are
    encoded from translations (equations 2 and 3).

    Args:
        generator_ab, generator_ba: networks with methods: `content(x)` encodes pictures of the
            source domain, `style(x)` encodes pictures of the target domain as (N, latent), and
            `decode(content, style)` returns pictures of the target domain; see `StyledResNet`.
        discriminator_a, discriminator_b: map pictures of the domain to scores of any shape, or to
            a list of scores of several scales.
        adversarial: the adversarial loss (equation 4).
        regularizers: the discriminators' regularizers, by name.
        adversarial_weight: weight of the generators' adversarial terms.
        reconstruction_weight: λ_x, weight of the pictures' error.
        content_weight: λ_c, weight of the contents' error.
        style_weight: λ_s, weight of the styles' error.

    Raises:
        ConfigError: a weight is below 0.
    """

    roles = ("discriminator", "generator")
    needs = ("a", "b")
    averaged_modules = ("generator_ab", "generator_ba")
    can_compile = False
    directions = {
        "a_to_b": Direction("a", "b", "generator_ab"),
        "b_to_a": Direction("b", "a", "generator_ba"),
    }

    def __init__(
        self,
        generator_ab: nn.Module,
        generator_ba: nn.Module,
        discriminator_a: nn.Module,
        discriminator_b: nn.Module,
        adversarial: AdversarialLoss,
        regularizers: Mapping[str, Regularizer | Augmentation | None] | None = None,
        adversarial_weight: float = 1.0,
        reconstruction_weight: float = 10.0,
        content_weight: float = 1.0,
        style_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.set_weights(
            adversarial=adversarial_weight,
            reconstruction=reconstruction_weight,
            content=content_weight,
            style=style_weight,
        )
        self.generator_ab, self.generator_ba = generator_ab, generator_ba
        self.discriminator_a, self.discriminator_b = discriminator_a, discriminator_b
        self.declare_game(adversarial, regularizers, "discriminator_a", "discriminator_b")

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses for distinguishing the pictures of each domain from translations."""
        made, terms = self._made(batch), {}
        for domain in self.needs:
            losses = self.discriminator_terms(
                f"discriminator_{domain}", batch[domain], made.fakes[domain], watch=domain == "b"
            )
            terms |= {f"{name}_{domain}": term for name, term in losses.items()}
        return terms

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the adversarial losses, and the errors of pictures, contents and styles."""
        made, terms = self._made(batch), {}
        for domain, other in OTHER.items():
            fake = made.fakes[domain]
            content = self._from(domain).content(fake)  # should equal the source's content
            style = self._into(domain).style(fake)
            terms[f"reconstruction_{domain}"] = l1_loss(made.reconstructed[domain], batch[domain])
            terms[f"content_{other}"] = l1_loss(content, made.content[other])
            terms[f"style_{domain}"] = l1_loss(style, made.styles[domain])
            loss = self.loss_against(f"discriminator_{domain}", fake, batch[domain])
            terms[f"adversarial_{domain}"] = loss
        return {name: self.weights[name[:-2]] * term for name, term in terms.items()}

    @torch.no_grad()
    def pictures(self, batch: Batch, *, ema: bool = True, seed: int = 0) -> dict[str, Tensor]:
        """Return rows of pictures, and of their translations in sampled and in encoded styles.

        The encoded styles are those of the batch's pictures of the target domain.
        """
        rows: dict[str, Tensor] = {}
        rng = torch.Generator().manual_seed(seed)
        for direction in self.directions.values():
            source, target = direction.source, direction.target
            x, guides = batch[source].to(self.device), batch[target].to(self.device)
            rows[source] = batch[source]
            with self.translating(direction.generator, ema) as generator:

                def generate_each(styles: Tensor, x: Tensor = x) -> Tensor:
                    pairs = zip(x.split(1), styles.split(1), strict=False)
                    return torch.cat([generator(*pair).cpu() for pair in pairs])

                title = f"{source} → {target}"
                for index in range(1, STYLES + 1):
                    style = torch.randn(1, generator.latent, generator=rng).to(self.device)
                    rows[f"{title}, style {index}"] = generate_each(style.expand(len(x), -1))
                styles = torch.cat([generator.style(guide) for guide in guides.split(1)])
                rows[f"{title}, style of {target}"] = generate_each(styles)
        return rows

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that all networks take the data's shapes."""
        super().check_data(shapes, provides)
        for domain in self.needs:
            name, x = f"discriminator_{domain}", torch.zeros(2, *shapes[domain], device=self.device)
            self.check_takes(name, self.get_submodule(name), x)
            self.check_takes(f"generator_{OTHER[domain]}{domain}", self._into(domain).style, x)

    def _from(self, domain: str) -> nn.Module:
        """Return the generator that encodes this domain's contents."""
        return self.generator_ab if domain == "a" else self.generator_ba

    def _into(self, domain: str) -> nn.Module:
        """Return the generator that encodes this domain's styles and decodes its pictures."""
        return self.generator_ba if domain == "a" else self.generator_ab

    def _made(self, batch: Batch) -> _Made:
        """Return the codes and decoded pictures of a batch, made once for both players."""

        def make() -> _Made:
            content = {domain: self._from(domain).content(batch[domain]) for domain in OTHER}
            styles, reconstructed, fakes = {}, {}, {}
            for domain, other in OTHER.items():
                generator = self._into(domain)
                style = generator.style(batch[domain])
                shape = (len(content[other]), generator.latent)
                styles[domain] = torch.randn(shape, device=style.device)
                both = torch.cat([content[domain], content[other]])
                decoded = generator.decode(both, torch.cat([style, styles[domain]]))
                reconstructed[domain], fakes[domain] = decoded.split(
                    [len(style), len(styles[domain])]
                )
            return _Made(content, styles, reconstructed, fakes)

        return self.shared("made", of="generator", make=make)
