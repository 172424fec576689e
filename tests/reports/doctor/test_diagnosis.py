"""The doctor finds each condition from its evidence, and only from that evidence."""

import json

import pytest
from helpers.runs.logs import HEALTHY, conditions_of, log, main_finding, scored

from ganlab.errors import RunError
from ganlab.reports.doctor import conditions, samples
from ganlab.reports.doctor.diagnosis import as_text, diagnose, examine, write_findings
from ganlab.reports.doctor.evidence import Evidence


def test_a_healthy_run():
    finding = main_finding()
    assert (finding.condition, finding.kind) == ("healthy", "advice")
    assert conditions_of(log()) == ["healthy"]


PROBLEMS = {
    "divergence: loss of the discriminator": ("divergence", {"discriminator/adversarial": 50.0}),
    "divergence: loss of the generator": (
        "divergence",
        {"generator/adversarial": [1.0, 1.0, -1e4]},
    ),
    "divergence: samples": ("divergence", {"doctor/pairwise_distance": 30.0}),
    "generator at rest": ("generator_not_moving", {"doctor/change/generator": 0.0}),
    "discriminator at rest": ("discriminator_not_moving", {"doctor/change/discriminator": 1e-9}),
    "vanished gradient": (
        "discriminator_too_strong",
        {"doctor/gradient/generator": [1.0, 0.1, 1e-5], "doctor/separation": 0.95},
    ),
    "vanished gradient of a frozen sample": (
        "discriminator_too_strong",
        {
            "doctor/gradient/generator": [1.0, 0.1, 0.0],
            "doctor/pairwise_distance": 0.1,
            "doctor/separation": 0.95,
        },
    ),
    "sure discriminator": (
        "discriminator_too_strong",
        {"doctor/separation": 0.999, "doctor/real_accuracy": 1.0, "doctor/fake_accuracy": 0.99},
    ),
    "one sample": ("collapse", {"doctor/pairwise_distance": [1.0, 0.2, 0.01]}),
    "few kinds": ("collapse", {"doctor/pairwise_distance": 0.5}),
    "duplicates": ("collapse", {"doctor/nearest_generated": 0.1}),
    "one class": (
        "collapse",
        {f"class_share_digits/{k}": 0.9 if k == 3 else 0.01 for k in range(10)},
    ),
    "copies": ("memorisation", {"doctor/nearest_training": 0.2}),
    "copies by a score": ("memorisation", {"copies_digits": 0.5}),
    "known by heart": (
        "memorisation",
        {"doctor/training_examples": 100, "doctor/separation": [0.7, 0.9, 0.98]},
    ),
    "circles": ("oscillation", {"doctor/separation": [0.8, 0.2] * 8}),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_problem_is_named_with_evidence_and_remedies(name):
    condition, changes = PROBLEMS[name]
    finding = main_finding(changes)
    assert (finding.condition, finding.kind) == (condition, "problem")
    assert finding.evidence
    assert len(finding.remedies) >= 2
    assert "healthy" not in conditions_of(log(changes))


NOT = {
    "one batch with a large loss": {"discriminator/adversarial": [1.3] * 25 + [80.0] + [1.3] * 4},
    "a loss that was large at first": {"discriminator/adversarial": [500.0, 1.3, 1.3]},
    "samples that began far apart": {"doctor/pairwise_distance": [40.0, 1.0, 1.0]},
    "samples that began as one": {"doctor/pairwise_distance": [0.01, 0.9, 1.0]},
    "a rate that falls to 0": {"doctor/change/generator": [0.01, 0.001, 0.0]},
    "a gradient that falls to a hundredth": {"doctor/gradient/generator": [1.0, 0.1, 0.01]},
    "separation alone": {"doctor/separation": 0.999},
    "a discriminator sure at first": {
        "doctor/separation": [1.0, 0.8, 0.8],
        "doctor/real_accuracy": [1.0, 0.6, 0.6],
        "doctor/fake_accuracy": [1.0, 0.6, 0.6],
    },
    "an even histogram": {f"class_share_digits/{k}": 0.1 for k in range(10)},
    "many passes, not known": {"doctor/training_examples": 100, "doctor/separation": 0.8},
    "one turn": {"doctor/separation": [0.8, 0.2, 0.8]},
    "small swings": {"doctor/separation": [0.6, 0.4] * 8},
}


@pytest.mark.parametrize("name", NOT)
def test_values_that_are_no_problem(name):
    assert conditions_of(log(NOT[name])) == ["healthy"]


EDGES = {
    "doctor/pairwise_distance": (samples.PARTIAL_COLLAPSE, "collapse", -1),
    "doctor/nearest_generated": (samples.FULL_COLLAPSE, "collapse", -1),
    "doctor/nearest_training": (samples.COPY_DISTANCE, "memorisation", -1),
    "discriminator/adversarial": (conditions.D_LOSS_MAX, "divergence", 1),
    "generator/adversarial": (conditions.G_LOSS_MAX, "divergence", 1),
}


@pytest.mark.parametrize("name", EDGES)
def test_thresholds(name):
    """A value 1 % on the healthy side of a threshold is healthy; 1 % beyond it is a problem."""
    edge, condition, side = EDGES[name]
    assert conditions_of(log({name: edge * (1 - side * 0.01)})) == ["healthy"]
    assert main_finding({name: edge * (1 + side * 0.01)}).condition == condition


def test_full_and_partial_collapse():
    edge = samples.FULL_COLLAPSE
    assert "fully" in main_finding({"doctor/pairwise_distance": edge * 0.99}).explanation
    assert "in part" in main_finding({"doctor/pairwise_distance": edge * 1.01}).explanation


def test_one_row_with_samples_is_no_collapse():
    """The samples of an almost untrained generator are alike, too."""
    same = {"doctor/pairwise_distance": 0.02, "doctor/nearest_generated": 0.02}
    assert main_finding(same).condition == "collapse"
    assert main_finding(same, rows=1).condition == "undecided"


def test_missing_modes_are_collapse_only_where_points_lie_on_modes():
    data = {"classes": 8}
    missed = {"modes": 4.0, "high_quality": 0.9}
    assert main_finding(missed, data=data).condition == "collapse"
    assert "4 of 8" in " ".join(main_finding(missed, data=data).evidence)
    off = main_finding({"modes": 4.0, "high_quality": 0.01}, data=data)
    assert (off.condition, off.kind) == ("undecided", "advice")
    found = log({"modes": 8.0, "high_quality": 0.9}, data=data)
    assert examine(found)[0].condition == "healthy"


def test_a_cause_comes_before_its_effects():
    """A frozen generator has equal samples, which any discriminator learns to recognise."""
    sure = {"doctor/separation": 1.0, "doctor/real_accuracy": 1.0, "doctor/fake_accuracy": 1.0}
    frozen = {"doctor/change/generator": 0.0, "doctor/pairwise_distance": 0.01, **sure}
    assert conditions_of(log(frozen)) == [
        "generator_not_moving",
        "discriminator_too_strong",
        "collapse",
    ]


def test_a_rate_of_zero_is_found_without_a_doctor():
    players = {"generator": {"optimizer": {"lr": 0}}}
    changes = {name: None for name in HEALTHY if name.startswith("doctor/")}
    assert main_finding(changes, model={"players": players}).condition == "generator_not_moving"


def test_critics_may_be_strong_and_their_losses_have_no_scale():
    critic = {"adversarial": {"_target_": "ganlab.losses.Wasserstein"}}
    strong = {
        "doctor/separation": 1.0,
        "doctor/real_accuracy": None,
        "doctor/fake_accuracy": None,
        "discriminator/adversarial": -60.0,
    }
    findings = examine(log(strong, loss=critic))
    assert findings[0].condition == "healthy"
    assert any("critic" in finding.explanation for finding in findings)
    away = {**strong, "discriminator/adversarial": [-1.0, -1e3, -1e6]}
    assert examine(log(away, loss=critic))[0].condition == "divergence"


def test_failed_runs():
    error = "NonFiniteLossError: The term 'adversarial' became nan at batch 7."
    finding = examine(Evidence([], {"status": "failed", "error": error}, {}))[0]
    assert finding.condition == "divergence"
    assert finding.evidence == ["The term 'adversarial' became nan at batch 7."]
    other = main_finding(record={"status": "failed", "error": "RunError: disk full"})
    assert (other.condition, other.evidence) == ("failed", ["RunError: disk full"])


def test_values_that_are_not_finite():
    assert main_finding({"doctor/gradient/generator": float("nan")}).condition == "divergence"


def test_still_improving_and_plateau():
    assert conditions_of(scored([9, 5, 4, 3, 2.5])) == ["healthy", "still_improving"]
    assert conditions_of(scored([9, 3, 3.1, 3.0, 2.99, 3.2])) == ["healthy", "plateau"]
    plateau = examine(scored([9, 3, 3.1, 3.0, 2.99, 3.2]))[1]
    assert "40,000 examples" in plateau.explanation  # 20,000 of 60,000 to the last gain
    assert conditions_of(scored([0.1, 0.5, 0.7, 0.9], "high_quality"))[-1] == "still_improving"
    assert conditions_of(scored([0.9] * 3 + [0.5] * 3, "high_quality"))[-1] == "plateau"


def test_an_ended_learning_rate_needs_a_new_run():
    """A resumed run keeps its ramps: after a ramp has ended, a longer budget has no effect."""
    falling, ended = ({"generator.lr": [2e-4, 1e-4, rate]} for rate in (5e-5, 0.0))
    assert "resume=true" in examine(scored([9, 5, 4, 3], **falling))[1].remedies[0]
    assert "Start again" in examine(scored([9, 5, 4, 3], **ended))[1].remedies[0]


def test_three_scores_are_too_few_to_judge():
    run = scored([9, 5, 3])
    assert conditions_of(run) == ["healthy"]
    assert any("3 times" in finding.explanation for finding in examine(run))


def test_the_monitored_score_is_followed():
    run = scored([1, 2, 3, 4, 5], "mine", frechet_distance_digits=5.0)
    checkpoints = {"monitor": "mine", "mode": "max"}
    run = Evidence(run.rows, run.record, {"callbacks": {"checkpoints": checkpoints}})
    assert conditions_of(run)[-1] == "still_improving"


def test_what_the_log_does_not_show():
    def unknown(run):
        return " ".join(f.explanation for f in examine(run) if f.kind == "unknown")

    bare = log({name: None for name in HEALTHY if name.startswith("doctor/")})
    assert examine(bare)[0].condition == "undecided"
    assert "no doctor" in unknown(bare)
    assert "no score is known" in unknown(log())
    assert "no modes or classes" in unknown(log())
    assert "5,000 of 60,000 training examples" in unknown(log({"doctor/training_examples": 60_000}))
    assert "within a class" in unknown(log(model={"generator": {"classes": 10}}))
    short = log(rows=3)
    assert examine(short)[0].condition == "undecided"
    assert "3 rows are too few" in unknown(short)


def test_text_and_file(tmp_path):
    findings = examine(log({"doctor/pairwise_distance": 0.1}))
    words = as_text(findings)
    for text in ("COLLAPSE", "because", "try", "What the log does not show"):
        assert text in words
    contents = json.loads(write_findings(tmp_path, findings, 5).read_text())
    assert (contents["diagnosis"], contents["examples_seen"]) == ("collapse", 5)
    assert contents["findings"][0]["evidence"] == findings[0].evidence


def test_folders_that_hold_no_log(tmp_path):
    with pytest.raises(RunError, match=r"run\.json"):
        diagnose(tmp_path)
    (tmp_path / "run.json").write_text('{"status": "running"}')
    with pytest.raises(RunError, match=r"config\.yaml"):
        diagnose(tmp_path)
    (tmp_path / "config.yaml").write_text("log_every: 7\n")
    with pytest.raises(RunError, match=r"nothing yet.*every 7 batches"):
        diagnose(tmp_path)
    (tmp_path / "metrics.csv").write_text("examples_seen,a\n12,x\n")
    with pytest.raises(RunError, match="damaged"):
        diagnose(tmp_path)
