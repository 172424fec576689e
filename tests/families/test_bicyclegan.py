"""The game of BicycleGAN: gradients, players, and the effect of latents."""

import pytest
import torch
from helpers.tiny import adam, fit, sgd
from torch.nn.functional import l1_loss, softplus

from ganlab.callbacks import EMA, Checkpoints
from ganlab.core import Player
from ganlab.data import TensorDataModule
from ganlab.data.base import SPLITS
from ganlab.errors import ConfigError
from ganlab.families import BicycleGAN
from ganlab.losses import LeastSquares, RelativisticPairing, kl_to_standard_normal
from ganlab.networks import LatentUNet, MultiScale, PatchGAN, ResidualEncoder
from ganlab.regularizers import R1


class Pairs(TensorDataModule):
    """Grey sources and coloured targets of 16 pixels."""

    classes = None
    provides = ("source", "target")
    shape = (3, 16, 16)
    shapes = {"source": (1, 16, 16), "target": shape}

    def load(self, split):
        rng = torch.Generator().manual_seed(0)
        return {
            key: torch.randint(0, 256, (24, *shape), dtype=torch.uint8, generator=rng)
            for key, shape in self.shapes.items()
        }


def bicycle(make=sgd, discriminator=PatchGAN, norm="instance", **options):
    torch.manual_seed(1234)
    judges = [discriminator(features=4, layers=1, norm="instance") for _ in range(2)]
    module = BicycleGAN(
        LatentUNet(16, latent=3, in_channels=1, features=4, norm=norm),
        ResidualEncoder(16, latent=3, features=4),
        *judges,
        **{"adversarial": LeastSquares(), **options},
    )
    judges = ["discriminator_encoded", "discriminator_random"]
    return module.bind(
        {
            "discriminator": Player(make(), modules=judges),
            "generator": Player(make(), modules=["generator", "encoder"]),
        }
    )


def batch(n=2):
    rng = torch.Generator().manual_seed(3)
    return {
        "source": torch.rand(n, 1, 16, 16, generator=rng) * 2 - 1,
        "target": torch.rand(n, 3, 16, 16, generator=rng) * 2 - 1,
    }


def start(module, *moving):
    """Prepare the game for a player's loss as the base class does."""
    module._require_gradients_of(*moving)
    module._shared.clear()
    module._remaining = list(module.phases)
    return module


def networks_with_gradient(module, loss):
    """Return the submodules for whose parameters a loss has a gradient other than 0."""
    module.zero_grad()
    loss.backward()
    return {
        name.partition(".")[0]
        for name, p in module.named_parameters()
        if p.grad is not None and float(p.grad.abs().sum()) > 0
    }


def test_which_networks_each_term_trains():
    """The encoder learns from target reconstruction, but not from latent regression."""
    module = bicycle()
    names = {
        "reconstruction": {"generator", "encoder"},
        "kl": {"encoder"},
        "latent": {"generator"},
        "adversarial_encoded": {"generator", "encoder"},
        "adversarial_random": {"generator"},
    }
    for name, expected in names.items():
        terms = start(module, "generator").generator_loss(batch())
        assert set(terms) == set(names)
        assert networks_with_gradient(module, terms[name]) == expected, name
    for name in ("encoded", "random"):
        terms = start(module, "discriminator").discriminator_loss(batch())
        assert networks_with_gradient(module, terms[f"adversarial_{name}"]) == {
            f"discriminator_{name}"
        }


def test_terms_are_those_of_the_paper():
    module, data = bicycle(adversarial_weight=2.0), batch()
    torch.manual_seed(5)
    terms = start(module, "generator").generator_loss(data)
    torch.manual_seed(5)
    mean, log_variance = module.encoder(data["target"])
    latents, noise = torch.randn_like(mean), torch.randn_like(mean)
    encoded = module.generator(data["source"], mean + (log_variance / 2).exp() * noise)
    random = module.generator(data["source"], latents)
    expected = {
        "reconstruction": 10 * l1_loss(encoded, data["target"]),
        "kl": 0.01 * kl_to_standard_normal(mean, log_variance),
        "latent": 0.5 * l1_loss(module.encoder(random)[0], latents),
        "adversarial_encoded": (module.discriminator_encoded(encoded) - 1).square().mean(),
        "adversarial_random": (module.discriminator_random(random) - 1).square().mean(),
    }
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=lambda m, n=name: f"{n}: {m}")


