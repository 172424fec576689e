"""Every experiment and every model composes, validates and trains two batches: by existing."""

import json

import pytest
from omegaconf import OmegaConf

from ganlab.config.checks import check
from ganlab.config.compose import compose, to_plain
from ganlab.config.groups import files, options
from ganlab.config.protocols import named_protocol
from ganlab.config.targets import check_targets, locate
from ganlab.core.build import make
from ganlab.core.load import load_module
from ganlab.record.log import read_metrics
from ganlab.runs.train import train

# sets that are drawn or installed, in place of those whose files are elsewhere
DRAWN = {
    "ganlab.data.PairedImages": "ganlab.data.Shapes",
    "ganlab.data.UnpairedImages": "ganlab.data.ShapesUnpaired",
}
TRANSLATED = {
    *DRAWN,
    *DRAWN.values(),
    "ganlab.data.ShapeSegments",
    "ganlab.data.Edges2Digits",
    "ganlab.data.DigitsUnpaired",
}


def _shrunk(config):
    """A few samples of the same shape and classes in place of the data, and narrow networks."""
    data = config["data"]
    if data["_target_"] in DRAWN:
        kept = {key: data[key] for key in ("size", "channels", "seed")}
        config["data"] = {**kept, "_target_": DRAWN[data["_target_"]]}
        config["callbacks"]["evaluation"] = None
    if data["_target_"] in TRANSLATED:
        counts = {"samples": 8, "test_samples": 4} if "hapes" in config["data"]["_target_"] else {}
        config["data"] |= {**counts, "batch_size": 2}
        if counts and (evaluation := config["callbacks"]["evaluation"]):
            evaluation["protocol"]["samples"] = 4
    elif "size" in data:
        shape = {key: data[key] for key in ("size", "channels")}
        config["data"] = {
            "_target_": "ganlab.data.Synthetic",
            "classes": data["classes"] or 10,
            "samples": 16,
            "batch_size": 4,
            "seed": 0,
            **shape,
        }
        config["callbacks"]["evaluation"] = None
        config["callbacks"]["checkpoints"]["monitor"] = None
    else:
        config["data"] |= {"samples": 64, "batch_size": 8}
        config["callbacks"]["evaluation"]["protocol"]["samples"] = 100
    for role, network in config["model"].items():
        if isinstance(network, dict) and "_target_" in network:
            if role in ("generator_ab", "generator_ba") and "blocks" in network:
                network["blocks"] = 1
            inner = network.get("network", network)
            if "features" in inner:
                inner["features"] = 8
    every = max(player.get("every", 1) for player in config["model"]["players"].values())
    config["budget"] = {"_target_": "ganlab.callbacks.Budget", "batches": 2 * every}
    config["log_every"] = 1
    return config


def _with_folder(overrides):
    """What a set of the user's own folder asks for."""
    return ["data.root=unused"] if "root" in compose(overrides).data else []


def _train(overrides, folder):
    overrides = [*overrides, *_with_folder(overrides)]
    config = to_plain(compose([*overrides, f"run_dir={folder}"]))
    check(config)
    if config["data"]["_target_"] in TRANSLATED:
        config = to_plain(compose([*overrides, f"run_dir={folder}", "data.size=64"]))
    assert train(_shrunk(config)) == 0
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "finished"
    assert all(steps >= 2 for steps in record["counters"]["steps"].values())
    assert len(read_metrics(folder)) == record["counters"]["batches_seen"]
    module = load_module(folder)
    assert module.batches_seen == record["counters"]["batches_seen"]


STUDIES = [name for name, path in files("experiment").items() if path.parent.name == "lecture"]


@pytest.mark.parametrize("experiment", sorted(set(options("experiment")) - set(STUDIES)))
def test_experiment(experiment, tmp_path):
    _train([f"experiment={experiment}"], tmp_path)


@pytest.mark.parametrize("experiment", STUDIES)
def test_study(experiment):
    """Its names, arguments and types are right; tests/lectures looks at its numbers."""
    assert check(to_plain(compose([f"experiment={experiment}", "run_dir=unused"]))) == (None, None)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", STUDIES)
def test_study_takes_less_than_two_minutes(experiment, tmp_path):
    config = to_plain(compose([f"experiment={experiment}", f"run_dir={tmp_path}"]))
    assert train(config) == 0
    assert (tmp_path / "figure.png").exists()
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["numbers"]
    assert record["seconds"] < 120


@pytest.mark.parametrize("name", options("protocol"))
def test_protocol(name):
    """It is called what its file is called, and its scores have names before it is prepared."""
    config = named_protocol(name)
    check_targets({"protocol": config})
    protocol = make(config)
    assert protocol.names
    assert getattr(protocol, "name", name) == name


POINTS = {"mlp"}
ELSEWHERE = {
    "shape_segments": "it is for experiment=segmenter_shapes",
    "digit_classifier": "it is trained by experiment=features_mnist",
    "shape_segmenter": "it is trained by experiment=segmenter_shapes",
}


def _data_for(model):
    """A set that a model can be trained on, without files."""
    target = locate(compose([f"model={model}"]).model._target_, "model")
    if "source" in target.needs:
        return "shapes"
    if "a" in target.needs:
        return "shapes_unpaired"
    return "ring" if model in POINTS else "cifar10" if "32" in model else "mnist"


@pytest.mark.parametrize("model", [m for m in options("model") if m not in ELSEWHERE])
def test_model(model, tmp_path):
    _train([f"model={model}", f"data={_data_for(model)}", "budget.images=1000"], tmp_path)


@pytest.mark.parametrize("loss", [name for name in options("loss") if name != "none"])
@pytest.mark.parametrize("model", ["dcgan", "cdcgan", "pix2pix", "cyclegan"])
def test_loss_with_images(loss, model, tmp_path):
    """Each loss prescribes what suits all kinds of networks alike."""
    _train([f"model={model}", f"loss={loss}", f"data={_data_for(model)}"], tmp_path)


@pytest.mark.parametrize("regularizer", options("regularizer"))
def test_regularizer(regularizer, tmp_path):
    _train(["model=mlp", "data=grid", f"regularizer=[{regularizer}]"], tmp_path)


@pytest.mark.parametrize("data", [d for d in options("data") if d not in ELSEWHERE])
def test_data(data):
    """Every data set validates with a model that suits it, without its files."""
    folder = _with_folder([f"data={data}"])
    given = make(OmegaConf.to_container(compose([f"data={data}", *folder]).data, resolve=True))
    models = {
        "source": "pix2pix",
        "a": "cyclegan",
        "image": "mlp" if len(given.shape) == 1 else "dcgan",
    }
    overrides = [f"data={data}", *folder, f"model={models[given.provides[0]]}"]
    check(to_plain(compose([*overrides, "run_dir=unused"])))
