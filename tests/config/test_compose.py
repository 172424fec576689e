"""Overrides of a protocol: their full paths, and the name of a changed protocol."""

import pytest
from omegaconf import OmegaConf

from ganlab.config.compose import PROTOCOL, compose, merge, spelled_out
from ganlab.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "full_text"),
    [
        ("protocol.samples=9", f"{PROTOCOL}.samples=9"),
        ("+protocol.samples=9", f"+{PROTOCOL}.samples=9"),
        ("~protocol.samples", f"~{PROTOCOL}.samples"),
        ("++features.weights=x", f"++{PROTOCOL}.features.weights=x"),
        ("protocol=samples/modes10k", f"protocol@{PROTOCOL}=modes10k"),
        ("protocol.metrics.x.k=3", f"++{PROTOCOL}.metrics.x.k=3"),
        ("experiment=lecture/dirac", "experiment=dirac"),
        ("~debug", "~debug"),
        ("progress.pictures=false", "callbacks.progress.pictures=false"),
        ("+samples.every_examples=9", "+callbacks.samples.every_examples=9"),
        ("samples=null", "samples=null"),
        ("data.root=a=b", "data.root=a=b"),
    ],
)
def test_overrides_are_spelled_out(text, full_text):
    assert spelled_out(text) == full_text


@pytest.mark.parametrize("text", ["protocol.samples=9", "~protocol.samples"])
def test_a_changed_protocol_has_changed_in_its_name(text):
    config = compose(["experiment=ring_hinge", "protocol=modes10k", text])
    assert OmegaConf.select(config, f"{PROTOCOL}.name").endswith(" (changed)")


def test_texts_are_merged_or_refused():
    base = OmegaConf.create({"data": {"size": 28}})
    assert merge(base, ["data.size=32"]) == {"data": {"size": 32}}
    assert base.data.size == 28
    with pytest.raises(ConfigError, match=r"data\.size=\[a: cannot be read"):
        merge(base, ["data.size=[a"])
    with pytest.raises(ConfigError, match="foo"):
        merge(base, ["data.size=${foo}"], resolve=True)


@pytest.mark.parametrize(
    ("overrides", "minutes"),
    [
        ([], 3),
        (["data=ring", "model=mlp"], 3),
        (["budget.examples=1000"], None),
        (["budget.epochs=2", "budget.minutes=5"], 5),
        (["experiment=ring_hinge"], None),
        (["budget.minutes=null"], None),
    ],
)
def test_a_run_without_any_limit_ends_after_three_minutes(overrides, minutes):
    assert compose(overrides).budget.minutes == minutes
