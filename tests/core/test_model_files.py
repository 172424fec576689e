"""Model files: what they hold, what they refuse, and the models that come with ganlab."""

import json

import pytest
import torch
from helpers.tiny import REPOSITORY
from safetensors.torch import load_file, safe_open, save_file

from ganlab.cli import main
from ganlab.config.compose import compose, to_plain
from ganlab.config.recipe import recipe
from ganlab.core import model_files
from ganlab.core.load import load_module
from ganlab.core.model_files import model_file, packaged, read_metadata, read_model
from ganlab.errors import GanlabError
from ganlab.exchange.model_export import scored

SMALL = [
    "model=cdcgan_fast",
    "data=mnist_5k",
    "data.limit=64",
    "protocol=none",
    "model.generator.network.features=4",
    "model.discriminator.network.features=4",
    "model.discriminator.network.hidden=8",
    "budget.batches=3",
    "callbacks.ema.ramp_up=null",
    "callbacks.progress.enabled=false",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", *SMALL, f"run_dir={folder}"]) == 0
    return folder


@pytest.fixture(scope="module")
def exported(run):
    assert main(["export", f"run={run}", "format=model", "dtype=float32"]) == 0
    return run / "exported" / "model.safetensors"


def changed(path, folder, tensors=None, **metadata):
    """Write a changed copy of a model file, and return its path."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata() | metadata
    copy = folder / "changed.safetensors"
    save_file(load_file(path) if tensors is None else tensors, copy, metadata)
    return copy


def test_a_model_file_makes_the_samples_of_the_runs_ema_weights(run, exported):
    module, stored = load_module(run), load_module(exported)
    labels = torch.arange(10)
    pictures = module.sample(labels=labels, seed=3)
    assert torch.equal(stored.sample(labels=labels, seed=3), pictures)
    assert not torch.equal(module.sample(labels=labels, seed=3, ema=False), pictures)
    torch.testing.assert_close(stored.score(pictures, labels), module.score(pictures, labels))
    assert stored.examples_seen == module.examples_seen == 192
    assert str(run.parent) not in json.dumps(read_metadata(exported))


def test_float16_halves_the_file_and_rounds_the_weights(run, exported, capsys):
    half = run / "exported" / "half.safetensors"
    assert main(["export", f"run={run}", "format=model", f"out={half}"]) == 0
    assert half.stat().st_size < 0.65 * exported.stat().st_size
    wanted = {
        name: tensor.half().float() if tensor.is_floating_point() else tensor
        for name, tensor in load_module(exported).state_dict().items()
    }
    torch.testing.assert_close(dict(read_model(half).state_dict()), wanted, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ganlab": "other"}, ["cannot be read as a model", "holds no model of ganlab"]),
        ({"config": "{"}, ["cannot be read as a model"]),
        ({"config": "[" * 10_000}, ["nested too deeply"]),
        ({"config": json.dumps({"model": {"_target_": "os.system"}})}, ["os.system", "trust"]),
        ({"scores": json.dumps({"fid": {"value": "low"}})}, ["its scores are damaged"]),
        ({"examples_seen": "many"}, ["cannot be read as a model"]),
        ({"tensors": {"generator.w": torch.zeros(2)}}, ["not those of the model"]),
        ({"config": json.dumps({"model": {}, "loss": [1]})}, ["cannot be used as a model"]),
    ],
)
def test_changed_files_are_refused(exported, tmp_path, change, words):
    with pytest.raises(GanlabError) as error:
        read_model(changed(exported, tmp_path, **change))
    assert all(word in str(error.value) for word in words)


def test_a_configuration_of_huge_networks_takes_no_memory(exported, tmp_path):
    config = read_metadata(exported)["config"]
    config["model"]["discriminator"]["network"]["hidden"] = 10**9
    with pytest.raises(GanlabError, match="not those of the model"):
        read_model(changed(exported, tmp_path, config=json.dumps(config)))


def test_a_configuration_of_very_deep_networks_is_refused_at_once(exported, tmp_path):
    config = read_metadata(exported)["config"]
    config["model"]["discriminator"] = {
        "_target_": "ganlab.networks.MLPDiscriminator",
        "shape": [1, 28, 28],
        "hidden": [1] * 3000,
    }
    with pytest.raises(GanlabError, match="it describes more layers than it holds"):
        read_model(changed(exported, tmp_path, config=json.dumps(config)))


def test_files_that_are_no_safetensors_are_refused(tmp_path, capsys):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x00" * 100)
    assert main(["sample", f"run={path}"]) == 1
    assert "cannot be read as a model" in capsys.readouterr().err


# --- the models that come with ganlab ------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_digits_are_sampled_right_after_installation(elsewhere, capsys):
    assert main(["sample", "run=digits", "labels=7", "n=4"]) == 0
    assert (elsewhere / "outputs" / "digits" / "generated.png").is_file()
    assert "classes5k_train_mnist_5k" in capsys.readouterr().err


def test_a_folder_of_that_name_is_preferred(elsewhere, run):
    (elsewhere / "digits").symlink_to(run)
    with pytest.warns(UserWarning, match="the folder digits is used"):
        assert main(["sample", "run=digits", "n=4"]) == 0
    assert (run / "generated.png").is_file()


def test_digits_are_small_and_of_the_recipe_of_the_quickstart():
    path = packaged()["digits"]
    assert path.stat().st_size <= 3_000_000
    assert path.is_relative_to(REPOSITORY)
    config = read_metadata(path)["config"]
    wanted = to_plain(compose(["experiment=quickstart"]))
    for part in ("model", "loss", "data"):
        assert recipe({part: config[part]}) == recipe({part: wanted[part]})
    assert config["budget"]["minutes"] is None
    assert config["budget"]["examples"] == wanted["budget"]["examples"]


def test_the_recorded_scores_of_digits_are_those_of_what_is_stored():
    path = packaged()["digits"]
    recorded = read_metadata(path)["scores"]
    now = scored(path, to_plain(compose(["experiment=quickstart"])))
    assert recorded.keys() == now.keys()
    for name in ("frechet_distance_digits", "class_frechet_distance_digits"):
        assert now[name]["protocol"] == recorded[name]["protocol"]
        assert now[name]["value"] == pytest.approx(recorded[name]["value"], rel=0.01)


def test_a_damaged_model_of_ganlab_is_noticed(monkeypatch):
    monkeypatch.setitem(model_files.HASHES, "digits", "0" * 64)
    with pytest.raises(GanlabError, match="Reinstall ganlab"):
        load_module("digits")


def test_a_name_of_a_model_is_no_path():
    assert model_file(packaged()["digits"].with_suffix("")) is None
