"""The game of CUT: which patches are compared, players, and whether it learns."""

import math

import pytest
import torch
from helpers.tiny import adam, fit, sgd
from helpers.tiny_translation import TinyDomains
from torch.nn.functional import softplus

from ganlab.callbacks import Checkpoints
from ganlab.core import Player
from ganlab.errors import ConfigError
from ganlab.families import CUT
from ganlab.losses import LeastSquares, PatchNCE, RelativisticPairing
from ganlab.networks import MLPGenerator, PatchGAN, ResNetGenerator, UNetGenerator
from ganlab.regularizers import R1


def cut(make=sgd, norm="instance", **options):
    torch.manual_seed(1234)
    module = CUT(
        ResNetGenerator(features=4, blocks=3, norm=norm),
        PatchGAN(features=4, layers=1, norm="instance"),
        **{
            "adversarial": LeastSquares(),
            "layers": (0, 4, 7, 10),
            "patches": 16,
            "head_features": 8,
            **options,
        },
    )
    return module.bind(
        {
            "discriminator": Player(make()),
            "generator": Player(make(), modules=["generator", "heads"]),
        }
    )


def batch(n=2):
    rng = torch.Generator().manual_seed(3)
    return dict(zip("ab", torch.rand(2, n, 3, 16, 16, generator=rng) * 2 - 1, strict=True))


def start(module, *moving):
    """Prepare the game for a player's loss as the base class does."""
    module._require_gradients_of(*moving)
    module._shared.clear()
    module._remaining = list(module.phases)
    return module


def test_heads_fit_the_maps_and_are_built_with_the_module():
    module = cut()
    assert module.heads.channels == (3, 8, 16, 16)
    assert set(module.parameters_of["generator"]) == {
        *module.generator.parameters(),
        *module.heads.parameters(),
    }
    with torch.device("meta"):
        assert cut().heads.channels == (3, 8, 16, 16)


def test_each_player_changes_only_its_parameters():
    module = cut()
    before = {n: p.detach().clone() for n, p in module.named_parameters()}
    after = {}
    module.after_step = lambda role: after.setdefault(
        role, {n for n, p in module.named_parameters() if not torch.equal(p, before[n])}
    )
    fit(module, batches=1, data=TinyDomains(batch_size=2))
    assert {n.partition(".")[0] for n in after["discriminator"]} == {"discriminator"}
    assert {n.partition(".")[0] for n in after["generator"]} == {
        "discriminator",
        "generator",
        "heads",
    }


def test_the_generator_runs_once_for_both_players():
    """Passes: encoder, rest of the generator, encoder of the output; no map is computed twice."""
    module, seen = cut(), []
    layers = module.generator.layers
    for index in (1, 10, len(layers) - 1):
        layers[index].register_forward_hook(lambda _, x, __, i=index: seen.append((i, len(x[0]))))
    module.discriminator.register_forward_hook(lambda _, x, __: seen.append(("D", len(x[0]))))
    fit(module, batches=1, data=TinyDomains(batch_size=2))
    last = len(layers) - 1
    assert seen == [(1, 4), (10, 4), (last, 4), ("D", 4), ("D", 2), (1, 4), (10, 4)]


def test_shared_pictures_equal_the_generators_output():
    """Running the rest of the generator on the encoder's last map equals the whole generator."""
    for layers in ((0, 4, 7, 10), (2, 5), (3,)):  # after a norm, a ReLU works in place
        module, data = cut(layers=layers), batch()
        translated = start(module, "generator")._translated(data)
        both = torch.cat([data["a"], data["b"]])
        assert torch.equal(translated.made, module.generator(both))
        keys = module.generator.encode(both, layers)
        assert all(torch.equal(k, x) for k, x in zip(keys, translated.keys, strict=True))
        assert not any(key.requires_grad for key in translated.keys)


def test_terms_are_the_means_over_layers():
    module, data = cut(contrastive_weight=3.0, identity_weight=0.5, adversarial_weight=2.0), batch()
    torch.manual_seed(5)
    terms = start(module, "generator").generator_loss(data)
    torch.manual_seed(5)
    contrasts = module._contrasts(module._translated(data))
    made = module.generator(torch.cat([data["a"], data["b"]]))
    nce = PatchNCE()
    for name, weight, part in (
        ("contrastive", 3.0, slice(2)),
        ("identity", 0.5, slice(2, None)),
    ):
        expected = weight * sum(nce(q[part], k[part]) for q, k in contrasts) / 4
        torch.testing.assert_close(terms[name], expected)
    scores = module.discriminator(made[:2])
    torch.testing.assert_close(terms["adversarial"], (scores - 1).square().mean())


def test_keys_give_the_heads_no_gradient():
    """The gradient equals the gradient of a direct computation with constant keys."""
    module, data = cut(identity_weight=0.0, adversarial_weight=0.0), batch()
    start(module, "generator")
    torch.manual_seed(5)
    module.generator_loss(data)["contrastive"].backward()
    ours = {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}
    module.zero_grad()
    torch.manual_seed(5)
    layers = [0, 4, 7, 10]
    maps = module.generator.encode(module.generator(data["a"]), layers)
    positions = [torch.randperm(x[0, 0].numel())[:16] for x in maps]
    with torch.no_grad():
        keys = module.heads(module.generator.encode(data["a"], layers), positions)
    losses = [PatchNCE()(q, k) for q, k in zip(module.heads(maps, positions), keys, strict=True)]
    (sum(losses) / 4).backward()
    assert any(n.startswith("heads") for n in ours)
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, dict(module.named_parameters())[name].grad)


