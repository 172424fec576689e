"""The training step: which player moves when, with which gradients, and what is counted."""

import pytest
import torch
from helpers.tiny import fit, sgd, tiny_gan, tiny_ring
from lightning.pytorch import Callback

from ganlab.core import Player
from ganlab.errors import NonFiniteLossError
from ganlab.families import GAN
from ganlab.losses import NonSaturating


def players(every=1, **options):
    return {
        "discriminator": Player(sgd(), **options),
        "generator": Player(sgd(), every=every, **options),
    }


class Moves(Callback):
    """Records the players' numbers of steps after each batch."""

    def __init__(self):
        self.steps = []

    def on_train_batch_end(self, trainer, module, *args):
        self.steps.append(dict(module.steps))


@pytest.mark.parametrize("every", [1, 5])
def test_each_player_moves_when_due(every):
    moves, module = Moves(), tiny_gan(players=players(every))
    fit(module, moves, batches=11)
    assert [s["discriminator"] for s in moves.steps] == list(range(1, 12))
    assert [s["generator"] for s in moves.steps] == [b // every for b in range(1, 12)]
    assert (module.batches_seen, module.examples_seen) == (11, 44)


def test_the_discriminator_may_move_less_often():
    module = tiny_gan(players={"discriminator": Player(sgd(), every=3), "generator": Player(sgd())})
    fit(module, batches=7)
    assert module.steps == {"discriminator": 2, "generator": 7}


def test_players_move_in_the_order_of_roles_whatever_the_config_says():
    order = []

    class Watched(GAN):
        def after_step(self, role):
            order.append(role)

    both = players()
    fit(tiny_gan(Watched, {k: both[k] for k in ("generator", "discriminator")}), batches=2)
    assert order == ["discriminator", "generator"] * 2


class Inspected(GAN):
    """Records, inside the loss methods, which players' parameters require gradients."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen, self.forwards, self.graphs = [], 0, []
        self.generator.register_forward_hook(
            lambda *_: setattr(self, "forwards", self.forwards + 1)
        )

    def look(self, role):
        other = {"discriminator": "generator", "generator": "discriminator"}[role]
        own = {p.requires_grad for p in self.get_submodule(role).parameters()}
        rest = {p.requires_grad for p in self.get_submodule(other).parameters()}
        self.seen.append((role, own, rest))

    def discriminator_loss(self, batch):
        self.look("discriminator")
        self.graphs.append(self.made(batch)[1].requires_grad)
        # generating fakes must not change which parameters require gradients
        self.look("discriminator")
        return super().discriminator_loss(batch)

    def generator_loss(self, batch):
        self.look("generator")
        assert all(p.grad is None for p in self.discriminator.parameters())
        return super().generator_loss(batch)

    def after_step(self, role):
        assert all(p.grad is None for p in self.parameters())


class GradientsAtStep(Callback):
    def __init__(self):
        self.holders = []

    def on_before_optimizer_step(self, trainer, module, optimizer):
        with_gradient = {
            n.split(".")[0] for n, p in module.named_parameters() if p.grad is not None
        }
        self.holders.append(with_gradient)


@pytest.mark.parametrize("every", [1, 2])
def test_only_the_moving_player_requires_and_receives_gradients(every):
    module, gradients = tiny_gan(Inspected, players(every)), GradientsAtStep()
    fit(module, gradients, batches=4)
    assert all((own, rest) == ({True}, {False}) for _, own, rest in module.seen)
    due = [
        ["discriminator", "generator"] if b % every == 0 else ["discriminator"] for b in range(1, 5)
    ]
    assert gradients.holders == [{role} for roles in due for role in roles]


def test_fakes_carry_no_graph_when_the_generator_is_not_due():
    module = tiny_gan(Inspected, players(3))
    fit(module, batches=6)
    assert module.graphs == [False, False, True] * 2


@pytest.mark.parametrize("every", [1, 5])
def test_one_generator_forward_for_each_batch(every):
    module = tiny_gan(Inspected, players(every))
    fit(module, batches=5)
    assert module.forwards == 5


def test_fakes_are_made_again_after_the_generator_has_moved():
    """After the generator has moved, fakes come from its new weights and carry no graph."""
    asked = []

    class Reversed(GAN):
        roles = ("generator", "discriminator")

        def discriminator_loss(self, batch):
            fake = self.made(batch)[1]
            asked.append((fake.requires_grad, fake))
            return super().discriminator_loss(batch)

        def generator_loss(self, batch):
            asked.append((True, self.made(batch)[1]))
            return super().generator_loss(batch)

    fit(tiny_gan(Reversed), batches=1)
    (_, before), (graph, after) = asked
    assert not graph
    assert not torch.equal(before, after)


def test_shared_fakes_give_the_gradients_of_two_forwards():
    """With the same latents and generator weights, sharing does not change gradients."""

    class Separate(GAN):
        def made(self, batch):
            z = torch.randn(
                len(batch["example"]), 4, generator=torch.Generator().manual_seed(self.batches_seen)
            )
            return z, self.generator(z)

    class Shared(GAN):
        def draw_latents(self, n, generator=None):
            return torch.randn(n, 4, generator=torch.Generator().manual_seed(self.batches_seen))

    one, two = tiny_gan(Shared), tiny_gan(Separate)
    fit(one, batches=5)
    fit(two, batches=5)
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name


def test_frozen_weights_of_a_network_stay_frozen():
    """A player's optimizer ignores pretrained parts with requires_grad False."""
    torch.manual_seed(0)
    module = tiny_gan()
    networks = module.generator, module.discriminator
    frozen = networks[0].layers[0].weight.requires_grad_(False)
    before = frozen.clone()
    game = GAN(*networks, NonSaturating()).bind(players())
    fit(game, batches=3)
    assert torch.equal(frozen, before)
    assert not frozen.requires_grad


def test_a_submodule_of_two_players_is_trained_by_both():
    both = players()
    both["discriminator"].modules = ["discriminator", "generator"]
    game = tiny_gan(players=both)
    seen = []
    game.generator.register_forward_hook(
        lambda *_: seen.append([p.requires_grad for p in game.discriminator.parameters()])
    )
    fit(game, batches=1)
    assert len(game.parameters_of["discriminator"]) > len(game.parameters_of["generator"])
    assert seen
    assert not any(seen[0])  # the fakes are made with gradients for the generator only
    assert all(p.requires_grad for p in game.parameters_of["generator"])


def test_latents_differ_between_batches_and_seeds_and_ranks():
    class Recorded(GAN):
        def draw_latents(self, n, generator=None):
            z = super().draw_latents(n, generator)
            self.drawn.append(z)
            return z

    def drawn(seed, rank=0):
        module = tiny_gan(Recorded, seed=seed)
        module.drawn = []
        module_class = type(module)
        module_class.global_rank = property(lambda self: rank)
        fit(module, batches=3)
        del module_class.global_rank
        return module.drawn

    again, base = drawn(0), drawn(0)
    assert all(torch.equal(a, b) for a, b in zip(again, base, strict=True))
    others = [*base, *drawn(1), *drawn(0, rank=1)]
    assert len({tuple(z.flatten().tolist()) for z in others}) == 9


def test_terms_are_logged_by_player_and_their_mean_is_taken():
    logged = {}

    class Fixed(GAN):
        def discriminator_loss(self, batch):
            terms = super().discriminator_loss(batch)
            return {
                "adversarial": terms["adversarial"] * 0 + self.batches_seen,
                "extra": terms["adversarial"],
            }

    module = tiny_gan(Fixed)
    module.log_every = 4
    write = module.log_values
    module.log_values = lambda values: (
        logged.update({module.examples_seen: values}),
        write(values),
    )
    fit(module, batches=9)
    assert list(logged) == [16, 32]
    assert logged[16]["discriminator/adversarial"] == 1.5
    assert logged[32]["discriminator/adversarial"] == 5.5
    assert {"discriminator/extra", "generator/adversarial", "generator/steps"} <= logged[16].keys()


class Poisoned(GAN):
    """A game in which the generator's penalty becomes NaN in its third due batch."""

    def generator_loss(self, batch):
        terms = super().generator_loss(batch)
        poison = float("nan") if self.steps["generator"] == 2 else 0.0
        return terms | {"penalty": terms["adversarial"] * poison}


def test_a_loss_that_is_not_finite_stops_the_run():
    module = tiny_gan(Poisoned, players(2))
    with pytest.raises(
        NonFiniteLossError, match=r"'penalty' of player 'generator' .* nan at batch 6;"
    ):
        fit(module, batches=20)
    assert module.steps == {"discriminator": 6, "generator": 2}


def test_on_an_accelerator_the_batch_of_a_bad_loss_is_still_named():
    """On an accelerator, terms are checked only when they are logged."""
    module = tiny_gan()
    for batch, value in ((3, 1.0), (6, float("inf")), (9, float("nan"))):
        module._window.add("discriminator/lazy", torch.tensor(value), batch)
    with pytest.raises(
        NonFiniteLossError, match=r"'lazy' of player 'discriminator' .* inf at batch 6;"
    ):
        module.check_finite()


def test_data_that_do_not_fit_are_refused():
    module = tiny_gan()
    module.check_data({"example": (2,)}, ("example",))
    with pytest.raises(ValueError, match="makes samples of shape"):
        module.check_data({"example": (3,)}, ("example",))
    with pytest.raises(ValueError, match="'example'"):
        module.check_data({"source": (2,)}, ("source",))
    assert tiny_ring().shape == (2,)
