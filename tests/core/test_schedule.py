"""Schedules: shapes, ends and boundaries, and the scalars that they set."""

import itertools
import math

import pytest

from ganlab.core.schedule import LinearDecay, ProgressRamp, Ramp, Schedule, ScheduledScalars, Steps
from ganlab.errors import ConfigError

SHAPES = ["linear", "cosine", "exponential"]


# --- ramps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("delay", [0, 300])
def test_a_ramp_is_constant_outside(shape, delay):
    ramp = Ramp(0.5, 8.0, examples=1000, shape=shape, delay=delay)
    for examples in (0, delay // 2, delay):
        assert ramp(examples) == pytest.approx(0.5, rel=1e-12)
    for examples in (delay + 1000, delay + 1001, 10**9):
        assert ramp(examples) == pytest.approx(8.0, rel=1e-12)
    assert ramp(delay + 1) > 0.5
    assert ramp(delay + 999) < 8.0


@pytest.mark.parametrize(
    ("shape", "quarter", "half"),
    [
        ("linear", 0.5 + 7.5 / 4, (0.5 + 8) / 2),
        ("cosine", 0.5 + 7.5 * (0.5 - math.sqrt(0.5) / 2), (0.5 + 8) / 2),
        ("exponential", 0.5 * 2.0, math.sqrt(0.5 * 8)),
    ],
)
@pytest.mark.parametrize("delay", [0, 64])
def test_a_ramp_between_its_ends(shape, quarter, half, delay):
    """From ½ to 8: a linear ramp is halfway at the mean; an exponential doubles each quarter."""
    ramp = Ramp(0.5, 8.0, examples=400, shape=shape, delay=delay)
    assert ramp(delay + 100) == pytest.approx(quarter)
    assert ramp(delay + 200) == pytest.approx(half)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("start", "end"), [(1e-4, 1e-2), (2.0, 0.5), (0.3, 0.3)])
def test_a_ramp_is_monotonic(shape, start, end):
    ramp = Ramp(start, end, examples=100, shape=shape, delay=7)
    values = [ramp(examples) for examples in range(120)]
    sign = 1 if end >= start else -1
    assert all(sign * (b - a) >= 0 for a, b in itertools.pairwise(values))
    assert min(start, end) <= min(values) * (1 + 1e-12)
    assert max(values) <= max(start, end) * (1 + 1e-12)


def test_a_cosine_is_flat_at_both_ends():
    ramp = Ramp(0.0, 1.0, examples=1000, shape="cosine")
    assert ramp(10) < 1e-3
    assert 1 - ramp(990) < 1e-3
    for examples in (100, 300, 450):
        assert ramp(examples) + ramp(1000 - examples) == pytest.approx(1.0)


def test_an_exponential_has_equal_ratios_in_equal_times():
    ramp = Ramp(1.0, 1e-4, examples=1000, shape="exponential")
    ratios = [ramp(i + 50) / ramp(i) for i in range(0, 1000, 50)]
    assert ratios == pytest.approx([10 ** (-4 / 20)] * 20)


def test_linear_and_cosine_ramps_reach_zero():
    for shape in ("linear", "cosine"):
        assert Ramp(0.1, 0.0, examples=10, shape=shape)(10) == 0.0


# --- steps --------------------------------------------------------------------------------------


def test_steps_change_at_their_boundaries():
    steps = Steps([1.0, 0.1, 0.01], at=[100, 250])
    values = [steps(examples) for examples in (0, 99, 100, 101, 249, 250, 10**9)]
    assert values == [1.0, 1.0, 0.1, 0.1, 0.1, 0.01, 0.01]


def test_steps_without_a_boundary_are_constant():
    assert {Steps([0.3], at=[])(examples) for examples in (0, 5, 10**9)} == {0.3}


@pytest.mark.parametrize(
    "schedule",
    [
        Ramp(2.0, 0.5, examples=100, delay=50),
        Ramp(1e-4, 1e-2, examples=200, shape="exponential"),
        ProgressRamp(0.1, 0.9, begin=0.2, shape="cosine"),
        LinearDecay(0.3, epochs=1, decay_epochs=2),
        Steps([0.5, 3.0, 0.1], at=[100, 150]),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_bounds_are_the_smallest_and_the_largest_value(schedule):
    schedule.examples_per_epoch, values = 100, []
    for examples in range(0, 401, 5):
        schedule.progress = examples / 400
        values.append(schedule(examples))
    assert (min(values), max(values)) == pytest.approx(schedule.bounds)


def test_bounds_of_other_schedules_are_unknown():
    assert Schedule().bounds is None


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Ramp(0, 1, examples=0), ["Ramp.examples", "0", "above 0"]),
        (lambda: Ramp(0, 1, examples=-5), ["Ramp.examples", "-5", "above 0"]),
        (
            lambda: Ramp(0, 1, examples=None),
            ["Ramp.examples", "None", "above 0", "budget.examples"],
        ),
        (lambda: Ramp(0, 1, examples=float("nan")), ["Ramp.examples", "nan", "above 0"]),
        (lambda: Ramp(0, 1, 100, delay=-1), ["Ramp.delay", "-1", "0 or more"]),
        (lambda: ProgressRamp(0, 1, 0.5, 0.5), ["begin=0.5", "finish=0.5", "shares of the run"]),
        (lambda: ProgressRamp(0, 1, finish=1.5), ["finish=1.5", "≤ 1"]),
        (lambda: ProgressRamp(0, 1, begin=float("nan")), ["begin=nan"]),
        (lambda: Ramp(0, 1, 100, delay=None), ["Ramp.delay", "None", "budget.examples"]),
        (
            lambda: Ramp(0, 1, examples=5, shape="sine"),
            ["Ramp.shape", "'sine'", "linear, cosine, exponential"],
        ),
        (
            lambda: Ramp(1.0, 0.0, examples=5, shape="exponential"),
            ["Ramp", "1.0 to 0.0", "above 0", "linear or cosine"],
        ),
        (lambda: Steps([1, 2], at=[]), ["Steps", "2 values", "[]", "one more value"]),
        (lambda: Steps([1, 2, 3], at=[20, 10]), ["Steps", "[20, 10]", "increasing"]),
        (lambda: Steps([1, 2, 3], at=[10, 10]), ["Steps", "[10, 10]", "increasing"]),
    ],
)
def test_errors_name_argument_value_and_allowed(build, words):
    with pytest.raises(ConfigError) as error:
        build()
    for word in words:
        assert word in str(error.value)