@pytest.mark.parametrize("flipped", [False, True])
def test_a_flipped_batch_is_flipped_back_for_the_contrast(monkeypatch, flipped):
    """The generator's input is flipped; its maps are flipped back for the comparison."""
    module, data = cut(flip_equivariance=True, identity_weight=0.0), batch()
    module.layers, module.patches = [1], 10**6  # one map, all of its patches
    module.heads = torch.nn.Identity()
    module.heads.forward = lambda maps, positions: [x.flatten(2)[:, :, positions[0]] for x in maps]
    monkeypatch.setattr(torch, "rand", lambda *_: torch.tensor(0.1 if flipped else 0.9))
    translated = start(module, "generator")._translated(data)
    flip = (lambda x: x.flip(3)) if flipped else (lambda x: x)
    assert torch.equal(translated.made, module.generator(flip(data["a"])))
    torch.manual_seed(0)
    [(queries, keys)] = module._contrasts(translated)
    torch.manual_seed(0)
    positions = torch.randperm(16 * 16)
    made, given = (module.generator.encode(x, [1])[0] for x in (translated.made, data["a"]))
    torch.testing.assert_close(queries, flip(made).flatten(2)[:, :, positions])
    torch.testing.assert_close(keys, given.flatten(2)[:, :, positions])


def test_half_of_the_batches_are_flipped():
    module, data, flips = cut(flip_equivariance=True), batch(1), 0
    torch.manual_seed(0)
    for _ in range(100):
        flips += start(module)._translated(data).flipped
    assert 30 < flips < 70
    assert not start(cut())._translated(data).flipped


def test_without_identity_only_a_goes_through_the_generator():
    module, seen = cut(identity_weight=0.0), []
    module.generator.layers[1].register_forward_hook(lambda _, x, __: seen.append(len(x[0])))
    fit(module, batches=1, data=TinyDomains(batch_size=2))
    assert seen == [2, 2]
    assert "identity" not in "".join(module.latest)


def test_translation_is_a_function_of_the_weights_and_rows_say_what_they_are():
    module, data = cut(), batch(3)
    made = module.translate(data["a"])
    assert torch.equal(made, module.translate(data["a"]))
    torch.testing.assert_close(made, module.generator(data["a"]).detach())
    rows = module.pictures(data)
    assert list(rows) == ["a", "a → b", "b", "b → b"]
    torch.testing.assert_close(rows["b → b"], module.generator(data["b"]).detach())
    assert list(cut(identity_weight=0.0).pictures(data)) == ["a", "a → b", "b"]


def test_resumed_equals_uninterrupted(tmp_path):
    def train(folder, batches, checkpoint=None):
        module = cut(adam, flip_equivariance=True, norm="batch", regularizers={"r1": R1(1.0)})
        saves = Checkpoints(folder, every_examples=2)
        data = TinyDomains(batch_size=2)
        fit(module, saves, batches=batches, data=data, ckpt_path=checkpoint)
        return module.state_dict()

    whole = train(tmp_path / "whole", 5)
    train(tmp_path / "parts", 2)
    resumed = train(tmp_path / "parts", 5, tmp_path / "parts" / "checkpoints" / "last.ckpt")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


@pytest.mark.contract
def test_training_makes_patches_recognisable():
    """Guessing has a loss of log 16; after training the loss is at most half of it."""
    module = cut(lambda: adam(1e-2), adversarial_weight=0.0)
    data = TinyDomains(batch_size=4)
    fit(module, batches=300, data=data)
    torch.manual_seed(0)
    with torch.no_grad():
        terms = start(module).generator_loss({k: v / 127.5 - 1 for k, v in data.train.items()})
    assert float(terms["contrastive"]) < 0.5 * math.log(16)


def test_a_relativistic_loss():
    """The generator's term compares each translation with a picture of b."""
    module, data = cut(adversarial=RelativisticPairing(), adversarial_weight=2.0), batch()
    term = start(module, "generator").generator_loss(data)["adversarial"]
    with torch.no_grad():
        gap = module.discriminator(data["b"]) - module.discriminator(module.generator(data["a"]))
    torch.testing.assert_close(term.detach(), 2 * softplus(gap).mean())
    before = {n: p.detach().clone() for n, p in module.named_parameters()}
    fit(module, batches=1, data=TinyDomains(batch_size=2))
    moved = {n for n, p in module.named_parameters() if not torch.equal(p, before[n])}
    assert {n.partition(".")[0] for n in moved} == {"discriminator", "generator", "heads"}


def test_arguments_and_data_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match=r"MLPGenerator, which has no `encode`"):
        cut().__class__(
            MLPGenerator(4, [3, 16, 16]), PatchGAN(features=4), adversarial=LeastSquares()
        )
    with pytest.raises(ConfigError, match=r"received UNetGenerator"):
        CUT(UNetGenerator(16, features=4), PatchGAN(features=4), LeastSquares())
    with pytest.raises(ConfigError, match=r"layers: received \[0, 99\]"):
        cut(layers=(0, 99))
    with pytest.raises(ConfigError, match=r"model.patches: received 1"):
        cut(patches=1)
    with pytest.raises(ConfigError, match=r"model.identity_weight: received -1"):
        cut(identity_weight=-1)
    with pytest.raises(ConfigError, match=r"needs batches with 'a'"):
        cut().check_data({"example": (3, 16, 16)}, ("example",))
    shapes = {"a": (3, 16, 16), "b": (1, 16, 16)}
    with pytest.raises(ConfigError, match=r"model.generator: makes pictures of shape"):
        cut().check_data(shapes, ("a", "b"))
    cut().check_data(TinyDomains.shapes, TinyDomains.provides)
