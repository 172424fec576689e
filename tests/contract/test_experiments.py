"""Every experiment, model, loss and regularizer trains two batches and uses its parts."""

import json

import pytest
from helpers.experiments.acted import Acted
from helpers.experiments.shrunk import ELSEWHERE, TRANSLATED, data_for, plain, shrunk

from ganlab.config.compose import compose, to_plain
from ganlab.config.groups import files, options
from ganlab.core.load import load_module
from ganlab.runs.train import train

pytestmark = [pytest.mark.contract, pytest.mark.usefixtures("no_curves")]


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Function that trains a small version of a configuration, and checks which parts acted."""

    def run(*overrides):
        words = [*overrides, f"run_dir={tmp_path}"]
        if (config := plain(*words))["data"]["_target_"] in TRANSLATED:
            config = plain(*words, "data.size=64")
        config = shrunk(config)
        acted = Acted(config, monkeypatch)
        assert train(config) == 0
        record = json.loads((tmp_path / "run.json").read_text())
        assert record["status"] == "finished"
        assert all(steps >= 2 for steps in record["counters"]["steps"].values())
        assert load_module(tmp_path).batches_seen == record["counters"]["batches_seen"]
        acted.check()

    return run


LESSONS = [name for name, path in files("experiment").items() if path.parent.name == "lecture"]


@pytest.mark.parametrize("experiment", sorted(set(options("experiment")) - set(LESSONS)))
def test_experiment(experiment, trained):
    trained(f"experiment={experiment}")


@pytest.mark.slow
@pytest.mark.parametrize("experiment", LESSONS)
def test_lesson_takes_less_than_two_minutes(experiment, tmp_path):
    config = to_plain(compose([f"experiment={experiment}", f"run_dir={tmp_path}"]))
    assert train(config) == 0
    assert (tmp_path / "figure.png").exists()
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["numbers"]
    assert record["seconds"] < 120


@pytest.mark.parametrize("model", [m for m in options("model") if m not in ELSEWHERE])
def test_model(model, trained):
    trained(f"model={model}", f"data={data_for(model)}", "budget.examples=1000")


@pytest.mark.parametrize("loss", [name for name in options("loss") if name != "none"])
@pytest.mark.parametrize("model", ["dcgan", "cdcgan", "pix2pix", "cyclegan"])
def test_loss_with_images(loss, model, trained):
    """The settings in a loss's file work with all kinds of networks."""
    trained(f"model={model}", f"loss={loss}", f"data={data_for(model)}")


@pytest.mark.parametrize("regularizer", options("regularizer"))
def test_regularizer(regularizer, trained):
    needs_pictures = regularizer in ("ada", "diff_augment")
    parts = ("model=dcgan", "data=synthetic") if needs_pictures else ("model=mlp", "data=grid")
    trained(*parts, f"regularizer=[{regularizer}]")
