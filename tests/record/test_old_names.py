"""What earlier versions wrote is read by its old names, and its hashes hold."""

import importlib

import pytest
import torch
from omegaconf import OmegaConf

from ganlab.config.compose import compose, to_plain
from ganlab.config.recipe import changes, protocol_hash, recipe_hash
from ganlab.core.load import read_checkpoint
from ganlab.record.old_names import TARGETS, current, original
from ganlab.record.run import read_config

OLD = {
    "seed": 3,
    "model": {
        "_target_": "ganlab.families.Classifier",
        "network": {"_target_": "ganlab.networks.segmenter.Segmenter", "classes": 6},
        "players": {"network": {"_target_": "ganlab.core.Player", "every": 2}},
    },
    "data": {"_target_": "ganlab.data.ShapeSegments", "batch_size": 4, "root": "here"},
    "logger": {"csv": {"_target_": "ganlab.reports.loggers.CSVLogger"}},
    "trainer": {"precision": "32-true", "devices": 1},
}
PROTOCOL = {
    "_target_": "ganlab.metrics.SampleProtocol",
    "features": {"weights": "x", "_target_": "ganlab.networks.segmenter.Segmenter"},
}


def there(target):
    module, _, name = target.rpartition(".")
    return hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("target", TARGETS.values())
def test_new_names_are_there(target):
    assert there(target)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ganlab.reports.loggers.WandB", "ganlab.record.wandb_logger.WandB"),  # of an older version
        ("ganlab.metrics.frechet.FrechetDistance", "ganlab.metrics.FrechetDistance"),
        ("ganlab.networks.dcgan.DCGANGenerator", "ganlab.networks.DCGANGenerator"),
        ("ganlab.networks.encoders.ResidualEncoder", "ganlab.networks.ResidualEncoder"),
        ("ganlab.data.mnist_5k.MNIST5k", "ganlab.data.MNIST5k"),
        ("ganlab.data.points.Ring", "ganlab.data.points.Ring"),  # has not moved
        ("ganlab.metrics.protocols.samples.SampleProtocol",) * 2,
        ("mine.networks.mlp.MLP", "mine.networks.mlp.MLP"),
    ],
)
def test_targets_of_moved_modules_are_found(old, new):
    assert current([{"x": {"_target_": old, "name": old}}]) == [
        {"x": {"_target_": new, "name": old}}
    ]
    assert not new.startswith("ganlab.") or there(new)


def test_the_first_of_several_old_names_is_the_original():
    for new in TARGETS.values():
        olds = [old for old, name in TARGETS.items() if name == new]
        assert original({"_target_": new}) == {"_target_": olds[0]}


def test_hashes_are_those_that_the_version_before_the_move_took():
    """Literals, computed by that version, which knew nothing of the new names."""
    assert recipe_hash(OLD) == recipe_hash(current(OLD)) == "768ce246286fbafd"
    assert recipe_hash(OLD, best=True) == "768ce246286fbafd"
    assert protocol_hash(PROTOCOL) == protocol_hash(current(PROTOCOL)) == "a2b622bf624d2eba"
    assert recipe_hash(OLD | {"seed": 4}) == recipe_hash(OLD)  # a recipe is for all seeds
    assert recipe_hash(OLD | {"data": OLD["data"] | {"batch_size": 5}}) != recipe_hash(OLD)


def test_a_move_is_no_change_of_a_recipe(tmp_path):
    now = to_plain(compose(["experiment=segmenter_shapes", f"run_dir={tmp_path}"]))
    OmegaConf.save(OmegaConf.create(original(now)), tmp_path / "config.yaml")
    text = (tmp_path / "config.yaml").read_text()
    assert "ganlab.networks.segmenter.Segmenter" in text
    assert "ganlab.reports.loggers.CSVLogger" in text
    assert read_config(tmp_path) == now
    assert changes(read_config(tmp_path), now) == []


def test_checkpoints_are_read_by_their_old_names(tmp_path):
    torch.save({"ganlab": {"config": OLD}}, tmp_path / "last.ckpt")
    assert read_checkpoint(tmp_path / "last.ckpt")["ganlab"]["config"] == current(OLD)


def test_overrides_may_name_old_targets():
    """As those of a sweep that was planned before."""
    config = to_plain(
        compose(["experiment=ring_hinge", "logger.csv._target_=ganlab.reports.loggers.CSVLogger"])
    )
    assert config["logger"]["csv"]["_target_"] == "ganlab.record.loggers.CSVLogger"
