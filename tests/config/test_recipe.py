"""Which settings change a recipe, and how a recipe is shortened."""

import pytest

from ganlab.config.compose import compose, to_plain
from ganlab.config.recipe import changes, protocol_hash, recipe_hash, shortened
from ganlab.core.build import make
from ganlab.errors import ConfigError


def composed(*overrides, experiment="wgan_gp_cifar10"):
    return to_plain(compose([f"experiment={experiment}", "run_dir=unused", *overrides]))


@pytest.mark.parametrize(
    "override",
    [
        "trainer=gpu",
        "data.root=elsewhere",
        "data.download=false",
        "logger=tensorboard",
        "seed=3",
        "threads=2",
        "metrics_memory=1GiB",
        "callbacks.samples.every_examples=null",
        "callbacks.progress.enabled=false",
        "memory_format=contiguous",
        "trainer.devices=[0]",
        "name=other",
    ],
)
def test_where_a_run_is_trained_does_not_change_the_recipe(override):
    base, new = composed(), composed(override)
    assert changes(new, base) == []
    assert recipe_hash(new) == recipe_hash(base)


@pytest.mark.parametrize(
    ("override", "change"),
    [
        ("budget.batches=10", "budget.batches: 500000 → 10"),
        ("data.batch_size=32", "data.batch_size: 64 → 32"),
        ("trainer.precision=bf16-mixed", "trainer.precision: 32-true → bf16-mixed"),
        ("loss.regularizers.gradient_penalty.weight=1", "weight: 10.0 → 1"),
        ("model.generator.features=8", "model.generator.features: 256 → 8"),
        ("+trainer.limit_train_batches=3", "trainer.limit_train_batches: None → 3"),
    ],
)
def test_changes_are_named(override, change):
    base, new = composed(), composed(override)
    (only,) = changes(new, base)
    assert only.endswith(change)
    assert recipe_hash(new) != recipe_hash(base)


def test_the_recipe_counts_the_joint_batch_of_all_processes():
    """Batch norm without synchronisation over several processes is another recipe."""
    base, half = composed(), "data.batch_size=32"
    for devices in ("trainer.devices=2", "trainer.devices=[0,1]", "trainer.num_nodes=2"):
        new = composed(devices, half, "trainer.sync_batchnorm=true")
        assert changes(new, base) == []
        assert recipe_hash(new) == recipe_hash(base)
        unsynchronised = changes(composed(devices, half), base)
        assert unsynchronised == ["trainer.sync_batchnorm: None → false over 2 processes"]
    doubled = composed("trainer.devices=2", "trainer.sync_batchnorm=true")
    assert changes(doubled, base) == ["data.batch_size: 64 → 128"]


def test_the_hash_of_a_recipe_never_changes():
    """The hash was recorded by an earlier version."""
    config = {"budget": {"batches": 5}, "data": {"batch_size": 8, "root": "x"}, "seed": 1}
    trainer = {"devices": 1, "num_nodes": 1, "sync_batchnorm": False, "precision": "32-true"}
    assert recipe_hash(config | {"trainer": trainer}) == "a2c30aa3c74b1fcc"


def test_the_hash_of_a_protocol_ignores_paths_of_weights():
    protocol = {"name": "x", "samples": 10, "features": {"weights": "here"}}
    assert protocol_hash(protocol) == protocol_hash(protocol | {"features": {"weights": "there"}})
    assert protocol_hash(protocol) != protocol_hash(protocol | {"samples": 11})


def test_the_evaluation_counts_if_it_chooses_the_checkpoint():
    base = composed(experiment="dcgan_cifar10")
    new = composed("callbacks.evaluation.every_examples=1000", experiment="dcgan_cifar10")
    assert changes(new, base) == []
    assert changes(new, base, best=True) == ["callbacks.evaluation.every_examples: 256000 → 1000"]


@pytest.mark.parametrize(
    ("experiment", "path"),
    [
        ("wgan_gp_cifar10", "model.players.generator.optimizer.lr"),
        ("features_mnist", "model.players.network.optimizer.lr"),
        ("cyclegan_maps", "model.players.generator.optimizer.lr"),
        ("ring_non_saturating", "loss.regularizers.instance_noise.sigma"),
    ],
)
def test_schedules_shrink_with_the_run(experiment, path):
    """After the same fraction of the short and of the long run, schedules have the same value."""

    def schedule(config):
        for key in path.split("."):
            config = config[key]
        made = make(config)
        made.examples_per_epoch = 1000
        return made

    whole = composed(experiment=experiment)
    short = composed(*shortened(whole, 0.1), experiment=experiment)
    for limit, value in whole["budget"].items():
        if isinstance(value, (int, float)):
            assert short["budget"][limit] == pytest.approx(0.1 * value)
    for examples in (0, 100_000, 170_000, 300_000, 32_000_000):
        assert schedule(short)(0.1 * examples) == pytest.approx(schedule(whole)(examples))


def test_every_player_makes_at_least_one_step():
    """A step takes `every` · `accumulate` batches."""
    assert "budget.batches=5" in shortened(composed(), 1e-9)
    accumulating = composed("model.players.generator.accumulate=3")
    assert "budget.batches=15" in shortened(accumulating, 1e-9)


def test_half_life_and_cadences_shrink_with_the_run():
    """The cadences of scores and checkpoints are at least one batch."""
    for experiment, name, key in (
        ("quickstart", "ema", "half_life"),
        ("dcgan_cifar10", "evaluation", "every_examples"),
        ("dcgan_cifar10", "checkpoints", "every_examples"),
    ):
        whole = composed(experiment=experiment)
        short = composed(*shortened(whole, 0.1), experiment=experiment)
        assert short["callbacks"][name][key] == pytest.approx(0.1 * whole["callbacks"][name][key])
    batch = whole["data"]["batch_size"]
    assert f"callbacks.evaluation.every_examples={batch}" in shortened(whole, 1e-9)
    maps = composed(experiment="cyclegan_maps")
    short = composed(*shortened(maps, 0.1), experiment="cyclegan_maps")
    assert short["schedule"] == {"epochs": 10, "decay_epochs": 10}


def test_schedules_in_a_list_cannot_be_shortened():
    config = composed()
    config["loss"]["terms"] = [{"_target_": "ganlab.core.Ramp", "examples": 10}]
    with pytest.raises(ConfigError, match=r"loss\.terms"):
        shortened(config, 0.5)
