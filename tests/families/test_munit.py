"""The game of MUNIT: reconstructions, players, and the effect of styles."""

import pytest
import torch
from helpers.tiny import adam, fit, sgd
from torch.nn.functional import l1_loss, softplus

from ganlab.callbacks import Checkpoints
from ganlab.core import Player
from ganlab.data import TensorDataModule
from ganlab.errors import ConfigError
from ganlab.families import MUNIT
from ganlab.losses import LeastSquares, RelativisticPairing
from ganlab.networks import MultiScale, PatchGAN, StyledResNet
from ganlab.regularizers import R1


class Unpaired(TensorDataModule):
    """Grey pictures a and coloured pictures b of 16 pixels."""

    classes = None
    provides = ("a", "b")
    shape = (3, 16, 16)
    shapes = {"a": (1, 16, 16), "b": shape}

    def load(self, split):
        rng = torch.Generator().manual_seed(0)
        return {
            key: torch.randint(0, 256, (24, *shape), dtype=torch.uint8, generator=rng)
            for key, shape in self.shapes.items()
        }


def munit(make=sgd, discriminator=PatchGAN, **options):
    torch.manual_seed(1234)
    small = {"latent": 3, "features": 4, "blocks": 1, "style_features": 8}
    module = MUNIT(
        StyledResNet(1, 3, **small),
        StyledResNet(3, 1, **small),
        discriminator(1, features=4, layers=1, norm="none"),
        discriminator(3, features=4, layers=1, norm="none"),
        **{"adversarial": LeastSquares(), **options},
    )
    return module.bind(
        {
            "discriminator": Player(make(), modules=["discriminator_a", "discriminator_b"]),
            "generator": Player(make(), modules=["generator_ab", "generator_ba"]),
        }
    )


def batch(n=2):
    rng = torch.Generator().manual_seed(3)
    return {
        key: torch.rand(n, *shape, generator=rng) * 2 - 1 for key, shape in Unpaired.shapes.items()
    }


def start(module, *moving):
    """Prepare the game for a player's loss as the base class does."""
    module._require_gradients_of(*moving)
    module._shared.clear()
    module._remaining = list(module.phases)
    return module


def parts_with_gradient(module, loss):
    """Return the parts of networks for whose parameters a loss has a gradient other than 0."""
    module.zero_grad()
    loss.backward()
    return {
        ".".join(name.split(".")[:2]).replace("generator_", "")
        for name, p in module.named_parameters()
        if p.grad is not None and float(p.grad.abs().sum()) > 0
    }


def test_which_parts_each_term_trains():
    """generator_ab has the content encoder of a, and the style encoder and decoder of b."""
    decoder = {f"ba.{part}" for part in ("styled", "affine", "drawing")}
    expected = {
        "reconstruction_a": {"ab.content", "ba.style"} | decoder,
        "content_b": {"ab.content", "ba.content"} | decoder,
        "style_a": {"ba.content", "ba.style"} | decoder,
        "adversarial_a": {"ba.content"} | decoder,
    }
    module = munit()
    for name, parts in expected.items():
        terms = start(module, "generator").generator_loss(batch())
        assert parts_with_gradient(module, terms[name]) == parts, name
    assert set(terms) == {
        f"{kind}_{domain}"
        for kind in ("reconstruction", "content", "style", "adversarial")
        for domain in "ab"
    }


def test_terms_are_those_of_the_paper():
    module, data = munit(style_weight=3.0, content_weight=2.0, adversarial_weight=2.0), batch()
    made = start(module, "generator")._made(data)
    terms = module.generator_loss(data)
    ab, ba = module.generator_ab, module.generator_ba
    content = {"a": ab.content(data["a"]), "b": ba.content(data["b"])}
    fake_a = ba.decode(content["b"], made.styles["a"])
    fake_b = ab.decode(content["a"], made.styles["b"])
    same_a = ba.decode(content["a"], ba.style(data["a"]))
    expected = {
        "reconstruction_a": 10 * l1_loss(same_a, data["a"]),
        "content_b": 2 * l1_loss(ab.content(fake_a), content["b"]),
        "content_a": 2 * l1_loss(ba.content(fake_b), content["a"]),
        "style_a": 3 * l1_loss(ba.style(fake_a), made.styles["a"]),
        "adversarial_b": (module.discriminator_b(fake_b) - 1).square().mean(),
    }
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=lambda m, n=name: f"{n}: {m}")


