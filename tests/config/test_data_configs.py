"""Every file of conf/data has a description and all arguments, and builds data of its shape."""

import pytest
from hydra import compose
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

from ganlab.config.groups import files
from ganlab.config.source import initialized
from ganlab.config.targets import parameters_of

FILES = list(files("data").values())
NAMES = [path.stem for path in FILES]


def composed(path):
    with initialized():
        data = compose(f"data/{path.stem}").data
    if data.get("root", "") is None:
        data.root = "/nowhere"  # for users' own folders
    return OmegaConf.create({"seed": 3, "data": data}).data


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_config_begins_with_a_description(path):
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert 20 < len(first) <= 110


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_config_names_every_argument(path):
    """So every argument can be overridden without a plus, and misspellings are found."""
    config = composed(path)
    arguments = parameters_of(get_class(config["_target_"]))
    assert set(config) - {"_target_"} == set(arguments)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_config_builds_without_files(path, monkeypatch):
    monkeypatch.setenv("GANLAB_DATA", "/nowhere")
    config = composed(path)
    data = instantiate(config)
    assert data.seed == 3
    assert data.classes == config.get("classes", data.classes)
    if "size" in config:
        assert data.shape == (config.channels, config.size, config.size)
        assert str(getattr(data, "root", "/nowhere")).startswith("/nowhere")
    else:
        assert data.shape == (config.dimensions,)
    assert ("label" in data.provides) == (data.classes is not None)


def test_all_data_sets_have_a_config():
    names = "mnist mnist_5k fashion_mnist cifar10 celeba64 synthetic ring grid swiss_roll two_moons"
    assert set(names.split()) <= set(NAMES)