def test_each_player_changes_only_its_parameters():
    module, after = bicycle(), {}
    before = {n: p.detach().clone() for n, p in module.named_parameters()}
    module.after_step = lambda role: after.setdefault(
        role, {n.partition(".")[0] for n, p in module.named_parameters() if (p != before[n]).any()}
    )
    fit(module, batches=1, data=Pairs(batch_size=2))
    judges = {"discriminator_encoded", "discriminator_random"}
    assert after == {"discriminator": judges, "generator": judges | {"generator", "encoder"}}


def test_networks_run_no_more_often_than_needed():
    module, seen = bicycle(), []
    for name, network in module.named_children():
        if name != "averaged":
            network.register_forward_hook(lambda _, x, __, n=name: seen.append((n, len(x[0]))))
    fit(module, batches=1, data=Pairs(batch_size=2))
    assert seen == [
        ("encoder", 2),
        ("generator", 4),
        ("discriminator_encoded", 4),
        ("discriminator_random", 4),
        ("encoder", 2),
        ("discriminator_encoded", 2),
        ("discriminator_random", 2),
    ]


def test_the_seed_determines_the_latents_of_a_translation():
    module, x = bicycle(), batch(3)["source"]
    one = module.translate(x, seed=1)
    assert torch.equal(one, module.translate(x, seed=1))
    assert torch.equal(one[:2], module.translate(x[:2], seed=1))
    assert not torch.allclose(one, module.translate(x, seed=2))
    torch.manual_seed(7)
    free = module.translate(x)
    torch.manual_seed(7)
    assert torch.equal(free, module.translate(x))


def test_rows_show_the_code_and_one_latent_each():
    module, data = bicycle(), batch(2)
    rows = module.pictures(data, seed=4)
    assert list(rows) == ["source", "target", "encoded", *(f"latent {i}" for i in range(1, 5))]
    with torch.no_grad():
        code = module.encoder(data["target"])[0]
        torch.testing.assert_close(rows["encoded"], module.generator(data["source"], code))
        z = torch.randn(4, 3, generator=torch.Generator().manual_seed(4))
        for index in range(4):
            same = z[index].expand(2, -1)
            made = module.generator(data["source"], same)
            torch.testing.assert_close(rows[f"latent {index + 1}"], made)
    again = module.pictures(data, seed=4)
    assert all(torch.equal(again[name], row) for name, row in rows.items())


def test_encoder_is_averaged_with_the_generator():
    module = bicycle()
    fit(module, EMA(half_life=10, ramp_up=None), batches=3, data=Pairs(batch_size=2))
    assert set(module.averaged) == {"generator", "encoder"}
    data = batch()
    raw, averaged = (module.pictures(data, ema=e)["encoded"] for e in (False, True))
    assert not torch.equal(raw, averaged)


def test_resumed_equals_uninterrupted(tmp_path):
    def train(folder, batches, checkpoint=None):
        module = bicycle(adam, norm="batch", regularizers={"r1": R1(1.0)})
        saves = Checkpoints(folder, every_examples=2)
        fit(module, saves, batches=batches, data=Pairs(batch_size=2), ckpt_path=checkpoint)
        return module.state_dict()

    whole = train(tmp_path / "whole", 5)
    train(tmp_path / "parts", 2)
    resumed = train(tmp_path / "parts", 5, tmp_path / "parts" / "checkpoints" / "last.ckpt")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def terms_and_scores(module):
    """Yield, for each discriminator, the generator's term, and scores of fakes and of targets."""
    data = batch()
    terms = start(module, "generator").generator_loss(data)
    made = module._made(data)
    for name in ("encoded", "random"):
        judge = module.get_submodule(f"discriminator_{name}")
        with torch.no_grad():
            yield terms[f"adversarial_{name}"], judge(getattr(made, name)), judge(data["target"])


