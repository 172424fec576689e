"""The losses of CycleGAN's players, compared with the paper's equations."""

import pytest
import torch
from helpers.tiny import adam, fit
from helpers.tiny_translation import DISCRIMINATORS, TinyDomains, tiny_cyclegan
from torch.nn.functional import l1_loss, mse_loss

from ganlab.core import Player
from ganlab.errors import ConfigError
from ganlab.families import CycleGAN
from ganlab.losses import Hinge, NonSaturating, RelativisticPairing, Wasserstein
from ganlab.modalities.pixels import normalise
from ganlab.regularizers import GradientPenalty, WeightClipping

BATCH = {key: normalise(rows[:2]) for key, rows in TinyDomains().train.items()}


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_generators_equation(norm):
    """(D(G(x)) − 1)², λ‖F(G(x)) − x‖₁ and ½λ‖G(y) − y‖₁, one forward pass after the other."""
    module = tiny_cyclegan(norm=norm, adversarial_weight=2.0)
    a, b = BATCH["a"], BATCH["b"]
    ab, ba = module.generator_ab, module.generator_ba
    terms = module.generator_loss(BATCH)
    fake_b, fake_a = ab(a), ba(b)
    expected = {
        "identity_a": 5 * l1_loss(ba(a), a),
        "identity_b": 5 * l1_loss(ab(b), b),
        "cycle_a": 10 * l1_loss(ba(fake_b), a),
        "cycle_b": 10 * l1_loss(ab(fake_a), b),
        "adversarial_a": (module.discriminator_a(fake_a) - 1).square().mean(),
        "adversarial_b": (module.discriminator_b(fake_b) - 1).square().mean(),
    }
    torch.testing.assert_close(terms, expected, rtol=1e-5, atol=1e-5)


def test_the_discriminators_equation_and_pool():
    """½(D(y) − 1)² + ½D(G(x))², for the fakes from before the generators' step."""
    module = tiny_cyclegan()
    module.generator_loss(BATCH)
    with torch.no_grad():
        fakes = {"a": module.generator_ba(BATCH["b"]), "b": module.generator_ab(BATCH["a"])}
        for parameter in module.generator_ab.parameters():
            parameter.zero_()  # as if the generators had moved
    terms = module.discriminator_loss(BATCH)
    for domain, fake in fakes.items():
        score = module.get_submodule(f"discriminator_{domain}")
        expected = (score(BATCH[domain]) - 1).square().mean() / 2 + score(fake).square().mean() / 2
        torch.testing.assert_close(terms[f"adversarial_{domain}"], expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(torch.stack(module.pools[domain].pictures), fake)


@pytest.mark.parametrize(
    ("weights", "passes"),
    [({}, 4), ({"identity_weight": 0.0}, 4), ({"cycle_weight": 0.0, "identity_weight": 0.0}, 2)],
)
def test_number_of_forward_passes(weights, passes):
    """Four instead of six with identity terms, since both inputs of a network share a pass."""
    module, calls = tiny_cyclegan(**weights), []
    for name in ("generator_ab", "generator_ba"):
        hook = lambda *_, name=name: calls.append(name)  # noqa: E731
        module.get_submodule(name).register_forward_hook(hook)
    fit(module, batches=1, data=TinyDomains(batch_size=2))
    assert len(calls) == passes
    assert calls.count("generator_ab") == passes / 2


def test_ablations():
    terms = tiny_cyclegan(cycle_weight=0.0, identity_weight=0.0).generator_loss(BATCH)
    assert set(terms) == {"adversarial_a", "adversarial_b"}
    alone = tiny_cyclegan(cycle_weight=0.0, identity_weight=0.5)
    expected = 0.5 * l1_loss(alone.generator_ba(BATCH["a"]), BATCH["a"])
    torch.testing.assert_close(alone.generator_loss(BATCH)["identity_a"], expected)
    squared = tiny_cyclegan(cycle="l2")
    back = squared.generator_ba(squared.generator_ab(BATCH["a"]))
    expected = 10 * mse_loss(back, BATCH["a"])
    torch.testing.assert_close(squared.generator_loss(BATCH)["cycle_a"], expected)


def test_gradients_reach_the_player_that_moves():
    module = tiny_cyclegan()
    module._require_gradients_of("generator")
    sum(module.generator_loss(BATCH).values()).backward()
    for name, parameter in module.named_parameters():
        assert (parameter.grad is not None) is name.startswith("generator"), name
    module.zero_grad(set_to_none=True)
    module._require_gradients_of("discriminator")
    sum(module.discriminator_loss(BATCH).values()).backward()
    for name, parameter in module.named_parameters():
        assert (parameter.grad is not None) is name.startswith("discriminator"), name


@pytest.mark.parametrize("adversarial", [NonSaturating(), Hinge(), RelativisticPairing()])
def test_other_objectives(adversarial):
    module = tiny_cyclegan(adversarial=adversarial)
    fit(module, batches=2, data=TinyDomains(batch_size=2))
    assert module.steps == {"generator": 2, "discriminator": 2}


def test_critics_that_move_more_often_than_generators():
    """In batches without a generator move, translations are made without a gradient."""
    module = tiny_cyclegan(
        adversarial=Wasserstein(),
        generator={"every": 2},
        regularizers={
            "gradient_penalty": GradientPenalty(10.0),
            "clip": WeightClipping(0.01),
        },
    )
    terms = module.discriminator_loss(BATCH)
    domains = [f"{name}_{d}" for d in "ab" for name in ("adversarial", "gradient_penalty")]
    assert list(terms) == domains
    fit(module, batches=4, data=TinyDomains(batch_size=2))
    assert module.steps == {"generator": 2, "discriminator": 4}
    for name, parameter in module.named_parameters():
        if name.startswith("discriminator"):
            assert parameter.abs().max() <= 0.01


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="no player trains generator_ba"):
        tiny_cyclegan(
            players={
                "generator": Player(adam(), modules=["generator_ab"]),
                "discriminator": Player(adam(), modules=DISCRIMINATORS),
            }
        )
    with pytest.raises(ConfigError, match="cycle: received 'l3'; allowed l1, l2"):
        tiny_cyclegan(cycle="l3")
    with pytest.raises(ConfigError, match="identity_weight: received -1"):
        tiny_cyclegan(identity_weight=-1)
    assert CycleGAN.averaged_modules == ("generator_ab", "generator_ba")
