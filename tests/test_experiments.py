"""Every experiment and every model composes, validates and trains two batches: by existing."""

import json

import pytest

from ganlab.cli.compose import compose, options, to_plain
from ganlab.cli.protocols import named_protocol
from ganlab.cli.train import train
from ganlab.cli.validate import check
from ganlab.core.build import make
from ganlab.core.checks import check_targets
from ganlab.reports.loggers import read_metrics
from ganlab.reports.runs import load_module


def _shrunk(config):
    """A few samples of the same shape and classes in place of the data, and narrow networks."""
    data = config["data"]
    if "size" in data:
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
        if role in ("generator", "discriminator"):
            inner = network.get("network", network)
            if "features" in inner:
                inner["features"] = 8
    every = max(player.get("every", 1) for player in config["model"]["players"].values())
    config["budget"] = {"_target_": "ganlab.callbacks.Budget", "batches": 2 * every}
    config["log_every"] = 1
    return config


def _train(overrides, folder):
    config = to_plain(compose([*overrides, f"run_dir={folder}"]))
    check(config)
    assert train(_shrunk(config)) == 0
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "finished"
    assert all(steps >= 2 for steps in record["counters"]["steps"].values())
    assert len(read_metrics(folder)) == record["counters"]["batches_seen"]
    module = load_module(folder)
    assert module.batches_seen == record["counters"]["batches_seen"]


STUDIES = [name for name in options("experiment") if name.startswith("lecture/")]


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
ELSEWHERE = {"digit_classifier": "it is trained by experiment=features_mnist"}


@pytest.mark.parametrize("model", [m for m in options("model") if m not in ELSEWHERE])
def test_model(model, tmp_path):
    data = "ring" if model in POINTS else "cifar10" if "32" in model else "mnist"
    _train([f"model={model}", f"data={data}", "budget.images=1000"], tmp_path)


@pytest.mark.parametrize("loss", [name for name in options("loss") if name != "none"])
@pytest.mark.parametrize("model", ["dcgan", "cdcgan"])
def test_loss_with_images(loss, model, tmp_path):
    """Each loss prescribes what suits unconditional and conditional networks alike."""
    _train([f"model={model}", f"loss={loss}", "data=mnist"], tmp_path)


@pytest.mark.parametrize("regularizer", options("regularizer"))
def test_regularizer(regularizer, tmp_path):
    _train(["model=mlp", "data=grid", f"regularizer=[{regularizer}]"], tmp_path)


@pytest.mark.parametrize("data", options("data"))
def test_data(data):
    """Every data set validates with a model that suits it, without its files."""
    model = "mlp" if "dimensions" in compose([f"data={data}"]).data else "dcgan"
    check(to_plain(compose([f"data={data}", f"model={model}", "run_dir=unused"])))


@pytest.mark.parametrize("experiment", options("experiment"))
def test_baseline_is_complete(experiment):
    """Whoever claims a paper's figure says what, how, within what, and where it stands."""
    baseline = compose([f"experiment={experiment}"]).get("baseline")
    if baseline is not None:
        assert set(baseline) == {"paper", "metric", "value", "protocol", "tolerance", "source"}
