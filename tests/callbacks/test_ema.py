"""`EMA`: updates follow the player's steps and count examples; EMA weights are not trained."""

import functools

import pytest
import torch
from helpers.tiny import fit, sgd, tiny_gan, tiny_images
from lightning.pytorch import Callback

from ganlab.callbacks import EMA
from ganlab.core import Player, Ramp
from ganlab.errors import ConfigError
from ganlab.families import GAN, Classifier
from ganlab.losses import NonSaturating
from ganlab.networks import MLPDiscriminator, MLPGenerator


class Watch(Callback):
    """Records the raw and the EMA weights after each batch."""

    def __init__(self):
        self.raw, self.averaged = [], []

    def on_train_batch_end(self, trainer, module, *args):
        for history, network in (
            (self.raw, module.generator),
            (self.averaged, module.averaged["generator"]),
        ):
            history.append([v.clone() for v in network.state_dict().values()])


def game(**generator):
    """Return a tiny GAN whose generator player has these arguments."""
    return tiny_gan(
        players={"discriminator": Player(sgd()), "generator": Player(sgd(), **generator)}
    )


@pytest.mark.parametrize("every", [1, 5])
def test_average_changes_with_each_step_of_the_generator(every):
    watch = Watch()
    fit(game(every=every), EMA(100, None), watch, batches=11)
    changed = [
        any(not torch.equal(a, b) for a, b in zip(*pair, strict=True))
        for pair in zip(watch.averaged, watch.averaged[1:], strict=False)
    ]
    assert changed == [(batch + 1) % every == 0 for batch in range(1, 11)]


def test_average_waits_for_an_accumulated_step():
    watch = Watch()
    fit(game(accumulate=3), EMA(100, None), watch, batches=6)
    first = [averaged[0] for averaged in watch.averaged]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[1], first[2])
    assert torch.equal(first[2], first[4])


@pytest.mark.parametrize("every", [1, 5])
def test_half_life_counts_examples_for_any_period(every):
    """With period 5 an update covers 20 examples: its decay is that of 5 updates of 4 examples."""
    watch, module = Watch(), game(every=every)
    start = [v.clone() for v in module.generator.state_dict().values()]
    fit(module, EMA(40, None), watch, batches=10)
    expected = start
    for batch in range(every, 11, every):
        decay = 0.5 ** (4 * every / 40)
        expected = [
            decay * old + (1 - decay) * raw
            for old, raw in zip(expected, watch.raw[batch - 1], strict=True)
        ]
    for averaged, value in zip(watch.averaged[-1], expected, strict=True):
        torch.testing.assert_close(averaged, value, rtol=0, atol=1e-6)


def test_ramp_up_shortens_the_half_life():
    ema = EMA(1000, 0.05)
    assert ema.decay(2000, 100) == pytest.approx(0.5)  # 5 % of 2,000 are 100
    assert ema.decay(20_000, 1000) == ema.decay(10**6, 1000) == pytest.approx(0.5)
    assert ema.decay(4, 4) < 1e-5  # the first update takes the raw weights


def test_scheduled_half_life():
    ema, module = EMA(Ramp(10, 30, 40), None), tiny_gan()
    fit(module, ema, batches=6)
    assert ema.half_life == 20  # batch 6 started at 20 examples, half of the ramp from 10 to 30
    assert module.scheduled.values(40)["ema.half_life"] == 30


def test_buffers_are_averaged_and_integers_copied():
    torch.manual_seed(0)
    module = GAN(
        MLPGenerator(4, [2], [8], norm="batch"),
        MLPDiscriminator([2], [8]),
        NonSaturating(),
    ).bind({"discriminator": Player(sgd()), "generator": Player(sgd())})
    fit(module, EMA(1000, None), batches=5)
    raw, averaged = module.generator.state_dict(), module.averaged["generator"].state_dict()
    counts = [k for k in raw if "num_batches_tracked" in k]
    assert counts
    assert all(torch.equal(raw[k], averaged[k]) for k in counts)
    assert not torch.equal(raw["layers.1.running_mean"], averaged["layers.1.running_mean"])


def test_average_is_in_no_optimizer_and_is_used_for_samples():
    module = tiny_gan()
    trainer = fit(module, EMA(10**6, None), batches=3)
    trained = {p for o in trainer.optimizers for g in o.param_groups for p in g["params"]}
    assert not trained & set(module.averaged.parameters())
    assert not any(p.requires_grad for p in module.averaged.parameters())
    assert not module.averaged["generator"].training
    averaged, raw = module.sample(5, seed=1), module.sample(5, seed=1, ema=False)
    assert not torch.equal(averaged, raw)
    z, _ = module.draw_inputs(5, seed=1)
    assert torch.equal(raw, module.generator(z))


def test_network_of_a_classifier_is_averaged():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    players = {"network": Player(functools.partial(torch.optim.Adam, lr=1e-2))}
    module = Classifier(network).bind(players)
    fit(module, EMA(10**6, None), batches=2, data=tiny_images())
    averaged = module.averaged["network"][1].weight
    assert not torch.equal(averaged, network[1].weight)
    assert float((averaged - network[1].weight).detach().abs().max()) > 1e-3


@pytest.mark.parametrize("options", [{"half_life": 0}, {"ramp_up": -1}])
def test_non_positive_arguments_are_refused(options):
    with pytest.raises(ConfigError, match=r"ema\."):
        EMA(**options)
