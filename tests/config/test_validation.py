"""Every experiment, every model with every loss, every data set and protocol is valid.

Networks are built on the meta device. Nothing is trained and no data are read; tests/contract
trains every experiment.
"""

from functools import cache

import pytest
from helpers.experiments.shrunk import ELSEWHERE, data_for, plain

from ganlab.config.checks import check
from ganlab.config.compose import compose, to_plain
from ganlab.config.groups import file_of, files, options
from ganlab.config.protocols import named_protocol
from ganlab.config.targets import check_targets, locate
from ganlab.core.build import make
from ganlab.errors import ConfigError
from ganlab.losses import AdversarialLoss

LESSONS = [name for name, path in files("experiment").items() if path.parent.name == "lecture"]


def checked(*overrides):
    """Return a game on the meta device and its data; check that both have the configured types."""
    config = plain(*overrides, "run_dir=unused")
    module, data = check(config)
    assert type(module) is locate(config["model"]["_target_"], "model")
    assert type(data) is locate(config["data"]["_target_"], "data")
    assert module.config["model"] == config["model"]
    assert next(module.parameters()).is_meta
    assert set(module.needs) <= set(data.provides)
    return module, data


@pytest.mark.parametrize("experiment", sorted(set(options("experiment")) - set(LESSONS)))
def test_experiment(experiment):
    checked(f"experiment={experiment}")


@pytest.mark.parametrize("experiment", LESSONS)
def test_lesson(experiment):
    """Names and types of a lesson's arguments are right; tests/lectures checks its numbers."""
    assert check(to_plain(compose([f"experiment={experiment}", "run_dir=unused"]))) == (None, None)


@pytest.mark.parametrize("name", [n for n in options("protocol") if n != "none"])
def test_protocol(name):
    """A protocol has its file's name, and knows its scores' names before it is prepared."""
    config = named_protocol(name)
    check_targets({"protocol": config})
    protocol = make(config)
    assert protocol.names
    assert getattr(protocol, "name", name) == name


@pytest.mark.parametrize("model", [m for m in options("model") if m not in ELSEWHERE])
@pytest.mark.parametrize("loss", [name for name in options("loss") if name != "none"])
def test_model_with_loss(model, loss):
    words = [f"model={model}", f"loss={loss}", f"data={data_for(model)}", "budget.examples=1000"]
    module, _ = checked(*words)
    losses = [part for part in module.modules() if isinstance(part, AdversarialLoss)]
    assert {type(part) for part in losses} == {locate(_named(loss), "loss")}


@cache
def _named(loss):
    return compose([f"loss={loss}"]).loss.adversarial._target_


@pytest.mark.parametrize("regularizer", options("regularizer"))
def test_regularizer(regularizer):
    checked("model=dcgan", "data=mnist", f"regularizer=[{regularizer}]")


@pytest.mark.parametrize(
    "words",
    [
        ["model=mlp", "data=ring", "regularizer=[ada]"],
        ["model=mlp", "data=ring", "regularizer=[r1,diff_augment]"],
        ["model=cyclegan", "data=unpaired", "data.channels=2", "regularizer=[ada]"],
    ],
)
def test_augmentations_that_need_pictures(words):
    with pytest.raises(ConfigError, match=r"needs pictures \(N, C, H, W\)|ADA.color: received"):
        checked(*words)


@pytest.mark.parametrize("data", [d for d in options("data") if d not in ELSEWHERE])
def test_data(data):
    """Each data set is tested with a model that fits the data sets of its folder."""
    models = {"images": "dcgan", "points": "mlp", "pairs": "pix2pix", "unpaired": "cyclegan"}
    checked(f"data={data}", f"model={models[file_of('data', data).parent.name]}")
