"""Remedies are what a run does not have yet."""

import re

import pytest
from helpers.runs.logs import LOSS, main_finding, scored

from ganlab.reports.doctor.diagnosis import examine

PLAYERS = ("discriminator", "generator")
USED = {
    "choices": {"loss": "r3gan"},
    "loss": LOSS | {"regularizers": {"r1": {}, "instance_noise": {}, "ada": {}}},
    "callbacks": {"ema": {"half_life": 1000}},
    "model": {
        "players": {
            player: {"every": 2, "gradient_clip": 0.5, "optimizer": {"betas": [0.0, 0.9]}}
            for player in PLAYERS
        }
    },
}
PROBLEMS = {
    "divergence": {"discriminator/adversarial": 50.0},
    "collapse": {"doctor/pairwise_distance": 0.5},
    "memorisation": {"doctor/nearest_training": 0.2},
    "oscillation": {"doctor/separation": [0.8, 0.2] * 8},
    "discriminator_too_strong": {
        "doctor/gradient/generator": [1.0, 0.1, 1e-5],
        "doctor/separation": 0.95,
    },
}
IN_USE = ("loss=r3gan", "[r1]", "[instance_noise]", "[ada]", "ema", "every=", "clip=", "betas=")


def offered(problem, **config):
    finding = main_finding(PROBLEMS[problem], **config)
    assert finding.condition == problem
    return finding.remedies


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_a_run_has_is_not_offered(problem):
    bare, used = (" ".join(offered(problem, **config)) for config in ({}, USED))
    assert any(text in bare for text in IN_USE)
    assert not any(text in used for text in IN_USE)
    assert not re.search(r": *( or |,|$)", used)


def test_what_is_left_is_offered():
    left = offered("collapse", **USED)
    assert left[0] == "Use a loss or regularizer that keeps modes: loss=wgan_gp"
    assert any("[spectral_norm]" in text for text in offered("divergence", **USED))
    limited = offered("memorisation", data={"limit": 200})
    assert any("data.limit=null" in text for text in limited)
    assert not any("data.limit" in text for text in offered("memorisation"))


def test_lower_rates_are_not_offered_once_they_fall():
    worse = [9, 8, 7, 2, 20, 30]
    for rates, is_offered in (([2e-4], True), ([2e-4, 1e-4], False)):
        found = examine(scored(worse, **{"generator.lr": rates}))[1]
        assert any("Lower the learning rates" in text for text in found.remedies) == is_offered
