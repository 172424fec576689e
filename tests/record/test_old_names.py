"""Files of earlier versions with old names are read, and their hashes do not change."""

import importlib
import json
import re
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from ganlab.config.compose import compose, to_plain
from ganlab.config.recipe import changes, protocol_hash, recipe_hash
from ganlab.core.load import read_checkpoint
from ganlab.data import Ring
from ganlab.data.readers.caching import read_cache, write_cache
from ganlab.errors import ConfigError
from ganlab.record.log import read_metrics, rename_columns
from ganlab.record.loggers import CSVLogger
from ganlab.record.old_names import (
    TARGETS,
    current,
    current_override,
    original,
    refuse_old_names,
)
from ganlab.record.run import read_config
from ganlab.record.sweep import jobs_of

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

GAME = {
    "run_dir": "there",
    "study": None,
    "budget": {"images": 640, "batches": None},
    "data": {"_target_": "ganlab.data.Ring", "samples": 5000},
    "callbacks": {
        "evaluation": {"every_images": 320, "protocol": {"samples": 100}},
        "checkpoints": {"every_images": 64, "monitor": "modes"},
    },
    "model": {"lr": {"_target_": "ganlab.core.Ramp", "start": 1.0, "end": 0.0, "images": 300}},
    "trainer": {"devices": 1},
}
OVERRIDES = {
    "budget.images=20000": "budget.examples=20000",
    "++budget.images=1,2": "++budget.examples=1,2",
    "budget={images: 5, minutes: null}": "budget={examples: 5, minutes: null}",
    "callbacks.samples.every_images=64": "callbacks.samples.every_examples=64",
    "callbacks.samples={every_images: 64}": "callbacks.samples={every_examples: 64}",
    "loss.regularizers.noise.sigma.images=9": "loss.regularizers.noise.sigma.examples=9",
    "x={_target_: ganlab.core.Ramp, images: 9}": "x={_target_: ganlab.core.Ramp, examples: 9}",
    "x.delay=${budget.images}": "x.delay=${budget.examples}",
    "study.images=640": "lesson.images=640",
    "evaluation=ring": "protocol=ring",
    "++evaluation=none": "protocol=none",
    "~evaluation": "protocol=none",
    "evaluation=null": "protocol=none",
    "study=null": "lesson=null",
    "budget={ images : 5, minutes: null}": "budget={ examples : 5, minutes: null}",
    "x={images: 9, _target_: ganlab.core.Ramp}": "x={examples: 9, _target_: ganlab.core.Ramp}",
}
OLD_WORDS = (
    r"told_apart|fooled|images_seen|every_images|budget\.images|images_in_batch|"
    r"(?:last|best)_images|[\"']image[\"']"
)
SAME = [
    "protocol.metrics.sliced_wasserstein.images=16384",
    "callbacks.evaluation.protocol.metrics.sliced_wasserstein.images=16384",
    "lesson.images=640",
    "data.root=my/images",
    "data.root=budget_images",
    "name=images",
    "+data.images=7",  # of a user's own class
    "run=outputs/every_images",
    "name=budget.images",
    "study=images",  # an argument of `ganlab tune`
]


def exists(target):
    module, _, name = target.rpartition(".")
    return hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("target", TARGETS.values())
def test_new_names_exist(target):
    assert exists(target)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ganlab.reports.loggers.WandB", "ganlab.record.wandb_logger.WandB"),  # another old name
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
    assert not new.startswith("ganlab.") or exists(new)


def test_the_first_of_several_old_names_is_the_original():
    for new in TARGETS.values():
        olds = [old for old, name in TARGETS.items() if name == new]
        assert original({"_target_": new}) == {"_target_": olds[0]}


def test_hashes_equal_those_of_the_version_before_the_move():
    """The literals were computed by that version, without the new names."""
    assert recipe_hash(OLD) == recipe_hash(current(OLD)) == "768ce246286fbafd"
    assert recipe_hash(OLD, best=True) == "768ce246286fbafd"
    assert protocol_hash(PROTOCOL) == protocol_hash(current(PROTOCOL)) == "a2b622bf624d2eba"
    assert recipe_hash(OLD | {"seed": 4}) == recipe_hash(OLD)  # the seed is no part of a recipe
    assert recipe_hash(OLD | {"data": OLD["data"] | {"batch_size": 5}}) != recipe_hash(OLD)


def test_hashes_equal_those_of_the_version_with_images():
    """The literals were computed by that version."""
    assert recipe_hash(GAME) == recipe_hash(current(GAME)) == "8c1e1cbb9cbc565d"
    assert recipe_hash(GAME, best=True) == recipe_hash(current(GAME), True) == "2d565db083dbbe9f"
    assert Ring(samples=100).content_hash() == "b3ad799130f13bdf"


def test_keys_without_effect_are_left_out():
    player = {"_target_": "ganlab.core.Player", "modules": ["a"], "shared": ["a"]}
    assert current({"players": {"critic": player}})["players"]["critic"] == {
        "_target_": "ganlab.core.Player",
        "modules": ["a"],
    }
    metric = {"_target_": "ganlab.metrics.PrecisionRecall", "k": 3, "memory_mib": 9}
    assert "memory_mib" not in current({"precision": metric})["precision"]
    for text in (
        "+model.players.critic.shared=[a]",
        "protocol.metrics.precision.memory_mib=9",
        "callbacks.evaluation.protocol.metrics.precision.memory_mib=9",
    ):
        assert current({"overrides": ["seed=1", text]}) == {"overrides": ["seed=1"]}
        with pytest.raises(ConfigError, match="Leave this out"):
            refuse_old_names(["seed=1", text])


