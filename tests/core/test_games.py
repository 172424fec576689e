"""Games of other forms than today's families, each as a subclass: tiny networks, no data files."""

import copy
import math

import pytest
import torch
from helpers.tiny import adam, fit, sgd, tiny_gan, tiny_ring
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss, softplus

from ganlab.core import AdversarialModule, Phase, Player
from ganlab.data import TensorDataModule
from ganlab.errors import ConfigError
from ganlab.families import GAN
from ganlab.losses import Wasserstein


def noise(module, *shape):
    """Return the same normal numbers whenever a batch is repeated."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(module.batches_seen))


def linear(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, outputs))


# --- several players from one graph ---------------------------------------------------------------


class VAEGAN(AdversarialModule):
    """Larsen et al. 2016 (arXiv:1512.09300), algorithm 1, without the discriminator's features."""

    phases = (Phase("autoencoder", players=("encoder", "decoder")), Phase("discriminator"))

    def __init__(self):
        super().__init__()
        torch.manual_seed(1234)
        self.encoder, self.decoder, self.discriminator = linear(2, 4), linear(2, 2), linear(2, 1)

    def autoencoder_loss(self, batch):
        mean, log_variance = self.encoder(batch["example"]).chunk(2, 1)
        z = mean + (log_variance / 2).exp() * noise(self, len(mean), 2)
        made = self.decoder(z)
        reconstruction = mse_loss(made, batch["example"])
        prior = (mean**2 + log_variance.exp() - 1 - log_variance).mean() / 2
        return {
            "encoder": {"prior": prior, "reconstruction": reconstruction},
            "decoder": {
                "reconstruction": 0.1 * reconstruction,
                "adversarial": softplus(-self.discriminator(made)).mean(),
            },
        }

    def discriminator_loss(self, batch):
        with torch.no_grad():
            made = self.decoder(noise(self, len(batch["example"]), 2))
        real = softplus(-self.discriminator(batch["example"])).mean()
        return {"adversarial": real + softplus(self.discriminator(made)).mean()}


def vaegan(make=sgd, **options):
    module = VAEGAN()
    return module.bind(
        {role: Player(make(), **options) for role in ("encoder", "decoder", "discriminator")}
    )


def test_each_player_gets_the_gradient_of_its_own_terms_alone():
    module, data = vaegan(lambda: sgd(1.0)), tiny_ring(batch_size=8)
    before = copy.deepcopy(module)
    seen = []
    module.begin_phase = lambda name: None
    original = module.autoencoder_loss
    module.autoencoder_loss = lambda batch: seen.append(batch) or original(batch)
    fit(module, batches=1, data=data)
    for player in ("encoder", "decoder"):
        terms = before.autoencoder_loss(seen[0])[player]
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
    module.autoencoder_loss = lambda batch: {
        "encoder": {"x": module.encoder(batch["example"]).sum()}
    }
    with pytest.raises(ConfigError, match="autoencoder_loss: returned losses of encoder; needs"):
        fit(module, batches=1)


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


class Simultaneous(GAN):
    phases = (Phase("both", players=("discriminator", "generator")),)


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


class InfoGAN(GAN):
    """Chen et al. 2016 (arXiv:1606.03657), equation 6, with a network of its own for Q."""

    roles = ("discriminator", "generator")

    def __init__(self, *args, weight=1.0, **options):
        super().__init__(*args, **options)
        self.q, self.weight = linear(2, 2), weight

    def generator_loss(self, batch):
        code = torch.arange(len(batch["example"])) % 2
        z = noise(self, len(code), 4)
        z[:, 0] = code
        guess = cross_entropy(self.q(self.generator(z)), code)
        return super().generator_loss(batch) | {"information": self.weight * guess}


def infogan():
    players = {
        "discriminator": Player(adam()),
        "generator": Player(adam(), modules=["generator", "q"]),
    }
    return tiny_gan(InfoGAN, players)


def test_a_subclass_adds_a_network_after_the_constructor_of_its_base():
    module = infogan()
    before = copy.deepcopy(module.q.state_dict())
    fit(module, batches=2)
    assert all(not torch.equal(x, before[name]) for name, x in module.q.state_dict().items())
    with pytest.raises(ConfigError, match="no player trains q"):
        tiny_gan(InfoGAN)


class Pretrained(GAN):
    """A generator that first learns by likelihood, then from the discriminator."""

    phases = (
        Phase("likelihood", players=("generator",), until=20),
        Phase("discriminator", start=20),
        Phase("generator", start=20, every=2),
    )
    begun = ()

    def likelihood_loss(self, batch):
        made = self.generator(noise(self, len(batch["example"]), 4))
        return {"likelihood": mse_loss(made, batch["example"])}

    def begin_phase(self, name):
        self.begun = (*self.begun, (name, self.batches_seen))


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


class Lazy(GAN):
    """StyleGAN2's lazy R1 (arXiv:1912.04958, appendix B) as a phase of the discriminator."""

    phases = (
        Phase("discriminator"),
        Phase("r1", players=("discriminator",), every=4),
        Phase("generator"),
    )

    def r1_loss(self, batch):
        real = batch["example"].detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.score(real).sum(), real, create_graph=True)
        return {"r1": slope.square().sum(1).mean()}


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
