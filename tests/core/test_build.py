"""Building objects from plain configurations, and the errors when that fails."""

import pytest

from ganlab.core.build import make
from ganlab.errors import ConfigError

HERE = "ganlab.data.ImageFolder"


def test_a_ganlab_error_of_a_constructor_is_raised_even_if_it_has_a_cause():
    """The constructor raises its ConfigError from an error of Pillow."""
    with pytest.raises(ConfigError) as caught:
        make({"_target_": HERE, "root": "nowhere", "background": "#zz"})
    assert str(caught.value).startswith("data.background: received '#zz'; needs a colour's name")


def test_a_ganlab_error_of_a_nested_object_is_raised():
    part = {"_target_": HERE, "root": "nowhere", "background": "#zz"}
    with pytest.raises(ConfigError, match=r"^data\.background: received '#zz'"):
        make({"_target_": "builtins.dict", "data": part})


def test_any_other_failure_names_the_target():
    with pytest.raises(ConfigError, match=r"^ganlab\.data\.ImageFolder.*unexpected keyword"):
        make({"_target_": HERE, "root": "nowhere", "sise": 8})
