"""The linear probe of known features, and its controls."""

from types import SimpleNamespace

import pytest
import torch
from helpers.tiny import tiny_gan, tiny_labelled
from torch import nn

from ganlab.core.build import build_module
from ganlab.data import MNIST5k, Ring, SwissRoll
from ganlab.errors import ConfigError
from ganlab.metrics import DigitFeatures, ModelSamples
from ganlab.metrics.model.probe import LinearProbe, hidden_features, ridge_classifier
from ganlab.metrics.rows import Rows
from ganlab.networks import DCGANDiscriminator, MLPDiscriminator

PLAYER = {
    "_target_": "ganlab.core.Player",
    "optimizer": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1},
}


def game(discriminator, shape):
    """Return a GAN that is built from a configuration, as `ganlab train` builds it."""
    generator = {"_target_": "ganlab.networks.MLPGenerator", "latent": 4, "shape": shape}
    return build_module(
        {
            "model": {
                "_target_": "ganlab.families.GAN",
                "generator": generator,
                "discriminator": discriminator,
                "players": {"generator": PLAYER, "discriminator": PLAYER},
            },
            "loss": {"adversarial": {"_target_": "ganlab.losses.NonSaturating"}},
        }
    )


def probe(module, data, seed=0, **options):
    metric = LinearProbe(**options)
    metric.bind(None, data)
    metric.check_model(module, data)
    metric.measure(ModelSamples(module, seed), data, None)
    return metric, {name: value.item() for name, value in metric.compute().items()}


# --- the features ---------------------------------------------------------------------------------


def test_an_mlp_gives_its_hidden_layers():
    network = MLPDiscriminator([2], [5, 7], activation="tanh").eval()
    x = torch.randn(6, 2)
    first = network.layers[1](network.layers[0](x))
    second = network.layers[3](network.layers[2](first))
    torch.testing.assert_close(hidden_features(network, x), torch.cat([first, second], 1))
    assert not any(m._forward_pre_hooks for m in network.modules())


def test_convolutions_give_their_maps_pooled_to_four_by_four():
    """The maps are taken after norm and activation, before an in-place layer overwrites them."""
    network = DCGANDiscriminator(28, 1, features=3).eval()
    x = torch.randn(5, 1, 28, 28)
    result = hidden_features(network, x)
    assert result.shape == (5, (3 + 6) * 16)
    maps = network.layers[1](network.layers[0](x))  # (5, 3, 14, 14)
    expected = nn.functional.adaptive_max_pool2d(maps, 4).flatten(1)
    torch.testing.assert_close(result[:, :48], expected)


# --- the classifier -------------------------------------------------------------------------------


def test_ridge_agrees_with_the_primal_solution():
    rng = torch.Generator().manual_seed(0)
    x, labels = torch.randn(60, 5, generator=rng) * 3 + 1, torch.arange(60) % 3
    tests = torch.randn(200, 5, generator=rng) * 3 + 1
    standard = ((x - x.mean(0)) / x.std(0)).double()
    targets = torch.eye(3, dtype=torch.float64)[labels]
    penalty = 0.1 * standard.square().sum() / 60
    inverse = torch.linalg.inv(standard.T @ standard + penalty * torch.eye(5))
    weight = inverse @ standard.T @ (targets - targets.mean(0))
    expected = ((tests - x.mean(0)) / x.std(0)).double() @ weight + targets.mean(0)
    result = ridge_classifier(Rows([x]), labels, 3)(tests)
    assert (result == expected.argmax(1)).float().mean() > 0.99


def test_ridge_separates_linearly_separable_data_and_ignores_constant_features():
    x = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    x[:, 5] = 3.0
    labels = (x[:, 0] > 0).long()
    classify = ridge_classifier(Rows([x[:200]]), labels[:200], 2)
    assert (classify(x[200:]) == labels[200:]).float().mean() > 0.9


# --- the metric -----------------------------------------------------------------------------------


