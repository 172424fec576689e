"""The reference loops of CycleGAN and pix2pix: they do the same work as ganlab in more calls."""

import functools
import json

import pytest
import torch
from helpers.tiny import fit, sgd
from helpers.tiny_translation import (
    DISCRIMINATORS,
    GENERATORS,
    TinyDomains,
    TinyPairs,
    tiny_cyclegan,
    tiny_pix2pix,
)

from ganlab.benchmark import translation as bench_translation
from ganlab.benchmark.calls import count_calls
from ganlab.benchmark.reference import AlternatingLoops, reference_loop
from ganlab.cli import main
from ganlab.core import Player
from ganlab.families import CycleGAN
from ganlab.modalities.grid import save_png


def same_steps(make, data, monkeypatch, lr):
    """Train a model by ganlab and an equal one by the reference loop, with SGD; return both."""
    optimizer = functools.partial(torch.optim.SGD, lr=lr)
    monkeypatch.setattr(
        bench_translation,
        "_adam",
        lambda *networks: optimizer([p for network in networks for p in network.parameters()]),
    )
    ours, theirs = make(), make()
    fit(ours, batches=3, data=data())
    reference_loop(theirs, data(), copy=False)(3)
    return ours, theirs


def check_same_parameters(ours, theirs, start):
    """Check that parameters differ by less than 1 % of their change, and all networks changed."""
    for (name, our), their, before in zip(
        ours.named_parameters(), theirs.parameters(), start.parameters(), strict=True
    ):
        moved = (our - before).abs().max().item()
        torch.testing.assert_close(our, their, rtol=0, atol=0.01 * moved + 1e-6, msg=name)
    for name, network in ours.named_children():
        twin = start.get_submodule(name)
        pairs = list(zip(network.parameters(), twin.parameters(), strict=True))
        assert not pairs or any((a - b).abs().max() > 1e-5 for a, b in pairs), name


def test_cyclegan_steps_are_the_same(monkeypatch):
    """The authors' settings: least squares, cycle weight 10, identity 5, two optimizers."""
    players = {
        "generator": Player(sgd(1e-2), modules=GENERATORS),
        "discriminator": Player(sgd(1e-2), modules=DISCRIMINATORS),
    }
    make = functools.partial(tiny_cyclegan, players=players, adversarial_weight=2.0)
    ours, theirs = same_steps(make, lambda: TinyDomains(batch_size=1), monkeypatch, 1e-2)
    check_same_parameters(ours, theirs, make())


def test_pix2pix_steps_are_the_same(monkeypatch):
    """Cross-entropy, halved for the discriminator, which steps first; L1 of weight 100."""
    players = {role: Player(sgd(1e-3)) for role in ("generator", "discriminator")}
    make = functools.partial(tiny_pix2pix, players=players, dropout=False)
    ours, theirs = same_steps(make, lambda: TinyPairs(batch_size=2), monkeypatch, 1e-3)
    check_same_parameters(ours, theirs, make())


def test_convolutions_of_a_cyclegan_step():
    """A generator has 8 convolutions, a discriminator 3. The authors' code calls each network for
    every input: 6 × (8 + 3) forward, as many backward. ganlab batches inputs: 4 × (8 + 3)."""
    pairing = AlternatingLoops(1, 1, 1.0, "32-true")
    module = tiny_cyclegan()
    fit(module, pairing, batches=99, data=TinyDomains(batch_size=1))
    assert pairing.calls["reference"]["convolutions"] == 2 * 6 * (8 + 3)
    assert pairing.calls["ours"]["convolutions"] == 2 * 4 * (8 + 3)
    assert pairing.calls["ours"]["operators"] < pairing.calls["reference"]["operators"]
    assert module.batches_seen == 3  # one to warm up, one timed, one counted
    assert len(pairing.ours) == len(pairing.reference) == 1


def test_calls_of_one_expression():
    """Two products and a sum are three operators; operators called within them do not count."""
    a = torch.ones(3, 3)
    found = count_calls(lambda: a @ a + a @ a)
    assert found == {"operators": 3, "convolutions": 0, "launches": 0}


@pytest.mark.parametrize(
    ("precision", "dtype"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)]
)
def test_precision_of_the_reference(precision, dtype):
    module, seen = tiny_cyclegan(), set()
    module.discriminator_a.register_forward_hook(lambda *args: seen.add(args[2].dtype))
    reference_loop(module, TinyDomains(batch_size=1), copy=False, precision=precision)(1)
    assert seen == {dtype}


@pytest.fixture
def arguments(tmp_path):
    """Arguments of `ganlab bench` for a small CycleGAN on a folder of noise."""
    for side in ("trainA", "trainB"):
        for index in range(4):
            picture = torch.randint(256, (3, 16, 16), dtype=torch.uint8)
            save_png(picture, tmp_path / "set" / side / f"{index}.png")
    return [
        "bench",
        "experiment=cyclegan",
        f"data.root={tmp_path / 'set'}",
        "data.size=16",
        "data.test_share=0.5",
        "protocol=none",
        "trainer=cpu",
        "model.generator_ab.features=4",
        "model.generator_ab.blocks=1",
        "model.discriminator_a.features=4",
        "model.discriminator_a.layers=1",
    ]


def test_bench_of_a_cyclegan(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(
        "ganlab.benchmark.reference.peak_memory", lambda *_: {"ours": 1.0, "reference": 1.0}
    )
    further = ["trainer.precision=bf16-mixed", "reference=32-true", "batches=1", "blocks=1"]
    assert main([*arguments, *further, "json=true"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["precision"], result["reference_precision"]) == ("bf16-mixed", "32-true")
    assert result["ratio"] > 0
    assert result["reference_calls"]["convolutions"] == 1.5 * result["calls"]["convolutions"]


class Slow(CycleGAN):
    """A subclass, whose losses may differ from the reference loop's."""


def test_a_subclass_is_timed_alone(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("ganlab.families.Slow", Slow, raising=False)
    monkeypatch.setattr("ganlab.benchmark.reference.peak_memory", lambda *_: {"ours": 1.0})
    further = ["model._target_=ganlab.families.Slow", "batches=1", "blocks=1"]
    assert main([*arguments, *further]) == 0
    printed = capsys.readouterr().out
    assert "no reference loop for this family" in printed
    assert "ratio" not in printed
    assert "generator: forward" in printed


@pytest.mark.parametrize(
    ("further", "said"),
    [
        (["model.cycle_weight=0"], "model.cycle_weight: "),
        (["model.identity_weight=0"], "model.identity_weight: "),
        (["loss=wgan_gp"], "model.players.generator.every: "),
        (["precision=16-mixed"], "precision: "),
        (["reference=16"], "allowed 32-true, bf16-mixed"),
    ],
)
def test_bench_refuses_settings_that_the_reference_lacks(
    arguments, further, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main([*arguments, *further]) == 1
    assert said in capsys.readouterr().err
