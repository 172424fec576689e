"""Overrides of `ganlab train` before they are composed."""

import pytest

from ganlab.config.groups import PROTOCOL
from ganlab.config.overrides import replacing, spelled_out


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


def test_lists_and_mappings_with_a_target_replace_the_old_value():
    text = "a.lr={_target_: x.Y, start: 1}"
    nested = "a.e={lr: {_target_: x.Y}}"
    given = [
        "seed=1",
        nested,
        text,
        "a.b={c: 1}",
        "+a.c={_target_: x.Y}",
        "loss=[a]",
        "hydra.x=[1]",
        "a.d=[1]",
    ]
    assert replacing(given) == [
        "seed=1",
        nested,
        "a.lr=null",
        text,
        "a.b={c: 1}",
        "+a.c={_target_: x.Y}",
        "loss=[a]",
        "hydra.x=[1]",
        "a.d=null",
        "a.d=[1]",
    ]
