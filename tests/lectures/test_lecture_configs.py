"""Every lecture config has the settings of its lesson, and every lesson has a config."""

import inspect
from pathlib import Path

import pytest
from hydra.utils import instantiate

import ganlab.lectures as lectures
from ganlab.config.compose import compose, to_plain
from ganlab.config.groups import files
from ganlab.lectures import Lesson

NAMES = [name for name, path in files("experiment").items() if path.parent.name == "lecture"]


@pytest.mark.parametrize("name", NAMES)
def test_config(name):
    config = to_plain(compose([f"experiment={name}"]))
    assert not any(config.get(group) for group in ("model", "data", "loss", "evaluation"))
    made = instantiate(config["lesson"])
    signature = inspect.signature(made.func)
    defaults = {key: p.default for key, p in signature.parameters.items()}
    for key, value in made.keywords.items():  # the config's values are the function's defaults
        default = defaults[key]
        assert value == (list(default) if isinstance(default, tuple) else default)
    assert "seed" in defaults
    assert signature.return_annotation in (Lesson, "Lesson")


def test_every_lecture_has_a_config():
    modules = {p.stem for p in Path(lectures.__file__).parent.glob("*.py")}
    assert set(NAMES) == modules - {
        "__init__",
        "lesson",
        "densities",
    }