def test_the_base_class_is_abstract():
    with pytest.raises(NotImplementedError):
        Schedule()(0)


def test_a_ramp_of_progress_is_a_ramp_over_shares_of_the_run():
    ramp, other = ProgressRamp(4.0, 1.0, begin=0.4, finish=0.8), Ramp(4.0, 1.0, 40, delay=40)
    assert ramp(10**9) == 4.0  # before the progress is known
    for share in (0.0, 0.4, 0.5, 0.77, 0.8, 1.0, 1.3):
        ramp.progress = share
        assert ramp(0) == pytest.approx(other(100 * share))


def test_a_ramp_of_progress_needs_a_budget():
    holder, scheduled = {"lr": ProgressRamp(1.0, 0.0)}, ScheduledScalars()
    scheduled.bind("generator", holder)
    assert scheduled.needs_progress
    with pytest.raises(ConfigError, match=r"generator\.lr: follows the progress .*\.Budget"):
        scheduled.update(0)
    scheduled.set_progress(0.25)
    scheduled.update(0)
    assert holder["lr"] == 0.75


# --- scheduled scalars --------------------------------------------------------------------------


class Holder:
    """Replaces a loss or a regularizer: an object of ganlab with scalars."""

    __module__ = "ganlab.testing"

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


def test_schedules_are_found_in_objects_dicts_and_lists():
    inner = Holder(weight=Ramp(0, 10, examples=10), every=4)
    holder = {"a": inner, "b": [1.0, Steps([1, 2], at=[5])], "c": Holder(inner=Holder(x=3))}
    scheduled = ScheduledScalars()
    scheduled.bind("loss", holder)
    assert len(scheduled) == 2
    assert inner.weight == 0.0
    assert holder["b"] == [1.0, 1.0]
    scheduled.update(5)
    assert inner.weight == 5.0
    assert inner.every == 4
    assert holder["b"] == [1.0, 2.0]
    assert scheduled.values(7) == {"loss.a.weight": 7.0, "loss.b.1": 2.0}


def test_values_depend_only_on_the_examples_seen():
    """Schedules have no state: one update, many or backward updates give the same value."""
    holder, scheduled = Holder(x=Ramp(1.0, 3.0, examples=100, shape="cosine")), ScheduledScalars()
    scheduled.bind("it", holder)
    for examples in range(0, 71):
        scheduled.update(examples)
    stepped = holder.x
    for examples in (500, 0, 70):
        scheduled.update(examples)
    assert holder.x == stepped == scheduled.values(70)["it.x"]


def test_other_libraries_objects_are_left_alone():
    class Foreign:
        def __init__(self):
            self.rate = Ramp(0, 1, examples=10)

    foreign, scheduled = Foreign(), ScheduledScalars()
    scheduled.bind("it", Holder(child=foreign))
    assert len(scheduled) == 0
    assert isinstance(foreign.rate, Ramp)


def test_drive_assigns_at_once_and_at_every_update():
    written, scheduled = [], ScheduledScalars()
    scheduled.drive("ema.decay", Ramp(0.0, 1.0, examples=4), written.append)
    for examples in (1, 2, 8):
        scheduled.update(examples)
    assert written == [0.0, 0.25, 0.5, 1.0]


def test_without_schedules_nothing_is_bound():
    holder, scheduled = Holder(x=1.0, y="z", w=None), ScheduledScalars()
    scheduled.bind("it", holder)
    scheduled.update(100)
    assert vars(holder) == {"x": 1.0, "y": "z", "w": None}
    assert scheduled.values(100) == {}


def test_linear_decay_counts_epochs_once_they_are_known():
    rate, scheduled = {"lr": LinearDecay(2e-4, epochs=100, decay_epochs=50)}, ScheduledScalars()
    scheduled.bind("player", rate)
    scheduled.update(10**9)
    assert rate["lr"] == 2e-4  # the number of examples in an epoch is not known yet
    scheduled.set_epoch_length(400)
    for epoch, factor in ((0, 1), (100, 1), (125, 0.5), (150, 0), (200, 0)):
        scheduled.update(400 * epoch)
        assert rate["lr"] == pytest.approx(2e-4 * factor, abs=1e-12)
    later = {"lr": LinearDecay(1.0, epochs=0, decay_epochs=2)}
    scheduled.bind("late", later)
    scheduled.update(400)
    assert later["lr"] == 0.5
    with pytest.raises(ConfigError, match="decay_epochs: received 0"):
        LinearDecay(1.0, decay_epochs=0)
