"""The losses of pix2pix's players, compared with the paper's equations."""

import pytest
import torch
from helpers.tiny import adam, fit
from helpers.tiny_translation import TinyPairs, tiny_pix2pix
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import l1_loss, mse_loss

from ganlab.core import Player
from ganlab.errors import ConfigError
from ganlab.families import Pix2Pix
from ganlab.losses import RelativisticPairing, Wasserstein
from ganlab.modalities.pixels import normalise
from ganlab.networks import MultiScale, PatchGAN, PixelGAN
from ganlab.regularizers import GradientPenalty

BATCH = {key: normalise(rows[:3]) for key, rows in TinyPairs().train.items()}


def terms(module, role, batch=BATCH):
    """Return one role's loss terms and the generated targets."""
    seen = []
    forward = module.generator.forward
    module.generator.forward = lambda x: seen.append(forward(x)) or seen[-1]
    found = getattr(module, f"{role}_loss")(batch)
    assert len(seen) == 1
    return found, seen[0]


@pytest.mark.parametrize("conditional", [True, False])
def test_equations(conditional):
    """D: ½(log D(x, y) + log(1 − D(x, G(x)))); G: log D(x, G(x)) and λ‖y − G(x)‖₁."""
    torch.manual_seed(0)
    channels = 6 if conditional else 3
    module = tiny_pix2pix(
        discriminator=PatchGAN(channels, features=4, layers=1, norm="instance"),
        conditional=conditional,
    )
    pair = lambda y: torch.cat([BATCH["source"], y], 1) if conditional else y  # noqa: E731
    found, fake = terms(module, "discriminator")
    real_scores, fake_scores = (module.discriminator(pair(y)) for y in (BATCH["target"], fake))
    ones, zeros = torch.ones_like(real_scores), torch.zeros_like(real_scores)
    loss = (cross_entropy(real_scores, ones) + cross_entropy(fake_scores, zeros)) / 2
    torch.testing.assert_close(found, {"adversarial": loss})
    module._shared.clear()
    found, fake = terms(module, "generator")
    expected = {
        "adversarial": cross_entropy(module.discriminator(pair(fake)), ones),
        "l1": 100 * l1_loss(fake, BATCH["target"]),
    }
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("objective", "names"),
    [
        ("l1", ["l1"]),
        ("l2", ["l2"]),
        ("gan", ["adversarial"]),
        ("l1_gan", ["adversarial", "l1"]),
        ("l2_gan", ["adversarial", "l2"]),
    ],
)
def test_objectives(objective, names):
    module = tiny_pix2pix(objective=objective, reconstruction_weight=10.0)
    found, fake = terms(module, "generator")
    assert list(found) == names
    for name, distance in (("l1", l1_loss), ("l2", mse_loss)):
        if name in found:
            torch.testing.assert_close(found[name], 10 * distance(fake, BATCH["target"]))
    fit(module, batches=2, data=TinyPairs(batch_size=2))
    has_adversary = "gan" in objective
    assert hasattr(module, "discriminator") is has_adversary
    assert set(module.steps) == ({"generator", "discriminator"} if has_adversary else {"generator"})


def test_both_players_move_with_one_fake_and_the_generators_loss_reaches_only_it():
    calls = []
    module = tiny_pix2pix()
    module.generator.register_forward_hook(lambda *_: calls.append(1))
    before = {n: p.detach().clone() for n, p in module.named_parameters()}
    fit(module, batches=1, data=TinyPairs(batch_size=2))
    assert len(calls) == 1
    assert all(not torch.equal(p, before[n]) for n, p in module.named_parameters())
    module._require_gradients_of("generator")
    module._shared.clear()
    module._remaining = list(module.phases)
    found, _ = terms(module, "generator")
    sum(found.values()).backward()
    assert all(p.grad is None for p in module.discriminator.parameters())
    assert all(p.grad is not None for p in module.generator.parameters())


def test_feature_matching_over_scales():
    torch.manual_seed(0)
    discriminator = MultiScale(6, features=4, layers=1, scales=2)
    module = tiny_pix2pix(
        discriminator=discriminator, objective="gan", feature_matching_weight=10.0
    )
    found, fake = terms(module, "generator")
    pairs = [torch.cat([BATCH["source"], y], 1) for y in (fake, BATCH["target"])]
    (scores, ours), (_, theirs) = (discriminator(pair, features=True) for pair in pairs)
    distance = sum(l1_loss(x, y) for x, y in zip(ours, theirs, strict=True)) / 2
    torch.testing.assert_close(found["feature_matching"], 10 * distance)
    expected = sum(cross_entropy(s, torch.ones_like(s)) for s in scores)
    torch.testing.assert_close(found["adversarial"], expected)
    fit(module, batches=2, data=TinyPairs(batch_size=2))


@pytest.mark.parametrize("adversarial", [Wasserstein(), RelativisticPairing()])
def test_other_objectives_and_a_penalty_on_pairs(adversarial):
    module = tiny_pix2pix(
        discriminator_norm="instance",
        adversarial=adversarial,
        regularizers={"gradient_penalty": GradientPenalty(10.0)},
    )
    found, _ = terms(module, "discriminator")
    assert set(found) == {"adversarial", "gradient_penalty"}
    fit(module, batches=2, data=TinyPairs(batch_size=2))


def test_the_discriminators_whole_loss_is_halved():
    """Penalties are halved too, so their weights keep their meaning relative to the loss."""
    found = []
    for weight in (0.5, 1.0):
        module = tiny_pix2pix(
            discriminator_norm="instance",
            discriminator_weight=weight,
            adversarial=Wasserstein(),
            regularizers={"gradient_penalty": GradientPenalty(10.0)},
        )
        torch.manual_seed(0)
        found.append(terms(module, "discriminator")[0])
    torch.testing.assert_close(found[0], {key: x / 2 for key, x in found[1].items()})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reconstruction_weight": 0.0}, "reconstruction_weight above 0"),
        ({"feature_matching_weight": 1.0}, "feature_matching_weight 0"),
        ({"regularizers": {"penalty": GradientPenalty()}}, "no discriminator to regularize"),
        (
            {"players": {"generator": Player(adam(), every=5)}},
            "skipped batches would train nothing",
        ),
    ],
)
def test_settings_without_effect_are_refused_if_the_generator_plays_alone(options, words):
    with pytest.raises(ConfigError, match=words):
        tiny_pix2pix(objective="l1", **options)


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match=r"objective: received 'l3'; allowed l1, l2, gan"):
        tiny_pix2pix(objective="l3")
    with pytest.raises(ConfigError, match="received l1_gan, which needs an adversarial loss"):
        tiny_pix2pix(adversarial=None)
    for name in ("reconstruction", "discriminator", "feature_matching"):
        with pytest.raises(ConfigError, match=f"{name}_weight: received -1"):
            tiny_pix2pix(**{f"{name}_weight": -1})
    with pytest.raises(ConfigError, match="a PixelGAN gives no maps"):
        tiny_pix2pix(discriminator=PixelGAN(6, features=4), feature_matching_weight=1.0)
    module = tiny_pix2pix(adversarial=None, objective="l1")
    with pytest.raises(ConfigError, match="received 'critic'"):
        Pix2Pix(module.generator, None, objective="l1").bind({"critic": Player(adam())})