def test_keys_are_renamed_and_back():
    new = current(GAME)
    assert new["budget"] == {"examples": 640, "batches": None}
    assert new["callbacks"]["evaluation"]["every_examples"] == 320
    assert new["model"]["lr"]["examples"] == 300
    assert "study" not in new
    assert new["lesson"] is None
    assert original(new) == GAME
    assert current(new) == new


def test_if_both_keys_exist_the_value_of_the_new_key_is_kept():
    assert current({"examples_seen": 9, "images_seen": 5}) == {"examples_seen": 9}
    assert current({"images_seen": 5, "examples_seen": 9}) == {"examples_seen": 9}


def test_other_keys_keep_their_names():
    kept = {
        "sliced_wasserstein": {"_target_": "ganlab.metrics.SlicedWasserstein", "images": 9},
        "sweep": {"study": "mine", "kind": "tune"},
    }
    assert current(kept) == kept == original(kept)


@pytest.mark.parametrize(("old", "new"), OVERRIDES.items())
def test_old_overrides_are_read_but_refused_on_a_command_line(old, new):
    assert current_override(old) == new == current_override(new)
    assert current({"overrides": [old]}) == {"overrides": [new]}
    with pytest.raises(ConfigError) as raised:
        refuse_old_names([new, old])
    assert str(raised.value).endswith(f"Write {new}")


@pytest.mark.parametrize("text", SAME)
def test_other_overrides_stay(text):
    assert current_override(text) == text


def test_an_old_sweep_is_read(tmp_path):
    jobs = [
        {"job": i, "folder": str(i), "overrides": ["budget.images=64", f"seed={i}"]} for i in (0, 1)
    ]
    (tmp_path / "sweep.json").write_text(json.dumps({"name": "x", "jobs": jobs}))
    assert [job.overrides[0] for job in jobs_of(tmp_path)] == ["budget.examples=64"] * 2


def test_an_old_log_is_rewritten_on_resume(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("images_seen,a,doctor/training_images\n4,0.5,\n8,,100\n12,1,\n")
    assert read_metrics(tmp_path)[1] == {"examples_seen": 8, "doctor/training_examples": 100}
    CSVLogger(tmp_path).resume(8)
    assert path.read_text() == "examples_seen,a,doctor/training_examples\n4,0.5,\n8,,100\n"


def test_an_old_timing_file_gets_a_new_header(tmp_path):
    path = tmp_path / "timing.csv"
    path.write_text("images_seen,batches_seen,seconds,images_per_second\n4,1,0.5,8.0\n")
    for _ in range(2):
        rename_columns(path)
        assert path.read_text() == (
            "examples_seen,batches_seen,seconds,examples_per_second\n4,1,0.5,8.0\n"
        )


def test_caches_are_shared_with_older_versions(tmp_path):
    """Files still have the key "image", whose new name is "example"."""
    write_cache(tmp_path / "x", {"example": torch.arange(3), "label": torch.arange(2)})
    assert set(load_file(tmp_path / "x")) == {"image", "label"}
    assert set(read_cache(tmp_path / "x", lambda kinds: True)) == {"example", "label"}


def test_old_names_are_only_in_the_table():
    """The batch key "image" is old; the modality and the ONNX output "image" are allowed."""
    root = Path(__file__).parents[2]
    files = [p for part in ("ganlab", "conf", ".github") for p in (root / part).rglob("*.*")]
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in (*files, root / "README.md")
        if path.suffix in (".py", ".yaml", ".yml", ".md", ".js", ".html")
    }
    assert len(texts) > 300
    found = {
        str(path.relative_to(root)): words
        for path, text in texts.items()
        if (words := re.findall(OLD_WORDS, text)) and path.stem != "old_names"
    }
    image = found.pop("ganlab/modalities/image.py"), found.pop("ganlab/modalities/base.py")
    assert image == (['"image"'], ['"image"'])
    assert found == {"ganlab/exchange/graphs.py": ['"image"']}


def test_a_renaming_does_not_change_the_recipe(tmp_path):
    config = to_plain(compose(["experiment=segmenter_shapes", f"run_dir={tmp_path}"]))
    OmegaConf.save(OmegaConf.create(original(config)), tmp_path / "config.yaml")
    text = (tmp_path / "config.yaml").read_text()
    assert "ganlab.networks.segmenter.Segmenter" in text
    assert "ganlab.reports.loggers.CSVLogger" in text
    assert read_config(tmp_path) == config
    assert changes(read_config(tmp_path), config) == []


def test_old_checkpoints_are_read(tmp_path):
    torch.save({"ganlab": {"config": OLD}}, tmp_path / "last.ckpt")
    assert read_checkpoint(tmp_path / "last.ckpt")["ganlab"]["config"] == current(OLD)


def test_overrides_may_name_old_targets():
    """A sweep that an older version planned may contain such overrides."""
    config = to_plain(
        compose(["experiment=ring_hinge", "logger.csv._target_=ganlab.reports.loggers.CSVLogger"])
    )
    assert config["logger"]["csv"]["_target_"] == "ganlab.record.loggers.CSVLogger"
