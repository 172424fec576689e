"""Games of other forms than today's families, each as a subclass: tiny networks, no data files."""

import copy
import math
from contextlib import nullcontext

import pytest
import torch
from helpers.games.players import InfoGAN, Lazy, Pretrained, Simultaneous, infogan, vaegan
from helpers.tiny import fit, sgd, tiny_gan, tiny_ring
from lightning.pytorch.plugins import MixedPrecision
from torch import nn

from ganlab.core import Phase, Player
from ganlab.data import TensorDataModule
from ganlab.errors import ConfigError
from ganlab.families import GAN
from ganlab.losses import Wasserstein

# --- several players from one graph ---------------------------------------------------------------


def test_each_player_gets_the_gradient_of_its_own_terms_alone():
    module, data = vaegan(lambda: sgd(1.0)), tiny_ring(batch_size=8)
    noise = torch.randn(8, 2)
    module.draw = lambda n: noise
    before, seen = copy.deepcopy(module), []
    original = module.all_loss
    module.all_loss = lambda batch: seen.append(batch) or original(batch)
    fit(module, batches=1, data=data)
    for player in before.roles:
        terms = before.all_loss(seen[0])[player]
        parameters = list(before.get_submodule(player).parameters())
        gradients = torch.autograd.grad(sum(terms.values()), parameters)
        for old, new, gradient in zip(
            parameters, module.get_submodule(player).parameters(), gradients, strict=True
        ):
            torch.testing.assert_close(old - new, gradient, rtol=1e-5, atol=1e-7)
    assert module.steps == {"encoder": 1, "decoder": 1, "discriminator": 1}
    assert {"encoder/prior", "decoder/adversarial", "discriminator/adversarial"} <= {*module.latest}


def test_a_loss_without_one_of_its_players_is_refused():
    module = vaegan()
    module.all_loss = lambda batch: {"encoder": {"x": module.encoder(batch["example"]).sum()}}
    with pytest.raises(ConfigError, match="all_loss: returned losses of encoder; needs"):
        fit(module, batches=1)


class Scaled(MixedPrecision):
    """Mixed precision whose only effect is to scale losses, and to double the scale at updates."""

    def __init__(self):
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1)
        super().__init__("16-mixed", "cpu", scaler)

    def forward_context(self):
        return nullcontext()


def test_a_gradient_scaler_is_updated_once_for_the_players_of_a_phase():
    plain, scaled, plugin = vaegan(gradient_clip=0.05), vaegan(gradient_clip=0.05), Scaled()
    fit(plain, batches=3)
    fit(scaled, batches=3, plugins=[plugin])
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(scaled.state_dict()[name], value, rtol=1e-5, atol=1e-7)
    assert plugin.scaler.get_scale() == 8 * 2**3  # one phase in each of three batches


def test_an_unfinished_window_keeps_its_gradient_when_the_scale_changes():
    """The generator's steps change the scale between the batches of the discriminator's window."""
    results = []
    for plugins in ([], [Scaled()]):
        players = {"discriminator": Player(sgd(), accumulate=4), "generator": Player(sgd())}
        module = tiny_gan(players=players)
        fit(module, batches=8, plugins=plugins)
        results.append(module.state_dict())
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=1e-5, atol=1e-7)


class Point(nn.Module):
    """A generator whose only sample is θ."""

    latent, shape = 1, (1,)

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta]))

    def forward(self, z):
        return self.theta.expand(len(z), 1)


class Zeros(TensorDataModule):
    """The data of the Dirac game: the point 0."""

    shape, classes = (1,), None

    def load(self, split):
        return {"example": torch.zeros(160, 1)}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_simultaneous_gradient_descent_turns_the_dirac_game_outwards(accumulate):
    """Mescheder et al. 2018 (arXiv:1801.04406), lemma 2.3: the step has eigenvalues 1 ± i·lr."""
    rate, steps, start = 0.1, 12, (1.0, 0.5)
    critic = nn.Linear(1, 1, bias=False)
    nn.init.constant_(critic.weight, start[1])
    critic.forward = lambda x: nn.functional.linear(x, critic.weight)[:, 0]
    game = Simultaneous(Point(start[0]), critic, Wasserstein())
    game.bind(
        {
            role: Player(sgd(rate), accumulate=accumulate)
            for role in game.roles or ("discriminator", "generator")
        }
    )
    data = Zeros()
    fit(game, batches=steps * accumulate, data=data)
    angle, growth = math.atan(rate), math.hypot(1, rate) ** steps
    theta, psi = start
    c, s = math.cos(steps * angle), math.sin(steps * angle)
    expected = growth * (theta * c + psi * s), growth * (psi * c - theta * s)
    assert game.generator.theta.item() == pytest.approx(expected[0], rel=1e-4)
    assert critic.weight.item() == pytest.approx(expected[1], rel=1e-4)


