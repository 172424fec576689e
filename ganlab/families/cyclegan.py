"""The game of CycleGAN: Zhu et al. 2017 (arXiv:1703.10593), two domains without pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from ganlab.core import Batch, Direction, Player, Translator
from ganlab.core.pool import ImagePool
from ganlab.core.processes import gathered
from ganlab.core.randomness import mix
from ganlab.errors import one_of
from ganlab.losses import AdversarialLoss
from ganlab.networks import jointly
from ganlab.regularizers import Regularizer


class CycleGAN(Translator):
    """Two generators, there and back, each against a discriminator of its own (equations 1 to 3).

    With a cycle weight of 0 it is two translators that know nothing of each other; with an L2 cycle
    and no identity it is DiscoGAN's game (Kim et al. 2017, arXiv:1703.05192), and with critics
    DualGAN's (Yi et al. 2017, arXiv:1704.02510).

    Args:
        generator_ab, generator_ba: pictures (N, C, H, W) in [−1, 1] of one domain to the other's.
        discriminator_a, discriminator_b: pictures of that domain to scores of any shape.
        players: the optimizers of "generator" and "discriminator", with the `modules` that they
            train: both generators, both discriminators.
        adversarial: what they minimise.
        regularizers: what holds the discriminators back, by name.
        adversarial_weight: of the generators' adversarial terms.
        cycle: "l1" (equation 2) or "l2".
        cycle_weight: λ of equation 3; 0 for no cycle.
        identity_weight: of ‖G(b) − b‖₁, relative to the cycle's λ or to 1 without a cycle
            (section 5.2, "photo generation from paintings"); 0 for none.
        pool_size: of the history of generated pictures (section 4). Of several processes each has
            its own; on another number of processes a run goes on with the first ones' pools.
        **common: dropout_at_test and norm_at_test, see `Translator`.

    Raises:
        ConfigError: a weight below 0, or an unknown cycle.
    """

    roles = ("generator", "discriminator")
    needs = ("a", "b")
    averaged_modules = ("generator_ab", "generator_ba")
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
        cycle: Literal["l1", "l2"] = "l1",
        cycle_weight: float = 10.0,
        identity_weight: float = 0.5,
        pool_size: int = 50,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        one_of("model.cycle", cycle, ("l1", "l2"))
        self.set_weights(
            adversarial=adversarial_weight, cycle=cycle_weight, identity=identity_weight
        )
        self.generator_ab, self.generator_ba = generator_ab, generator_ba
        self.discriminator_a, self.discriminator_b = discriminator_a, discriminator_b
        self.cycle_distance = {"l1": l1_loss, "l2": mse_loss}[cycle]
        self.pools = {"a": ImagePool(pool_size), "b": ImagePool(pool_size)}
        self._newest: tuple[int, dict[str, Tensor]] = (-1, {})  # fakes, and of which batch
        self.declare_game(players, adversarial, regularizers, discriminator_a, discriminator_b)

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Fool both discriminators, come back to where one started, and leave alone what is there.

        What one network is to see goes through it in one pass where its norm is per sample.
        """
        a, b = batch["a"], batch["b"]
        terms: dict[str, Tensor] = {}
        if self.weights["identity"]:
            fake_b, same_b = jointly(self.generator_ab, a, b)
            fake_a, same_a = jointly(self.generator_ba, b, a)
            weight = self.weights["identity"] * (self.weights["cycle"] or 1.0)
            terms["identity_a"] = weight * l1_loss(same_a, a)
            terms["identity_b"] = weight * l1_loss(same_b, b)
        else:
            fake_b, fake_a = self.generator_ab(a), self.generator_ba(b)
        self._newest = (self.batches_seen, {"a": fake_a.detach(), "b": fake_b.detach()})
        if self.weights["cycle"]:
            back_a, back_b = self.generator_ba(fake_b), self.generator_ab(fake_a)
            terms["cycle_a"] = self.weights["cycle"] * self.cycle_distance(back_a, a)
            terms["cycle_b"] = self.weights["cycle"] * self.cycle_distance(back_b, b)
        for domain, fake in (("a", fake_a), ("b", fake_b)):
            discriminator = self.get_submodule(f"discriminator_{domain}")
            loss = self.adversary.generator_loss(discriminator, fake, batch[domain])
            terms[f"adversarial_{domain}"] = self.weights["adversarial"] * loss
        return terms

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Tell each domain's pictures from what was translated into it, now or earlier."""
        terms: dict[str, Tensor] = {}
        fakes = self._fakes(batch)
        for place, domain in enumerate(("a", "b")):
            rng = torch.Generator()
            rng.manual_seed(mix(self.seed, self.global_rank, self.batches_seen, place, 0x706F6F6C))
            found, watched = self.adversary.discriminator_terms(
                self.get_submodule(f"discriminator_{domain}"),
                batch[domain],
                self.pools[domain].exchange(fakes[domain], rng),
                self.steps["discriminator"],
            )
            if domain == "b":  # each discriminator has a scale of its own: one is enough to see
                self.watch(**watched)
            terms |= {f"{name}_{domain}": term for name, term in found.items()}
        return terms

    def pictures(self, batch: Batch, *, ema: bool = True, seed: int = 0) -> dict[str, Tensor]:
        """Of each domain: pictures, translated, translated back, and what leaves them alone."""
        rows: dict[str, Tensor] = {}
        for there, back in (("a_to_b", "b_to_a"), ("b_to_a", "a_to_b")):
            one, other = self.directions[there].source, self.directions[there].target
            made = self.translate(batch[one], there, ema=ema, seed=seed)
            returned = self.translate(made, back, ema=ema, seed=seed)
            same = self.translate(batch[one], back, ema=ema, seed=seed)
            rows[one], rows[f"{one} → {other}"] = batch[one], made.cpu()
            rows[f"{one} → {other} → {one}"] = returned.cpu()
            rows[f"{one} → {one}"] = same.cpu()
        return rows

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that all four networks take the data's shapes."""
        super().check_data(shapes, provides)
        for domain in self.needs:
            name, x = f"discriminator_{domain}", torch.zeros(2, *shapes[domain], device=self.device)
            self.check_takes(name, self.get_submodule(name), x)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the pools of all processes."""
        super().on_save_checkpoint(checkpoint)
        pools = {domain: pool.state_dict() for domain, pool in self.pools.items()}
        checkpoint["ganlab"]["pools"] = gathered(self, pools)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the process's own pools."""
        super().on_load_checkpoint(checkpoint)
        pools = checkpoint["ganlab"]["pools"]
        if isinstance(pools, list):  # a checkpoint of an older version has one process's
            pools = pools[self.global_rank % len(pools)]
        for domain, pool in self.pools.items():
            pool.load_state_dict(pools[domain])

    def _fakes(self, batch: Batch) -> dict[str, Tensor]:
        """What the generators have just been trained with; else made now, without gradients."""
        if self._newest[0] != self.batches_seen:
            with torch.no_grad():
                made = {"a": self.generator_ba(batch["b"]), "b": self.generator_ab(batch["a"])}
            self._newest = (self.batches_seen, made)
        return self._newest[1]