def test_each_player_changes_only_its_parameters():
    module, after = munit(), {}
    before = {n: p.detach().clone() for n, p in module.named_parameters()}
    module.after_step = lambda role: after.setdefault(
        role, {n.partition(".")[0] for n, p in module.named_parameters() if (p != before[n]).any()}
    )
    fit(module, batches=1, data=Unpaired(batch_size=2))
    judges = {"discriminator_a", "discriminator_b"}
    assert after == {
        "discriminator": judges,
        "generator": judges | {"generator_ab", "generator_ba"},
    }


def test_parts_run_no_more_often_than_needed():
    module, seen = munit(), []
    for way in ("ab", "ba"):
        for part in ("content", "style", "drawing"):
            module.get_submodule(f"generator_{way}.{part}").register_forward_hook(
                lambda _, x, __, name=f"{way}.{part}": seen.append((name, len(x[0])))
            )
    fit(module, batches=1, data=Unpaired(batch_size=2))
    assert sorted(seen) == sorted(
        (f"{way}.{part}", n)
        for way in ("ab", "ba")
        for part, n in (("content", 2), ("content", 2), ("style", 2), ("style", 2), ("drawing", 4))
    )


def test_the_seed_determines_the_styles_in_both_directions():
    module, data = munit(), batch(3)
    for way, source in (("a_to_b", "a"), ("b_to_a", "b")):
        one = module.translate(data[source], way, seed=1)
        assert torch.equal(one, module.translate(data[source], way, seed=1))
        assert torch.equal(one[:2], module.translate(data[source][:2], way, seed=1))
        assert not torch.allclose(one, module.translate(data[source], way, seed=2))
        assert one.shape[1:] == Unpaired.shapes["ab".replace(source, "")]


def test_rows_show_sampled_and_given_styles():
    module, data = munit(), batch(2)
    rows = module.pictures(data, seed=4)
    styles = ("style 1", "style 2", "style 3")
    assert list(rows) == [
        "a", *(f"a → b, {s}" for s in (*styles, "style of b")),
        "b", *(f"b → a, {s}" for s in (*styles, "style of a")),
    ]  # fmt: skip
    with torch.no_grad():
        ab = module.generator_ab
        torch.testing.assert_close(rows["a → b, style of b"], ab(data["a"], ab.style(data["b"])))
    again = module.pictures(data, seed=4)
    assert all(torch.equal(again[name], row) for name, row in rows.items())


def test_resumed_equals_uninterrupted(tmp_path):
    def train(folder, batches, checkpoint=None):
        module = munit(adam, regularizers={"r1": R1(1.0)})
        saves = Checkpoints(folder, every_examples=2)
        fit(module, saves, batches=batches, data=Unpaired(batch_size=2), ckpt_path=checkpoint)
        return module.state_dict()

    whole = train(tmp_path / "whole", 5)
    train(tmp_path / "parts", 2)
    resumed = train(tmp_path / "parts", 5, tmp_path / "parts" / "checkpoints" / "last.ckpt")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def terms_and_scores(module):
    """Yield, for each domain, the adversarial term, and scores of its fakes and of its pictures."""
    data = batch()
    terms = start(module, "generator").generator_loss(data)
    made = module._made(data)
    for domain in "ab":
        judge = module.get_submodule(f"discriminator_{domain}")
        with torch.no_grad():
            yield terms[f"adversarial_{domain}"], judge(made.fakes[domain]), judge(data[domain])


def test_losses_of_several_scales_are_summed():
    module = munit(discriminator=MultiScale, adversarial_weight=2.0)
    for term, fake, _ in terms_and_scores(module):
        assert len(fake) > 1
        expected = 2 * sum(LeastSquares().generator(scores) for scores in fake)
        torch.testing.assert_close(term.detach(), expected)
    fit(module, batches=1, data=Unpaired(batch_size=2))
    assert module.steps == {"discriminator": 1, "generator": 1}


def test_a_relativistic_loss():
    module = munit(adversarial=RelativisticPairing())
    for term, fake, real in terms_and_scores(module):
        torch.testing.assert_close(term.detach(), softplus(real - fake).mean())
    fit(module, batches=1, data=Unpaired(batch_size=2))
    assert module.steps == {"discriminator": 1, "generator": 1}


def test_arguments_and_data_that_do_not_fit_are_refused():
    module = munit()
    with pytest.raises(ConfigError, match=r"model.content_weight: received -1"):
        munit(content_weight=-1)
    with pytest.raises(ConfigError, match=r"needs batches with 'a'"):
        module.check_data({"example": (3, 16, 16)}, ("example",))
    with pytest.raises(ConfigError, match=r"model.generator_ab: cannot take"):
        module.check_data({"a": (3, 16, 16), "b": (3, 16, 16)}, Unpaired.provides)
    munit().check_data(Unpaired.shapes, Unpaired.provides)
