"""Further games, each of a form that no family of today has: what they compute."""

import copy

import pytest
import torch
from helpers.games.sequences import LENGTH, TOKENS, seqgan
from helpers.games.several import growing, madgan
from helpers.games.terms import BEGANLoss, LazyPaths, PathLength, began, pair_critic
from helpers.tiny import fit, tiny_gan, tiny_ring
from torch import nn

from ganlab.regularizers import GradientPenalty, Regularizers, Step


def test_sequences_are_learned_by_likelihood_and_then_scored():
    module = seqgan(until=4 * 60)
    data = tiny_ring(batch_size=4)
    fit(module, batches=60, data=data)
    assert module.steps == {"generator": 60, "discriminator": 0}
    assert module.latest["generator/likelihood"] < 0.9 * torch.tensor(TOKENS).log()
    fit(seqgan_after := seqgan(until=8), batches=6, data=data)
    assert seqgan_after.due_batches == {"likelihood": 2, "discriminator": 4, "generator": 4}
    assert {"generator/likelihood", "generator/policy"} <= {*seqgan_after.latest}
    assert module.generator.write(5).shape == (5, LENGTH)


@pytest.mark.parametrize("k", [1, 3])
def test_an_instance_chooses_its_number_of_generators(k):
    module = madgan(k)
    before = copy.deepcopy(module.generators)
    trainer = fit(module, batches=2)
    assert module.roles == ("discriminator", *(f"generator_{i}" for i in range(k)))
    assert len(trainer.optimizers) == 1 + k
    for old, new in zip(before.parameters(), module.generators.parameters(), strict=True):
        assert not torch.equal(old, new)


def test_stages_grow_and_fade_in():
    module = growing(length=16)
    fit(module, batches=14, data=tiny_ring(batch_size=4))
    assert [name for name, _ in module.begun] == ["discriminator", "stage_0", "stage_1", "stage_2"]
    assert [batch for _, batch in module.begun] == [0, 0, 4, 8]
    assert module.due_batches == {"discriminator": 14, "stage_0": 4, "stage_1": 4, "stage_2": 4}
    assert module.generator.shares.tolist() == [1.0, 1.0, 1.0]
    module = growing(length=16)
    fit(module, batches=6, data=tiny_ring(batch_size=4))
    assert module.generator.shares.tolist() == pytest.approx([1.0, (20 - 16) / 12, 0.0])


def test_the_penalty_of_pairs_draws_one_share_for_each_example():
    """A critic that compares the two parts has no slope if both parts have the same share."""
    x, z = torch.randn(2, 6, 2)
    real, fake, points = (x, x), (z, z), []

    def score(pair):
        points.append(pair)
        return (pair[0] - pair[1]).sum(1)

    regularizers = Regularizers({"penalty": GradientPenalty(weight=1.0)})
    real, fake = regularizers.inputs(real, fake, 0)
    step = Step(nn.Identity(), score, real, fake, score(real), score(fake), 0)
    terms = regularizers.terms(step)
    first, second = points[-1]
    assert torch.equal(first, second)
    share = (first - z) / (x - z)
    torch.testing.assert_close(share, share[:, :1].expand(-1, 2))
    assert share.std() > 0.1
    assert terms["penalty"].item() == pytest.approx((2 - 1) ** 2)  # the slope is (1, 1, −1, −1)


def test_both_players_of_pairs_move_together():
    module = pair_critic()
    fit(module, batches=4)
    assert module.steps == {"critic": 4, "generator": 2, "encoder": 2}
    assert {"critic/penalty", "generator/adversarial"} <= {*module.latest}


def test_path_length_of_a_linear_generator():
    """For G(z) = A z, Jᵀy has the expected square ‖A‖²; the running mean follows the lengths."""
    matrix = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    latents = torch.randn(20_000, 2).requires_grad_()
    none = torch.zeros(0)
    known = {"latents": latents, "generate": lambda z: z @ matrix.T}
    path_length = PathLength(rate=1.0)
    value = path_length.term(Step(nn.Identity(), None, none, none, none, none, 0, **known))
    mean = path_length.mean.item()
    assert value.item() + mean**2 == pytest.approx(25.0, rel=0.05)  # E‖Jᵀy‖² = var + mean²
    module = tiny_gan(LazyPaths)
    fit(module, batches=9)
    assert module.steps == {"discriminator": 9, "generator": 9 + 2}
    assert module.latest["path_length.mean"] == module.path_length.mean.item() > 0


def test_the_state_of_a_loss_follows_its_equations():
    """k ← k + λ(γL(x) − L(G(z))), between 0 and 1; M = L(x) + |γL(x) − L(G(z))|."""
    loss = BEGANLoss(gamma=0.5, rate=0.1)
    assert loss.discriminator(torch.tensor([4.0]), torch.tensor([1.0])).item() == 4.0
    assert loss.k.item() == pytest.approx(0.1 * (0.5 * 4 - 1))
    assert loss.M.item() == pytest.approx(4 + 1)
    value = loss.discriminator(torch.tensor([4.0]), torch.tensor([1.0]))
    assert value.item() == pytest.approx(4 - 0.1 * 1)
    module = began()
    fit(module, batches=5)
    logged = {name: module.latest[f"adversarial.{name}"] for name in ("k", "M")}
    assert logged == {"k": module.adversarial.k.item(), "M": module.adversarial.M.item()}
    assert 0 < logged["k"] < 1