def test_losses_of_several_scales_are_summed():
    module = bicycle(discriminator=MultiScale, adversarial_weight=2.0)
    for term, fake, _ in terms_and_scores(module):
        assert len(fake) > 1
        expected = 2 * sum(LeastSquares().generator(scores) for scores in fake)
        torch.testing.assert_close(term.detach(), expected)
    fit(module, batches=1, data=Pairs(batch_size=2))
    assert module.steps == {"discriminator": 1, "generator": 1}


def test_a_relativistic_loss():
    module = bicycle(adversarial=RelativisticPairing())
    for term, fake, real in terms_and_scores(module):
        torch.testing.assert_close(term.detach(), softplus(real - fake).mean())
    fit(module, batches=1, data=Pairs(batch_size=2))
    assert module.steps == {"discriminator": 1, "generator": 1}


class Squares(TensorDataModule):
    """Sources show where a square is; targets also show its grey, which sources do not."""

    classes = None
    provides = ("source", "target")
    shape = (1, 16, 16)
    shapes = {"source": shape, "target": shape}

    def load(self, split):
        rng = torch.Generator().manual_seed(SPLITS.index(split))
        source = torch.zeros(512, *self.shape, dtype=torch.uint8)
        corners = torch.randint(1, 8, (512, 2), generator=rng)
        for picture, (row, column) in zip(source, corners.tolist(), strict=True):
            picture[:, row : row + 8, column : column + 8] = 1
        grey = torch.randint(60, 256, (512, 1, 1, 1), generator=rng)
        return {"source": source * 128, "target": (source * grey).to(torch.uint8)}


@pytest.mark.slow
def test_latents_cover_the_variety_of_targets():
    """Greys of one source's translations have at least half the standard deviation of the data."""
    torch.manual_seed(0)
    module = BicycleGAN(
        LatentUNet(16, latent=2, in_channels=1, out_channels=1, features=8),
        ResidualEncoder(16, channels=1, latent=2, features=8),
        *(PatchGAN(1, features=8, layers=2, norm="instance") for _ in range(2)),
        LeastSquares(),
        adversarial_weight=2.0,
    ).bind(bicycle(adam).players)
    data = Squares(batch_size=16)
    fit(module, batches=1500, data=data)
    source, target = (data.test[key][:64] / 127.5 - 1 for key in ("source", "target"))
    inside = source > -0.5

    def greys(pictures):
        return (pictures * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3))

    made = torch.stack([greys(module.translate(source, seed=1000 * i)) for i in range(8)])
    assert float(made.std(0).mean()) > 0.5 * float(greys(target).std())


def test_with_latent_weight_0_latents_are_not_encoded_again():
    module, seen = bicycle(latent_weight=0.0), []
    module.encoder.register_forward_hook(lambda _, x, __: seen.append(len(x[0])))
    fit(module, batches=1, data=Pairs(batch_size=2))
    assert seen == [2]


def test_arguments_and_data_that_do_not_fit_are_refused():
    module = bicycle()
    with pytest.raises(ConfigError, match=r"model.encoder.latent: received 5; .* takes 3"):
        BicycleGAN(
            module.generator, ResidualEncoder(16, latent=5), *[module.discriminator_random] * 2,
            LeastSquares(),
        )  # fmt: skip
    with pytest.raises(ConfigError, match=r"model.kl_weight: received -1"):
        bicycle(kl_weight=-1)
    with pytest.raises(ConfigError, match=r"needs batches with 'source'"):
        module.check_data({"example": (3, 16, 16)}, ("example",))
    with pytest.raises(ConfigError, match=r"model.generator: cannot take"):
        module.check_data({"source": (3, 16, 16), "target": (3, 16, 16)}, Pairs.provides)
    module.encoder = ResidualEncoder(16, channels=1, latent=3, features=4)
    with pytest.raises(ConfigError, match=r"model.encoder: cannot take"):
        module.check_data(Pairs.shapes, Pairs.provides)
    bicycle().check_data(Pairs.shapes, Pairs.provides)
