"""Parts of a training step: accumulation, clipping, mixed precision."""

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
    return Classifier(Labels()).bind({"network": Player(sgd(0.5), **options)})


def test_two_accumulated_batches_equal_one_of_twice_the_size():
    halves, whole = classifier(accumulate=2), classifier()
    fit(halves, batches=6, data=tiny_ring(batch_size=4))
    fit(whole, batches=3, data=tiny_ring(batch_size=8))
    assert halves.steps == whole.steps == {"network": 3}
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, halves.state_dict()[name], rtol=0, atol=1e-6)


class JointLatents(GAN):
    """Uses, for batch b of size n, latents bn … (b+1)n of one long sequence."""

    def draw_latents(self, n, generator=None):
        sequence = torch.randn(64, 4, generator=torch.Generator().manual_seed(7))
        return sequence[self.batches_seen * n :][:n]


def test_accumulation_of_a_discriminator_with_shared_fakes():
    """While the generator is not due, two accumulated half batches equal one joint batch."""

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
def test_clipping_affects_only_its_player(clip):
    """With SGD, a step is the learning rate times the clipped gradient."""
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


class RecordedScores(GAN):
    """Records the scores of fakes in the generator's loss, after the discriminator's step."""

    def generator_loss(self, batch):
        fake = self.made(batch)[1].detach()
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


def test_the_generator_loss_uses_the_updated_discriminator():
    module = tiny_gan(
        RecordedScores, {"discriminator": Player(sgd(5.0)), "generator": Player(sgd())}
    )
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
    """Every score that penalties differentiate is float32, too."""
    penalty.dtypes, scores = [], []
    module = tiny_gan(regularizers={"penalty": penalty})
    module.discriminator.register_forward_hook(lambda *a: scores.append(a[2].dtype))
    fit(module, batches=1, precision="bf16-mixed")
    assert penalty.dtypes == [torch.float32]
    # scores of real and fake examples (two passes if the penalty differentiates at the real ones),
    # of the penalty, and of the generator's loss
    passes = 2 if penalty.at == "real" else 1
    assert scores == [*[torch.bfloat16] * passes, torch.float32, torch.bfloat16]


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
    """Each player has one backward pass and one scaled step, then the scaler is updated.

    On a CPU, Lightning uses bfloat16 without a scaler unless it is given this plugin.
    """
    module, exact, dtypes = tiny_gan(), tiny_gan(), set()
    module.discriminator.register_forward_hook(lambda *a: dtypes.add(a[2].dtype))
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    fit(module, batches=4, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    fit(exact, batches=4)
    assert dtypes == {torch.float16}
    assert module.steps == {"discriminator": 4, "generator": 4}
    assert scaler.state_dict()["scale"] == 256.0  # neither doubled nor halved
    assert scaler.state_dict()["_growth_tracker"] == 8
    start = tiny_gan().state_dict()
    for name, value in exact.state_dict().items():
        assert float((value - start[name]).norm()) > 1e-3
        torch.testing.assert_close(module.state_dict()[name], value, rtol=0, atol=1e-4)
