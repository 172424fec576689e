"""Sampling from a GAN, and arguments that it refuses."""

import pytest
import torch
from helpers.tiny import fit, tiny_gan, tiny_images, tiny_labelled

from ganlab.errors import ConfigError
from ganlab.families import GAN
from ganlab.losses import NonSaturating, RelativisticPairing
from ganlab.networks import MLPDiscriminator, MLPGenerator


def test_sampling_is_a_function_of_the_seed():
    module = tiny_gan()
    assert torch.equal(module.sample(5, seed=3), module.sample(5, seed=3))
    assert not torch.equal(module.sample(5, seed=3), module.sample(5, seed=4))
    assert torch.equal(module.sample(7, seed=3, batch_size=2), module.sample(7, seed=3))


def test_without_a_seed_torch_manual_seed_decides():
    module = tiny_gan()
    draws = []
    for _ in range(2):
        torch.manual_seed(11)
        draws.append((module.sample(3), module.sample(3)))
    assert torch.equal(draws[0][0], draws[1][0])
    assert torch.equal(draws[0][1], draws[1][1])
    assert not torch.equal(draws[0][0], draws[0][1])


def test_sampling_changes_neither_mode_nor_state():
    module = tiny_labelled()
    module.train()
    state = {k: v.clone() for k, v in module.state_dict().items()}
    module.sample(6)
    assert module.generator.training
    assert all(torch.equal(v, state[k]) for k, v in module.state_dict().items())


def test_given_latents_and_labels():
    module = tiny_labelled().eval()
    z = torch.randn(4, 7 - 3)
    labels = torch.tensor([0, 1, 2, 0])
    assert torch.equal(module.sample(latents=z, labels=labels), module.generator(z, labels))
    assert torch.equal(module.sample(latents=z), module.generator(z, labels))  # classes in turn


def test_truncated_latents():
    module = tiny_gan()
    z, _ = module.draw_inputs(500, seed=0, truncation=0.5)
    assert float(z.abs().max()) <= 0.5
    assert float(z.std()) == pytest.approx(0.2837, abs=0.01)  # of N(0, 1) truncated to ±0.5
    with pytest.raises(ConfigError, match="truncation"):
        module.sample(1, truncation=0.01)


def test_uniform_latents():
    module = tiny_gan(latents="uniform")
    z, _ = module.draw_inputs(2000, seed=0)
    assert float(z.min()) >= -1
    assert float(z.max()) <= 1
    assert float(z.var()) == pytest.approx(1 / 3, abs=0.02)


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="unconditional"):
        tiny_gan().sample(labels=torch.tensor([0]))
    with pytest.raises(ConfigError, match=r"received 3; choose labels from 0 to 2"):
        tiny_labelled().sample(labels=torch.tensor([0, 3]))


def test_networks_must_take_the_same_classes():
    module = tiny_labelled()
    with pytest.raises(ConfigError, match="the generator takes 3 classes and the discriminator no"):
        GAN(module.generator, MLPDiscriminator([1, 8, 8]), NonSaturating())
    with pytest.raises(ConfigError, match="the generator takes no classes"):
        GAN(MLPGenerator(4, [1, 8, 8]), module.discriminator, NonSaturating())


def test_conditional_game_shows_both_players_the_real_labels():
    module, seen = tiny_labelled(dropout=0.0), []
    for role in module.roles:
        module.get_submodule(role).register_forward_hook(
            lambda net, inputs, out, role=role: seen.append((role, inputs[1].tolist()))
        )
    data = tiny_images()
    fit(module, batches=1, data=data)
    first = data.train["label"][data.train_dataloader().order(0)[:4]].tolist()
    assert seen == [
        ("generator", first),
        ("discriminator", first + first),  # real examples and samples in one pass
        ("discriminator", first),
    ]


def test_paired_losses_let_the_generator_see_real_scores_without_gradient():
    scores = []

    class Watched(RelativisticPairing):
        def generator(self, fake, real=None):
            scores.append((fake.requires_grad, real.requires_grad, real.shape))
            return super().generator(fake, real)

    fit(tiny_gan(adversarial=Watched()), batches=2)
    assert scores == [(True, False, (4,))] * 2
