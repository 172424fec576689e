"""Plain YAML is read as OmegaConf reads it."""

import pytest
import yaml
from omegaconf import OmegaConf

from ganlab.config.groups import CONF
from ganlab.record.plain_yaml import parse

SCALARS = (
    *("1", "-3", "+4", "1_000", "0x1F", "0b11", "017", "0o17", "1:30", "1:30.5"),
    *("1e-5", "1E5", "-2e+3", "1.5", "1.", "-.5", ".5", ".5e3", ".5e+3", "1.e5"),
    *(".inf", "-.inf", ".nan", "true", "no", "On", "~", "null", "1e", "1-e5", "v1.5"),
    *("2026-11-29", "2026-11-29T10:00:00", "${seed}", "'x: 1'", "[1e-5, no]"),
)


@pytest.mark.parametrize("scalar", SCALARS)
def test_scalars_are_read_as_omegaconf_reads_them(scalar):
    text = f"key: {scalar}"

    ours = parse(text)["key"]
    theirs = OmegaConf.to_container(OmegaConf.create(text))["key"]

    assert repr(ours) == repr(theirs)


def test_all_config_files_are_read_as_omegaconf_reads_them():
    paths = sorted(CONF.rglob("*.yaml"))

    for path in paths:
        expected = OmegaConf.to_container(OmegaConf.load(path))
        assert (parse(path.read_text(encoding="utf-8")) or {}) == expected, path

    assert len(paths) > 100


@pytest.mark.parametrize(
    "text",
    ["a: 1\na: 2", "{a: 1, b: {c: 1, c: 2}}", "a: [1", "!!python/object/apply:os.getcwd []"],
    ids=["repeated", "repeated inside", "unclosed", "tag"],
)
def test_repeated_keys_damage_and_tags_are_refused(text):
    with pytest.raises(yaml.YAMLError):
        parse(text)


def test_merged_keys_may_be_overridden():
    assert parse("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}")["b"] == {"x": 3, "y": 2}


MERGES = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}\nb:\n" + "- {<<: *a}\n" * 200


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{1.5: a, 2.5: b}", "a key is no text and no whole number"),
        ("a: " + "1" * 21, "a number of 21 characters"),
        ("a: 1" + ":59" * 90_000, "a number of 270,001 characters"),
        ("a: 1" + ":59" * 90_000 + ".5", "a number of 270,003 characters"),
        (MERGES, "more than 100,000 entries"),
    ],
)
def test_values_that_take_long_to_read_are_refused(text, words):
    """Keys whose hashes are alike, numbers of many digits, and mappings that are merged often."""
    with pytest.raises(ValueError, match=words):
        parse(text)
