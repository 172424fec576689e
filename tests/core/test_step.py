"""What a step is made of: accumulation, clipping, mixed precision."""

import pytest
import torch
from helpers.tiny import fit, sgd, tiny_gan, tiny_ring
from lightning.pytorch.plugins import MixedPrecision
from torch import nn

from ganlab.core import Player
from ganlab.families import GAN, Classifier
from ganlab.regularizers import R1, GradientPenalty, WeightDecay


class Labels(nn.Module):
    """A linear classifier of points."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 8)

    def forward(self, x):
        return self.linear(x)


def classifier(**options):
    torch.manual_seed(0)
    return Classifier(Labels(), {"network": Player(sgd(0.5), **options)})


def test_two_accumulated_batches_equal_one_of_twice_the_size():
    halves, whole = classifier(accumulate=2), classifier()
    fit(halves, batches=6, data=tiny_ring(batch_size=4))
    fit(whole, batches=3, data=tiny_ring(batch_size=8))
    assert halves.steps == whole.steps == {"network": 3}
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, halves.state_dict()[name], rtol=0, atol=1e-6)


class JointLatents(GAN):
    """Batch b of size n takes latents bn … (b+1)n of one long draw."""

    def draw_latents(self, n, generator=None):
        every = torch.randn(64, 4, generator=torch.Generator().manual_seed(7))
        return every[self.batches_seen * n :][:n]


def test_accumulation_of_a_discriminator_with_shared_fakes():
    """The generator, not due, is held; the critic's two halves equal one joint batch."""

    def game(accumulate):
        return tiny_gan(
            JointLatents,
            {
                "discriminator": Player(sgd(), accumulate=accumulate),
                "generator": Player(sgd(), every=100),
            },
            regularizers={"r1": R1(1.0), "decay": WeightDecay(0.1)},
        )

    halves, whole = game(2), game(1)
    fit(halves, batches=6, data=tiny_ring(batch_size=4))
    fit(whole, batches=3, data=tiny_ring(batch_size=8))
    assert halves.steps == whole.steps == {"discriminator": 3, "generator": 0}
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, halves.state_dict()[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("clip", [1e-3, 1e-2])
def test_clipping_bounds_the_step_of_its_player_alone(clip):
    """With SGD the step is the learning rate times the clipped gradient."""
    module = tiny_gan(
        players={
            "discriminator": Player(sgd(0.5), gradient_clip=clip),
            "generator": Player(sgd(0.5)),
        }
    )
    before = {n: p.detach().clone() for n, p in module.named_parameters()}
    fit(module, batches=1)
    moved = {
        role: torch.stack(
            [(p - before[n]).norm() for n, p in module.named_parameters() if n.startswith(role)]
        ).norm()
        for role in module.roles
    }
    assert float(moved["discriminator"]) == pytest.approx(0.5 * clip, rel=1e-3)
    assert float(moved["generator"]) > 0.5 * 1e-2


class Dtypes(GAN):
    """Notes what the generator's loss sees after the discriminator has stepped."""

    def generator_loss(self, batch):
        fake = self._fake(batch).detach()
        self.seen = self.score(fake).detach()
        with torch.autocast("cpu", enabled=False):
            weights = [p.detach().clone() for p in self.discriminator.parameters()]
            with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
                self.fresh = torch.func.functional_call(
                    self.discriminator,
                    dict(zip(dict(self.discriminator.named_parameters()), weights, strict=True)),
                    (fake,),
                )
        return super().generator_loss(batch)


def test_the_generator_sees_the_weights_that_the_discriminator_has_just_got():
    module = tiny_gan(Dtypes, {"discriminator": Player(sgd(5.0)), "generator": Player(sgd())})
    fit(module, batches=3, precision="bf16-mixed")
    assert module.seen.dtype == torch.bfloat16
    assert torch.equal(module.seen, module.fresh)
    assert all(p.dtype == torch.float32 for p in module.parameters())


class Precise(GradientPenalty):
    at = None

    def of_gradients(self, gradients):
        self.dtypes.append(gradients.dtype)
        return super().of_gradients(gradients)


class PreciseR1(R1):
    def of_gradients(self, gradients):
        self.dtypes.append(gradients.dtype)
        return super().of_gradients(gradients)


@pytest.mark.parametrize("penalty", [Precise(1.0), PreciseR1(1.0)], ids=["line", "real"])
def test_penalties_run_in_full_precision(penalty):
    """Their forward too: every score that they differentiate is float32."""
    penalty.dtypes, scores = [], []
    module = tiny_gan(regularizers={"penalty": penalty})
    module.discriminator.register_forward_hook(lambda *a: scores.append(a[2].dtype))
    fit(module, batches=1, precision="bf16-mixed")
    assert penalty.dtypes == [torch.float32]
    # real, fake, the penalty's own, and the generator's
    assert scores == [torch.bfloat16, torch.bfloat16, torch.float32, torch.bfloat16]


def test_penalty_has_the_value_of_full_precision_under_mixed_precision():
    logged = {}

    def first(precision):
        module = tiny_gan(regularizers={"r1": R1(1.0)})
        module.log_every = 1
        module.log_values = lambda values: logged.setdefault(precision, values)
        fit(module, batches=1, precision=precision)
        return logged[precision]["discriminator/r1"]

    assert first("bf16-mixed") == pytest.approx(first("32-true"), rel=1e-6)


def test_float16_steps_each_player_once_a_batch():
    """One backward and one scaled step a player: the scaler is updated between them.

    On a CPU Lightning takes bfloat16, and no scaler, unless it is given this plugin.
    """
    module, exact, dtypes = tiny_gan(), tiny_gan(), set()
    module.discriminator.register_forward_hook(lambda *a: dtypes.add(a[2].dtype))
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    fit(module, batches=4, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    fit(exact, batches=4)
    assert dtypes == {torch.float16}
    assert module.steps == {"discriminator": 4, "generator": 4}
    assert scaler.state_dict()["scale"] == 256.0  # as it is doubled and halved by updates alone
    assert scaler.state_dict()["_growth_tracker"] == 8
    start = tiny_gan().state_dict()
    for name, value in exact.state_dict().items():
        assert float((value - start[name]).norm()) > 1e-3
        torch.testing.assert_close(module.state_dict()[name], value, rtol=0, atol=1e-4)