def test_a_network_that_knows_digits_beats_both_controls():
    """The body of the digit classifier serves as a discriminator that has learnt classes."""
    data = MNIST5k(limit=2500)
    module = game({"_target_": "ganlab.networks.DigitClassifier", "classes": 1}, [1, 28, 28])
    trained = DigitFeatures().classifier.state_dict()
    body = {k: v for k, v in trained.items() if k.startswith("body")}
    module.discriminator.load_state_dict(body, strict=False)
    metric, result = probe(module, data, samples=1000)
    assert result["linear_probe"] > 0.97
    assert 0.6 < result["linear_probe_pixels"] < 0.92
    assert result["linear_probe_random"] < result["linear_probe"] - 0.02
    assert "So training has taught" in metric.explain(result)["linear_probe"]
    settings = metric.settings()
    assert settings["tested_on"] == "other training samples"
    assert (settings["labelled_samples"], settings["tested_samples"]) == (1000, 1500)


def test_an_untrained_network_scores_like_its_untrained_control():
    """Random features beat pixels, so a control of pixels alone would overrate training."""
    data = MNIST5k(limit=1500)
    module = game(
        {
            "_target_": "ganlab.networks.DCGANDiscriminator",
            "size": 28,
            "channels": 1,
            "features": 8,
        },
        [1, 28, 28],
    )
    _, result = probe(module, data, samples=500)
    assert result["linear_probe"] == pytest.approx(result["linear_probe_random"], abs=0.06)
    assert result["linear_probe_random"] > result["linear_probe_pixels"] + 0.02


def test_points_with_a_test_split_give_repeatable_scores_without_side_effects():
    data = Ring(samples=600)
    module = game({"_target_": "ganlab.networks.MLPDiscriminator", "shape": [2]}, [2])
    module.train()
    before = {name: x.clone() for name, x in module.state_dict().items()}
    state = torch.get_rng_state()
    metric, result = probe(module, data, samples=300)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(x, before[name]) for name, x in module.state_dict().items())
    assert module.discriminator.training
    assert metric.settings()["tested_on"] == "test"
    assert metric.settings()["tested_samples"] == 600
    assert result["linear_probe"] > 0.95
    assert probe(module, data, samples=300)[1] == result


# --- bad input ------------------------------------------------------------------------------------


def test_unsupported_models_and_data_raise():
    module = game({"_target_": "ganlab.networks.MLPDiscriminator", "shape": [2]}, [2])
    with pytest.raises(ConfigError, match="needs labels; SwissRoll has none"):
        LinearProbe().check_model(module, SwissRoll())
    with pytest.raises(ConfigError, match="is given the label"):
        LinearProbe().check_model(tiny_labelled(), Ring())
    with pytest.raises(ConfigError, match="build_module"):
        LinearProbe().check_model(tiny_gan(), Ring())
    with pytest.raises(ConfigError, match="has no discriminator"):
        LinearProbe().check_model(SimpleNamespace(), Ring())
    module.discriminator = nn.Linear(2, 1)
    with pytest.raises(ConfigError, match="no hidden layers"):
        LinearProbe().check_model(module, Ring())


def test_too_few_samples():
    with pytest.raises(ConfigError, match="samples"):
        LinearProbe(samples=1)
    module = game({"_target_": "ganlab.networks.MLPDiscriminator", "shape": [2]}, [2])
    with pytest.raises(ConfigError, match="received 301; Ring has 300"):
        probe(module, Ring(samples=300), samples=301)


def test_a_matrix_larger_than_the_memory_is_announced():
    """It cannot be divided, so the bound may be exceeded; the score is taken all the same."""
    module = game({"_target_": "ganlab.networks.MLPDiscriminator", "shape": [2]}, [2])
    metric = LinearProbe(samples=300)
    metric.memory, data = 2**20, Ring(samples=600)
    metric.bind(None, data)
    with pytest.warns(UserWarning, match=r"linear probe of 300 samples may take 2 MiB.* 2 times"):
        metric.measure(ModelSamples(module, 0), data, None)
    assert metric.compute()


def test_features_that_are_not_finite():
    module = game({"_target_": "ganlab.networks.MLPDiscriminator", "shape": [2]}, [2])
    nn.init.constant_(module.discriminator.layers[0].weight, float("nan"))
    with pytest.raises(ConfigError, match="not finite"):
        probe(module, Ring(samples=300), samples=100)
