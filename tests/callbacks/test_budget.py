"""`Budget`: a run ends when it reaches the first of its limits."""

import pytest
from helpers.tiny import fit, sgd, tiny_gan, tiny_ring

from ganlab.callbacks import Budget
from ganlab.core import Player, ProgressRamp
from ganlab.errors import ConfigError
from ganlab.families import GAN


@pytest.mark.parametrize(
    ("limits", "batches"),
    [
        ({"batches": 7}, 7),
        ({"examples": 26}, 7),  # batch 7 reaches 28 examples, and is the last
        ({"examples": 28}, 7),
        ({"epochs": 0.5}, 5),  # an epoch has 40 examples, 10 batches of 4
        ({"epochs": 2}, 20),
        ({"batches": 9, "examples": 12, "epochs": 1}, 3),
        ({"batches": 2, "minutes": 10}, 2),
    ],
)
def test_first_limit_reached(limits, batches):
    module, budget = tiny_gan(), Budget(**limits)
    fit(module, budget)
    assert module.batches_seen == batches
    assert budget.spent(module) >= 1


def test_epochs_count_what_other_numbers_of_processes_have_seen():
    """Two processes saw 5 batches of 8 examples, one epoch; one process trains the second epoch."""
    module = tiny_gan()
    module.batches_seen, module.examples_seen = 5, 40
    fit(module, Budget(epochs=2))
    assert (module.batches_seen, module.examples_seen) == (15, 80)


def test_run_ends_after_the_given_minutes(monkeypatch):
    clock = iter(range(0, 10_000, 6))  # each call of monotonic() adds 6 seconds
    monkeypatch.setattr("ganlab.callbacks.budget.time.monotonic", lambda: float(next(clock)))
    module = tiny_gan()
    fit(module, Budget(minutes=1))
    assert module.batches_seen == 9  # 60 s are 10 calls; the check at the start takes the first


def test_minutes_before_a_resume_count():
    module, budget = tiny_gan(), Budget(minutes=1)
    budget.load_state_dict({"seconds": 61.0})
    fit(module, budget)
    assert module.batches_seen == 0


def test_spent_fraction_is_that_of_the_nearest_limit():
    module, budget = tiny_gan(), Budget(batches=10, examples=80)
    fit(module, Budget(batches=5))
    assert budget.spent(module) == 0.5
    assert tiny_ring().batches_per_epoch == 10


@pytest.mark.parametrize("limits", [{}, {"batches": 0}, {"examples": -1}])
def test_missing_or_non_positive_limits_are_refused(limits):
    with pytest.raises(ConfigError, match="budget"):
        Budget(**limits)


@pytest.mark.parametrize(
    ("limits", "used"),
    [
        ({"batches": 4}, [0, 0.25, 0.5, 0.75]),
        ({"batches": 4, "examples": 1000}, [0, 0.25, 0.5, 0.75]),
        ({"epochs": 0.5, "minutes": 60}, [0, 0.2, 0.4, 0.6, 0.8]),
    ],
)
def test_ramps_follow_the_largest_used_share_of_a_limit(limits, used):
    rates = []

    class Watched(GAN):
        def after_step(self, role):
            rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])

    module = tiny_gan(Watched, {role: Player(sgd(ProgressRamp(1.0, 0.0))) for role in GAN.roles})
    fit(module, Budget(**limits))
    assert rates[::2] == pytest.approx([1 - share for share in used], abs=1e-3)


def test_ramps_follow_the_clock_where_minutes_limit_the_run(monkeypatch):
    clock = iter(range(0, 10_000, 6))  # each call of monotonic() adds 6 seconds
    monkeypatch.setattr("ganlab.callbacks.budget.time.monotonic", lambda: float(next(clock)))
    module, shares = tiny_gan(), []
    module.scheduled.drive("share", ProgressRamp(0.0, 1.0), shares.append)
    fit(module, Budget(minutes=1, batches=100))
    assert shares == pytest.approx([0, *(0.1 * k for k in range(1, 10))])  # 0: when it is bound
