"""Players, and the optimizers that they build."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, RMSprop

from ganlab.core.player import Player
from ganlab.core.schedule import Ramp, ScheduledScalars, Steps
from ganlab.errors import ConfigError


def weight(value=0.0):
    return nn.Parameter(torch.tensor([value], dtype=torch.float64))


def build(optimizer, *parameters):
    scheduled = ScheduledScalars()
    player = Player(optimizer=optimizer)
    return player.build_optimizer("generator", list(parameters) or [weight()], scheduled), scheduled


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": 0}, ["player.every", "0", "1 or more"]),
        ({"every": -2}, ["player.every", "-2", "1 or more"]),
        ({"accumulate": 0}, ["player.accumulate", "0", "1 or more"]),
        ({"gradient_clip": 0.0}, ["player.gradient_clip", "0.0", "above 0", "null"]),
        ({"gradient_clip": -1.0}, ["player.gradient_clip", "-1.0", "above 0", "null"]),
    ],
)
def test_errors_name_argument_value_and_allowed(options, words):
    with pytest.raises(ConfigError) as error:
        Player(optimizer=Adam, **options)
    for word in words:
        assert word in str(error.value)


def test_options_reach_the_optimizer():
    optimizer, scheduled = build(partial(Adam, lr=3e-4, betas=[0.5, 0.9], eps=1e-7))
    assert isinstance(optimizer, Adam)
    group = optimizer.param_groups[0]
    assert (group["lr"], list(group["betas"]), group["eps"]) == (3e-4, [0.5, 0.9], 1e-7)
    assert len(scheduled) == 0


def test_null_options_are_dropped():
    """A loss config replaces Adam by RMSprop, which has no arguments betas and fused."""
    optimizer, _ = build(partial(RMSprop, lr=5e-5, betas=None, fused=None, alpha=None))
    assert isinstance(optimizer, RMSprop)
    assert optimizer.param_groups[0]["lr"] == 5e-5
    assert optimizer.param_groups[0]["alpha"] == RMSprop([weight()]).param_groups[0]["alpha"]


def test_an_optimizer_without_options():
    parameter = weight()
    optimizer, _ = build(Adam, parameter)
    assert optimizer.param_groups[0]["lr"] == 1e-3
    assert optimizer.param_groups[0]["params"] == [parameter]


def test_learning_rate_and_betas_follow_schedules():
    lr, beta2 = Ramp(1e-3, 1e-4, examples=100, shape="exponential"), Steps([0.9, 0.99], at=[60])
    optimizer, scheduled = build(partial(Adam, lr=lr, betas=[0.5, beta2]))
    group = optimizer.param_groups[0]
    for examples in (None, 0, 50, 60, 100, 500):
        if examples is not None:
            scheduled.update(examples)
        at = examples or 0
        assert group["lr"] == lr(at)
        assert list(group["betas"]) == [0.5, beta2(at)]
    assert scheduled.values(60) == {"generator.lr": lr(60), "generator.betas.1": 0.99}


def test_scheduled_steps_are_the_sum_of_the_rates():
    """With a gradient of 1, each step of SGD lowers the weight by the current learning rate."""
    parameter, rate = weight(), Ramp(1.0, 0.0, examples=4)
    optimizer, scheduled = build(partial(SGD, lr=rate), parameter)
    for examples in range(6):
        scheduled.update(examples)
        parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    assert parameter.item() == -(1.0 + 0.75 + 0.5 + 0.25)


def test_a_schedule_drives_every_parameter_group():
    groups = [{"params": [weight()]}, {"params": [weight()]}]
    optimizer, scheduled = build(partial(Adam, lr=Ramp(0.1, 0.2, examples=10)), *groups)
    scheduled.update(5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.15, 0.15])


def test_schedules_drive_the_groups_of_a_loaded_checkpoint():
    """`load_state_dict` replaces the optimizer's groups; schedules must set the new groups."""
    options = {"lr": Ramp(0.0, 1.0, examples=100), "betas": [0.5, Ramp(0.9, 0.8, examples=100)]}
    optimizer, scheduled = build(partial(Adam, **options))
    scheduled.update(30)
    state = copy.deepcopy(optimizer.state_dict())
    assert state["param_groups"][0]["lr"] == pytest.approx(0.3)

    resumed, scheduled = build(partial(Adam, **options))
    resumed.load_state_dict(state)
    assert resumed.param_groups[0]["lr"] == pytest.approx(0.3)
    scheduled.update(80)
    assert resumed.param_groups[0]["lr"] == pytest.approx(0.8)
    assert list(resumed.param_groups[0]["betas"]) == pytest.approx([0.5, 0.82])


def test_a_player_can_build_several_optimizers():
    """Each optimizer has its own scheduled values."""
    player = Player(optimizer=partial(Adam, betas=[0.5, Ramp(0.9, 0.8, examples=10)]))
    first, second = ScheduledScalars(), ScheduledScalars()
    one = player.build_optimizer("generator", [weight()], first)
    other = player.build_optimizer("generator", [weight()], second)
    first.update(10)
    assert one.param_groups[0]["betas"][1] == 0.8
    assert other.param_groups[0]["betas"][1] == 0.9


def test_optimizer_states_contain_no_schedules():
    """States contain only numbers and lists, so checkpoints load with `weights_only=True`."""
    optimizer, _ = build(partial(Adam, lr=Ramp(1, 2, examples=9), betas=[0.5, Steps([0.9], at=[])]))
    group = optimizer.state_dict()["param_groups"][0]
    assert type(group["lr"]) is float
    assert [type(beta) for beta in group["betas"]] == [float, float]


def test_a_player_from_a_config():
    """Hydra builds a partial of the optimizer, with schedules inside its lists."""
    from hydra.utils import instantiate

    ramp = {"_target_": "ganlab.core.schedule.Ramp", "start": 0.9, "end": 0.99, "examples": 10}
    adam = {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 2e-4, "betas": [0.0, ramp]}
    config = {"_target_": "ganlab.core.Player", "every": 5, "optimizer": adam | {"fused": None}}
    player = instantiate(config, _convert_="all")
    assert player.every == 5
    scheduled = ScheduledScalars()
    optimizer = player.build_optimizer("critic", [weight()], scheduled)
    scheduled.update(10)
    assert list(optimizer.param_groups[0]["betas"]) == [0.0, 0.99]