# --- other networks and other phases -----------------------------------------------------------


def test_a_subclass_adds_a_network_after_the_constructor_of_its_base():
    module = infogan()
    before = copy.deepcopy(module.q.state_dict())
    fit(module, batches=2)
    assert all(not torch.equal(x, before[name]) for name, x in module.q.state_dict().items())
    with pytest.raises(ConfigError, match="no player trains q"):
        tiny_gan(InfoGAN)


def test_one_phase_ends_and_others_begin():
    module = tiny_gan(Pretrained)
    fit(module, batches=11, data=tiny_ring(batch_size=4))
    assert module.begun == (("likelihood", 0), ("discriminator", 5), ("generator", 5))
    assert module.due_batches == {"likelihood": 5, "discriminator": 6, "generator": 3}
    assert module.steps == {"generator": 5 + 3, "discriminator": 6}


def test_a_run_ends_with_its_last_phase():
    phases = {"discriminator": {"until_batches": 3}, "generator": {"until": 20}}
    module = tiny_gan(phases=phases)
    fit(module, batches=50, data=tiny_ring(batch_size=4))
    assert module.batches_seen == 5
    assert module.steps == {"discriminator": 3, "generator": 5}


def test_several_phases_of_a_player_share_its_optimizer():
    module = tiny_gan(Lazy)
    trainer = fit(module, batches=8)
    assert module.steps == {"discriminator": 8 + 2, "generator": 8}
    assert len(trainer.optimizers) == 2
    assert {"discriminator/adversarial", "discriminator/r1"} <= {*module.latest}


def test_gradients_of_an_unfinished_window_belong_to_their_phase():
    """With windows of 2, R1's gradient waits while other batches move the discriminator."""
    players = {"discriminator": Player(sgd(), accumulate=2), "generator": Player(sgd())}
    module = tiny_gan(Lazy, players, phases={"r1": {"every": 1}})
    fit(module, batches=3)
    assert module.steps == {"discriminator": 2, "generator": 3}
    unfinished = module._unfinished
    assert set(unfinished) == {"discriminator", "r1"}
    assert all(p.grad is None for p in module.parameters())
    name = "discriminator.layers.0.weight"
    assert not torch.equal(unfinished["r1"][name], unfinished["discriminator"][name])


class Twice(Lazy):
    def r1_loss(self, batch):
        return {"adversarial": super().r1_loss(batch)["r1"]}


def test_a_term_of_two_phases_in_a_batch_is_refused():
    with pytest.raises(ConfigError, match="the phases discriminator and r1 both return this term"):
        fit(tiny_gan(Twice), batches=4)


# --- what cannot be played -----------------------------------------------------------------------


def test_fit_without_players_and_a_second_binding_are_refused():
    module = GAN(Point(0.0), nn.Linear(1, 1), Wasserstein())
    with pytest.raises(ConfigError, match=r"has none. Call bind\(players\) once before fit"):
        fit(module, batches=1)
    with pytest.raises(ConfigError, match="this GAN has its players already"):
        tiny_gan().bind({})


BOTH = ("generator", "discriminator")


@pytest.mark.parametrize(
    ("phases", "options", "words"),
    [
        ((Phase("x", players=(*BOTH, "q")),), {}, "'x' has no loss"),
        ((Phase("x", players=BOTH, every=2),), {}, "skipped batches would train nothing"),
        ((Phase("x", players=BOTH),), {"accumulate": 2}, "accumulate differently"),
        (
            (Phase("x", players=BOTH),),
            {"modules": ["generator", "discriminator"]},
            "trained by both 'generator' and 'discriminator' in phase 'x'",
        ),
        ((Phase("x", players=BOTH), Phase("x", players=BOTH)), {}, "two phases are called 'x'"),
    ],
)
def test_phases_that_cannot_be_played_are_refused(phases, options, words):
    family = InfoGAN if "q" in phases[0].players else GAN
    game = type("Game", (family,), {"phases": phases})
    players = {name: Player(sgd()) for phase in phases for name in phase.players}
    players["generator"] = Player(sgd(), **{"modules": ["generator"], **options})
    with pytest.raises(ConfigError, match=words):
        tiny_gan(game, players)
