"""Objects from plain configurations, and whose words a user reads when one cannot be made."""

import pytest

from ganlab.core.build import make
from ganlab.errors import ConfigError

HERE = "ganlab.data.ImageFolder"


def test_an_objects_own_error_is_raised_even_where_it_has_a_cause():
    """The constructor words its error after Pillow's, from which it is raised."""
    with pytest.raises(ConfigError) as caught:
        make({"_target_": HERE, "root": "nowhere", "background": "#zz"})
    assert str(caught.value).startswith("data.background: received '#zz'; needs a colour's name")


def test_an_error_of_a_part_within_is_the_parts_own():
    part = {"_target_": HERE, "root": "nowhere", "background": "#zz"}
    with pytest.raises(ConfigError, match=r"^data\.background: received '#zz'"):
        make({"_target_": "builtins.dict", "data": part})


def test_any_other_failure_names_the_target():
    with pytest.raises(ConfigError, match=r"^ganlab\.data\.ImageFolder.*unexpected keyword"):
        make({"_target_": HERE, "root": "nowhere", "sise": 8})
