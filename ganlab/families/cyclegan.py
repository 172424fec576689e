"""The game of CycleGAN: Zhu et al. 2017 (arXiv:1703.10593), two domains without pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from ganlab.augment import Augmentation
from ganlab.core import Batch, Direction, Translator
from ganlab.core.pool import ImagePool
from ganlab.core.processes import gather_on_rank_0
from ganlab.core.randomness import mix
from ganlab.errors import one_of
from ganlab.losses import AdversarialLoss
from ganlab.networks import in_one_pass
from ganlab.regularizers import Regularizer


class CycleGAN(Translator):
    """Two generators, a to b and b to a, each with its own discriminator (equations 1 to 3).

    With a cycle weight of 0, the two translations are independent. With an L2 cycle and no
    identity term, this is the game of DiscoGAN (Kim et al. 2017, arXiv:1703.05192). With critics
    for discriminators, it is the game of DualGAN (Yi et al. 2017, arXiv:1704.02510).

    Args:
        generator_ab: maps pictures (N, C, H, W) of a to pictures of b, both in [−1, 1].
        generator_ba: maps pictures of b to pictures of a.
        discriminator_a, discriminator_b: map pictures of the domain to scores of any shape.
        adversarial: the adversarial loss.
        regularizers: the discriminators' regularizers, by name.
        adversarial_weight: weight of the generators' adversarial terms.
        cycle: "l1" (equation 2) or "l2".
        cycle_weight: λ of equation 3; 0 for no cycle.
        identity_weight: weight of ‖G(b) − b‖₁, as a multiple of the cycle weight, or of 1 without
            a cycle (section 5.2, "photo generation from paintings"); 0 for none.
        pool_size: number of earlier generated pictures to keep per domain (section 4). Each rank
            has its own pools. If r ranks saved pools, rank i of the resumed run gets the pools of
            rank i mod r.
        **common: dropout_at_test and norm_at_test, see `Translator`.

    Raises:
        ConfigError: a weight or pool size below 0, or an unknown cycle.
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
        adversarial: AdversarialLoss,
        regularizers: Mapping[str, Regularizer | Augmentation | None] | None = None,
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
        self._newest: tuple[int, dict[str, Tensor]] = (-1, {})  # a batch's number and fakes
        self.declare_game(adversarial, regularizers, "discriminator_a", "discriminator_b")

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the adversarial, cycle and identity losses of both generators.

        If a generator's norm is per sample, a and b go through the generator in one pass.
        """
        a, b = batch["a"], batch["b"]
        terms: dict[str, Tensor] = {}
        if self.weights["identity"]:
            fake_b, same_b = in_one_pass(self.generator_ab, a, b)
            fake_a, same_a = in_one_pass(self.generator_ba, b, a)
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
            loss = self.loss_against(f"discriminator_{domain}", fake, batch[domain])
            terms[f"adversarial_{domain}"] = self.weights["adversarial"] * loss
        return terms

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses for distinguishing each domain's pictures from new or pooled fakes."""
        terms: dict[str, Tensor] = {}
        fakes = self._fakes(batch)
        for index, domain in enumerate(("a", "b")):
            rng = torch.Generator()
            rng.manual_seed(mix(self.seed, self.global_rank, self.batches_seen, index, 0x706F6F6C))
            losses = self.discriminator_terms(
                f"discriminator_{domain}",
                batch[domain],
                self.pools[domain].exchange(fakes[domain], rng),
                watch=domain == "b",
            )
            terms |= {f"{name}_{domain}": term for name, term in losses.items()}
        return terms

    def pictures(self, batch: Batch, *, ema: bool = True, seed: int = 0) -> dict[str, Tensor]:
        """Return, for each domain, rows of pictures, translations, cycles and identities."""
        rows: dict[str, Tensor] = {}
        for forward, back in (("a_to_b", "b_to_a"), ("b_to_a", "a_to_b")):
            source, target = self.directions[forward].source, self.directions[forward].target
            translated = self.translate(batch[source], forward, ema=ema, seed=seed)
            cycled = self.translate(translated, back, ema=ema, seed=seed)
            same = self.translate(batch[source], back, ema=ema, seed=seed)
            rows[source], rows[f"{source} → {target}"] = batch[source], translated.cpu()
            rows[f"{source} → {target} → {source}"] = cycled.cpu()
            rows[f"{source} → {source}"] = same.cpu()
        return rows

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that all four networks take the data's shapes."""
        super().check_data(shapes, provides)
        for domain in self.needs:
            name, x = f"discriminator_{domain}", torch.zeros(2, *shapes[domain], device=self.device)
            self.check_takes(name, self.get_submodule(name), x)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the pools of all ranks."""
        super().on_save_checkpoint(checkpoint)
        pools = {domain: pool.state_dict() for domain, pool in self.pools.items()}
        checkpoint["ganlab"]["pools"] = gather_on_rank_0(self, pools)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore this rank's pools."""
        super().on_load_checkpoint(checkpoint)
        pools = checkpoint["ganlab"]["pools"]
        if isinstance(pools, list):  # checkpoints of older versions have the pools of one rank
            pools = pools[self.global_rank % len(pools)]
        for domain, pool in self.pools.items():
            pool.load_state_dict(pools[domain])

    def _fakes(self, batch: Batch) -> dict[str, Tensor]:
        """Return this batch's fakes; generate them unless the generator's loss has done so."""
        if self._newest[0] != self.batches_seen:
            with torch.no_grad():
                made = {"a": self.generator_ba(batch["b"]), "b": self.generator_ab(batch["a"])}
            self._newest = (self.batches_seen, made)
        return self._newest[1]
