"""Games in a notebook: several fits, copies, frozen parts, losses called by hand, mistakes."""

import copy

import pytest
import torch
from helpers.games.players import Lazy, Pretrained
from helpers.games.several import growing, madgan
from helpers.tiny import fit, sgd, tiny_gan, tiny_ring
from torch import nn

from ganlab.callbacks import EMA
from ganlab.core import Phase, Player, Ramp
from ganlab.core.build import build_module
from ganlab.errors import ConfigError
from ganlab.families import GAN
from ganlab.regularizers import R1, Penalty, Regularizers, WeightClipping


def test_all_parameters_require_gradients_when_a_fit_begins():
    """A strategy such as DDP looks at them after `setup`."""
    module, seen = tiny_gan(), []
    fit(module, batches=1)
    setup = module.setup
    module.setup = lambda stage: (setup(stage), seen.append([p.requires_grad for p in own]))
    own = [p for parameters in module.parameters_of.values() for p in parameters]
    assert not all(p.requires_grad for p in own)
    fit(module, batches=1)
    assert seen == [[True] * len(own)]


class Renewed(Pretrained):
    def begin_phase(self, name):
        nn.init.normal_(self.generator.layers[0].weight)
        self.begun = (*self.begun, self.generator.layers[0].weight.detach().clone())


def test_random_numbers_of_begin_phase_are_the_same_on_all_ranks(monkeypatch):
    weights = []
    for rank in (0, 1):
        monkeypatch.setattr(GAN, "global_rank", rank)
        module = tiny_gan(Renewed)
        fit(module, batches=1)
        weights.append(module.begun[0])
    assert torch.equal(*weights)


def test_a_copy_of_a_game_has_schedules_of_its_own():
    module = tiny_gan(regularizers={"r1": R1(Ramp(0.0, 10.0, examples=10))})
    other = copy.deepcopy(module)
    other.scheduled.update(10)
    assert other.regularizers["r1"].weight == 10
    assert module.regularizers["r1"].weight == 0


class Mine(Penalty):
    """A regularizer outside the package."""

    def term(self, step):
        return step.real_scores.mean() * 0


def test_scalars_of_a_users_own_regularizer_follow_schedules():
    module = tiny_gan(regularizers={"mine": Mine(Ramp(1.0, 3.0, examples=40))})
    fit(module, batches=6, data=tiny_ring(batch_size=4))
    assert module.regularizers["mine"].weight == pytest.approx(2.0)


def test_a_parameter_of_the_game_itself_needs_a_player():
    class Scaled(GAN):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.scale = nn.Parameter(torch.ones(()))

    with pytest.raises(ConfigError, match="no player trains scale"):
        tiny_gan(Scaled)


def test_losses_called_by_hand_keep_nothing_and_reach_the_generator():
    module = tiny_gan()
    for n in (4, 8):
        batch = {"example": torch.randn(n, 2)}
        assert len(module.made(batch)[1]) == n
    fit(module, batches=1)
    for parameter in module.generator.parameters():
        parameter.requires_grad_(True)
    module.generator_loss(batch)["adversarial"].backward()
    assert all(p.grad.abs().sum() > 0 for p in module.generator.parameters())


def test_constraints_follow_every_player_of_the_network():
    class Second(GAN):
        phases = (
            Phase("discriminator"),
            Phase("other", players=("second",)),
            Phase("generator"),
        )
        other_loss = GAN.discriminator_loss

        def discriminator_loss(self, batch):
            return {"first": super().discriminator_loss(batch)["adversarial"]}

    players = {name: Player(sgd(1.0)) for name in ("discriminator", "generator")}
    players["second"] = Player(sgd(1.0), modules=["discriminator.layers"])
    module = tiny_gan(Second, players, regularizers={"clip": WeightClipping(0.01)})
    fit(module, batches=2)
    assert all(p.abs().max() <= 0.01 for p in module.discriminator.parameters())


def test_evaluation_keeps_the_modes_of_submodules():
    module = tiny_gan()
    module.train()
    module.generator.layers[0].eval()
    with module.evaluating("generator") as generator:
        assert not generator.training
    assert module.generator.training
    assert not module.generator.layers[0].training


@pytest.mark.parametrize("make", [madgan, lambda: growing(length=8)])
def test_ema_follows_players_of_parts_of_a_network(make):
    """With a half-life of nearly 0, the average equals the raw weights after each step."""
    module = make()
    fit(module, EMA(1e-9, None), batches=5)
    for name, average in module.averaged.items():
        raw = module.get_submodule(name).state_dict()
        for key, value in average.state_dict().items():
            torch.testing.assert_close(value, raw[key])


def test_regularizers_can_be_added_and_removed():
    regularizers = Regularizers()
    regularizers["r1"] = R1()
    assert regularizers.inputs(torch.zeros(1, 2), torch.zeros(1, 2), 0)[0].requires_grad
    del regularizers["r1"]
    assert not regularizers.inputs(torch.zeros(1, 2), torch.zeros(1, 2), 0)[0].requires_grad
    with pytest.raises(ConfigError, match="the adversarial loss has this name"):
        Regularizers({"adversarial": R1()})


def test_only_networks_of_the_game_can_be_averaged():
    module = tiny_gan()
    module.averaged_modules = ("generator", "encodr")
    with pytest.raises(ConfigError, match="averaged_modules: received 'encodr'"):
        fit(module, EMA(10, None), batches=1)


def test_a_constructor_that_forgets_its_base_is_named():
    config = {"_target_": "helpers.games.mistakes.Forgetful"}
    with pytest.raises(ConfigError, match=r"Forgetful must call super\(\).__init__\(\)"):
        build_module({"model": config})


def test_steps_are_foreseen_before_the_first_batch():
    module = tiny_gan(phases={"generator": {"start": 20}})
    assert module.steps_after("discriminator", 3) == 3
    assert module.steps_after("generator", 10, examples=4) == 5


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (lambda loss: loss["adversarial"], "'discriminator' in phase 'discriminator' is tensor"),
        (lambda loss: {}, "needs at least one term"),
        (lambda loss: {"x": loss["adversarial"].expand(3)}, r"the term 'x' .* is \(3,\); needs"),
        (lambda loss: {"x": 1.0}, "the term 'x' .* is 1.0; needs a tensor"),
        (lambda loss: None, "is None; needs at least one term"),
        (lambda loss: {"x": loss["adversarial"].detach()}, "does not depend on a parameter"),
    ],
)
def test_a_loss_that_is_no_dict_of_scalars_is_refused(terms, words):
    class Wrong(Lazy):
        def discriminator_loss(self, batch):
            return terms(super().discriminator_loss(batch))

    with pytest.raises(ConfigError, match=words):
        fit(tiny_gan(Wrong), batches=1)
