"""The game of MUNIT: Huang et al. 2018 (arXiv:1804.04732), content kept and style drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganlab.core import Batch, Direction, Player, Translator
from ganlab.losses import AdversarialLoss
from ganlab.regularizers import Regularizer

OTHER = {"a": "b", "b": "a"}
STYLES = 3  # that `pictures` shows


class _Made(NamedTuple):
    """Of each domain, by its name."""

    content: dict[str, Tensor]  # of its pictures
    drawn: dict[str, Tensor]  # styles from the prior
    same: dict[str, Tensor]  # its pictures, of their own content and style
    fakes: dict[str, Tensor]  # of the other domain's contents and the drawn styles


class MUNIT(Translator):
    """Two domains that share contents and have styles of their own (section 3).

    A picture is decoded from its content and its style; a translation, from its content and a style
    of the other domain that is drawn from N(0, 1). What was decoded must be found again: pictures
    (equation 1), and the contents and styles of translations (equations 2 and 3).

    Args:
        generator_ab, generator_ba: `content(x)` of the domain that goes in, and of the one that
            comes out `style(x)` (N, latent) and `decode(content, style)`; see `StyledResNet`.
        discriminator_a, discriminator_b: pictures of that domain to scores of any shape, or a list
            of several scales.
        players: the optimizers of "generator", with both generators, and "discriminator".
        adversarial: what they minimise (equation 4).
        regularizers: what holds the discriminators back, by name.
        adversarial_weight: of the generators' adversarial terms.
        reconstruction_weight: λ_x, of pictures.
        content_weight: λ_c, of contents.
        style_weight: λ_s, of styles.

    Raises:
        ConfigError: weights below 0.
    """

    roles = ("discriminator", "generator")
    needs = ("a", "b")
    averaged_modules = ("generator_ab", "generator_ba")
    calls_whole = False
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
        players: Mapping[str, Player],
        adversarial: AdversarialLoss,
        regularizers: Mapping[str, Regularizer | None] | None = None,
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
        self.declare_game(players, adversarial, regularizers, discriminator_a, discriminator_b)

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Tell each domain's pictures from those of the other's content and a drawn style."""
        made, step = self._made(batch), self.steps["discriminator"]
        terms: dict[str, Tensor] = {}
        for domain in self.needs:
            discriminator = self.get_submodule(f"discriminator_{domain}")
            found, watched = self.adversary.discriminator_terms(
                discriminator, batch[domain], made.fakes[domain], step
            )
            if domain == "b":  # each discriminator has a scale of its own: one is enough to see
                self.watch(**watched)
            terms |= {f"{name}_{domain}": term for name, term in found.items()}
        return terms

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Fool both discriminators, and lose neither pictures nor contents nor styles."""
        made, terms = self._made(batch), {}
        for domain, other in OTHER.items():
            fake = made.fakes[domain]
            found = self._from(domain).content(fake)  # the content of the other's picture
            read = self._into(domain).style(fake)
            terms[f"reconstruction_{domain}"] = l1_loss(made.same[domain], batch[domain])
            terms[f"content_{other}"] = l1_loss(found, made.content[other])
            terms[f"style_{domain}"] = l1_loss(read, made.drawn[domain])
            discriminator = self.get_submodule(f"discriminator_{domain}")
            loss = self.adversary.generator_loss(discriminator, fake, batch[domain])
            terms[f"adversarial_{domain}"] = loss
        return {name: self.weights[name[:-2]] * term for name, term in terms.items()}

    @torch.no_grad()
    def pictures(self, batch: Batch, *, ema: bool = True, seed: int = 0) -> dict[str, Tensor]:
        """Of each domain: pictures, in some drawn styles, and in those of the other's pictures."""
        rows: dict[str, Tensor] = {}
        rng = torch.Generator().manual_seed(seed)
        for way in self.directions.values():
            x, guides = batch[way.source].to(self.device), batch[way.target].to(self.device)
            rows[way.source] = batch[way.source]
            with self.translating(way.generator, ema) as generator:
                title = f"{way.source} → {way.target}"
                for index in range(1, STYLES + 1):
                    style = torch.randn(1, generator.latent, generator=rng).to(self.device)
                    rows[f"{title}, style {index}"] = generator(x, style.expand(len(x), -1)).cpu()
                n = min(len(x), len(guides))
                guided = generator(x[:n], generator.style(guides[:n]))
                rows[f"{title}, style of {way.target}"] = guided.cpu()
        return rows

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that all networks take the data's shapes."""
        super().check_data(shapes, provides)
        for domain in self.needs:
            name, x = f"discriminator_{domain}", torch.zeros(2, *shapes[domain], device=self.device)
            self.check_takes(name, self.get_submodule(name), x)
            self.check_takes(f"generator_{OTHER[domain]}{domain}", self._into(domain).style, x)

    def _from(self, domain: str) -> nn.Module:
        """The generator that knows this domain's contents."""
        return self.generator_ab if domain == "a" else self.generator_ba

    def _into(self, domain: str) -> nn.Module:
        """The generator that knows this domain's styles and draws its pictures."""
        return self.generator_ba if domain == "a" else self.generator_ab

    def _made(self, batch: Batch) -> _Made:
        """All that is decoded from this batch's pictures; made once for both players."""

        def make() -> _Made:
            content = {domain: self._from(domain).content(batch[domain]) for domain in OTHER}
            drawn, same, fakes = {}, {}, {}
            for domain, other in OTHER.items():
                generator = self._into(domain)
                style = generator.style(batch[domain])
                shape = (len(content[other]), generator.latent)
                drawn[domain] = torch.randn(shape, device=style.device)
                both = torch.cat([content[domain], content[other]])
                decoded = generator.decode(both, torch.cat([style, drawn[domain]]))
                same[domain], fakes[domain] = decoded.split([len(style), len(drawn[domain])])
            return _Made(content, drawn, same, fakes)

        return self.shared("made", of="generator", make=make)
