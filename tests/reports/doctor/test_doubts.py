"""The doctor finds no problem where chance, an early stage or a strong critic explains the log."""

import pytest
import torch
from helpers.runs.logs import HEALTHY, conditions_of, log, main_finding, scored

from ganlab.callbacks.doctor import separation
from ganlab.reports.doctor.diagnosis import as_text, examine

LOGGED = [name for name in HEALTHY if not name.endswith("_examples")]


def test_a_single_infinite_gradient_is_a_step_of_16_bits():
    run = log()
    run.rows[-1]["doctor/gradient/generator"] = float("inf")
    assert conditions_of(run) == ["healthy"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", [*LOGGED, "class_share_digits/1", "copies", "modes"])
def test_columns_that_hold_nothing_finite(name, value):
    run = log({name: value}, data={"classes": 8})
    assert examine(run)
    assert as_text(examine(run))


@pytest.mark.parametrize("batch_size", [8, 16, 64])
def test_chance_is_no_oscillation(batch_size):
    """Random scores of n examples give separations with a standard deviation of 1 / sqrt(6 n)."""
    rng = torch.Generator().manual_seed(0)
    scores = torch.rand(3000, 2, batch_size, generator=rng)
    noise = [float(separation(real, fake)) for real, fake in scores]
    run = log({"doctor/separation": noise}, rows=3000, data={"batch_size": batch_size})
    assert conditions_of(run) == ["healthy"]


def test_an_early_spike_or_a_settled_game_is_no_vanished_gradient():
    assert main_finding({"doctor/gradient/generator": [400.0] + [0.3] * 29}).condition == "healthy"
    settled = {"doctor/gradient/generator": [1.0, 0.01, 5e-4], "doctor/separation": 0.5}
    assert main_finding(settled).condition == "healthy"


def test_the_first_rows_prove_no_strength():
    sure = {"doctor/separation": 1.0, "doctor/real_accuracy": 1.0, "doctor/fake_accuracy": 1.0}
    assert main_finding(sure).condition == "discriminator_too_strong"
    assert main_finding(sure, rows=3).condition == "undecided"


def test_many_images_or_a_critic_are_no_memorisation():
    known = {"doctor/training_examples": 100, "doctor/separation": 0.97}
    assert main_finding(known).condition == "memorisation"
    critic = {"adversarial": {"_target_": "ganlab.losses.Wasserstein"}}
    assert main_finding(known, loss=critic).condition == "healthy"
    many = log(known | {"doctor/training_examples": 50_000})
    many.rows[-1]["examples_seen"] = 10_000_000
    assert conditions_of(many) == ["healthy"]


def test_a_score_that_has_become_worse():
    found = examine(scored([9, 8, 7, 2, 20, 30]))[1]
    assert found.condition == "past_its_best"
    assert "monitor=frechet_distance_digits" in found.remedies[0]
    better = examine(scored([0.1, 0.5, 0.9, 0.4], "high_quality"))[1]
    assert better.condition == "past_its_best"
    assert "mode=max" in better.remedies[0]


@pytest.mark.parametrize("distances", [[0.1, 0.2], [0.27, 0.42, 0.51, 0.5], [0.02, 0.1, 0.3, 0.6]])
def test_samples_that_still_become_more_varied_have_not_collapsed(distances):
    alike = {"doctor/pairwise_distance": distances, "doctor/nearest_generated": 0.1}
    young = log(alike, rows=len(distances))
    assert conditions_of(young) == ["undecided"]
    finding = examine(young)[0]
    assert f"{distances[0]} times" in finding.evidence[-1]
    assert f"{distances[-1]} times" in finding.evidence[-1]
    assert "Train further" in finding.remedies[0]


@pytest.mark.parametrize(
    "distances", [[0.3, 0.3], [0.5, 0.2], [0.5, 0.2, 0.45], [0.4, 0.42], [0.01, 0.012, 0.02]]
)
def test_samples_that_stay_alike_have_collapsed(distances):
    run = log({"doctor/pairwise_distance": distances}, rows=len(distances))
    assert examine(run)[0].condition == "collapse"


@pytest.mark.parametrize(
    "distances", [[*[0.25] * 49, 0.31], [0.6, 0.2, 0.2, 0.58], [*[0.7] * 10, 0.8, 0.9, 1.0]]
)
def test_missing_modes_of_a_long_run_are_no_doubt(distances):
    known = {"doctor/pairwise_distance": distances, "modes": 2.0}
    run = log(known, rows=len(distances), data={"classes": 8})
    assert examine(run)[0].condition == "collapse"


def test_one_measurement_of_a_short_run_proves_no_collapse():
    """Untrained generators make one class; the doctor would have measured again later."""
    one = {f"class_share_digits/{k}": float(k == 8) for k in range(10)}
    callbacks = {"doctor": {"every_examples": 50_000}}
    assert conditions_of(log(one, rows=1, callbacks=callbacks)) == ["undecided"]
    assert conditions_of(log(one, callbacks=callbacks)) == ["collapse"]
