"""Composed configurations: changed protocols, replaced values, limits."""

import pytest
from omegaconf import OmegaConf

from ganlab.config.compose import PROTOCOL, compose, merge
from ganlab.errors import ConfigError


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


LR = "model.players.generator.optimizer.lr"


@pytest.mark.parametrize("plus", ["", "++"])
def test_a_schedule_replaces_another_with_other_arguments(plus):
    ramp = {"_target_": "ganlab.core.Ramp", "start": 1e-3, "end": 0, "examples": 9}
    text = "{_target_: ganlab.core.Ramp, start: 1e-3, end: 0, examples: 9}"
    config = compose(["model=dcgan_fast", f"{plus}{LR}={text}"])
    assert OmegaConf.select(config, LR) == ramp
    config = compose(["model=dcgan_fast", f"{LR}={text}", f"{LR}.end=1e-4"])
    assert OmegaConf.select(config, LR) == ramp | {"end": 1e-4}
    with pytest.raises(ConfigError, match="Did you mean 'optimizer'"):
        compose(["model=dcgan_fast", f"model.players.generator.optimizr.lr={text}"])
