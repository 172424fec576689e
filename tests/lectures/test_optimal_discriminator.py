"""The lesson on the optimal discriminator: the learned one approaches p/(p + q)."""

import math

import pytest

from ganlab.lectures.optimal_discriminator import lesson


def test_short_lesson():
    numbers = lesson(steps=300, batch_size=1024).numbers
    assert numbers["mean_error"] <= 0.02
    assert numbers["value_of_best_d"] == pytest.approx(numbers["closed_form_value"], abs=1e-8)
    assert numbers["closed_form_value"] == pytest.approx(-math.log(4) + 2 * numbers["jsd"])
    assert numbers["value_of_learned_d"] <= numbers["value_of_best_d"]
    assert numbers["value_of_learned_d"] == pytest.approx(numbers["value_of_best_d"], abs=0.01)


def test_equal_seeds_give_equal_numbers():
    first, repeated, other = (lesson(steps=10, batch_size=64, seed=s).numbers for s in (0, 0, 1))
    assert first == repeated != other


@pytest.mark.slow
def test_full_lesson():
    """The error is at most 0.02 over the central 99 % of the samples."""
    numbers = lesson().numbers
    assert numbers["largest_error"] <= 0.02
    assert numbers["mean_error"] <= 0.005
