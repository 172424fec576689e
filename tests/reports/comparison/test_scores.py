"""Scores of runs: which can be compared, whether higher is better, and means over seeds."""

import inspect

import pytest
from helpers.runs.written_runs import PROTOCOL, score, write_evaluations, write_run
from helpers.tiny import tiny_gan, tiny_ring

import ganlab.metrics
from ganlab.metrics import SampleMetric, SampleProtocol, Score
from ganlab.record.old_names import SEEN
from ganlab.reports.comparison.comparison import RunScore, difference, read_comparison
from ganlab.reports.comparison.scores import direction_of

METRICS = [
    metric
    for _, metric in inspect.getmembers(ganlab.metrics, inspect.isclass)
    if issubclass(metric, SampleMetric) and hasattr(metric, "scores")
]
OTHERS = {  # whether higher is better, for scores other than a metric's first
    "high_quality": True,
    "stacked_kl": False,
    "recall": True,
    "coverage": True,
    "class_accuracy": True,
    "mean_iou": True,
    "binned_jsd": False,
    "copies": False,
    "ms_ssim_real": None,
    "inception_score_std": None,
    "kernel_distance_std": None,
    "linear_probe_random": None,
    "linear_probe_pixels": None,
}


def a_score(name="high_quality", **protocol):
    return RunScore(name, 0.5, PROTOCOL | protocol, "modes10k", "higher", "training")


# --- directions --------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
def test_metrics_and_names_agree_on_whether_higher_is_better(metric):
    """`direction_of` serves records that lack the direction; metrics know it themselves."""
    first, *others = metric.scores
    said = {first: metric.higher_is_better} | {name: OTHERS[name] for name in others}
    for name, higher in said.items():
        bare = metric.__new__(metric)  # the constructor would need weights
        assert SampleMetric.is_higher_better(bare, name) is higher
        for called in (name, f"{name}_digits", f"{name}_digits/a_to_b"):
            if direction_of(called) is not None:
                assert direction_of(called) == ("higher" if higher else "lower")


def test_the_published_names_have_their_metrics_direction():
    metrics = {metric.scores[0]: metric.higher_is_better for metric in METRICS}
    published = ganlab.metrics.FIDInception.published.items()
    known = {score_name: name for score_name, name in published if direction_of(name)}
    assert known
    for score_name, name in known.items():
        assert direction_of(name) == ("higher" if metrics[score_name] else "lower")


def test_parts_of_a_score_have_its_direction():
    metric = ganlab.metrics.LabelConsistency(classes=3)
    assert metric.is_higher_better("label_consistency/2") is True
    assert ganlab.metrics.ClassShares(classes=3).is_higher_better("class_share/2") is None


def test_scores_of_sources_have_no_direction():
    psnr = ganlab.metrics.PSNR(of="sources")
    assert psnr.is_higher_better("source_psnr") is None
    cycle = ganlab.metrics.PSNR(of="reconstructions", against="sources")
    assert cycle.is_higher_better("cycle_psnr") is True


def test_an_evaluation_records_whether_higher_is_better():
    protocol = SampleProtocol(
        "p", {"modes": ganlab.metrics.ModeCoverage()}, samples=100, split="train"
    )
    scores = protocol.evaluate(tiny_gan(), tiny_ring())
    assert {n: s.as_dict()["higher_is_better"] for n, s in scores.items()} == {
        "modes": True,
        "high_quality": True,
    }
    assert Score(1.0).as_dict()["higher_is_better"] is None


# --- protocols ---------------------------------------------------------------------------------


def test_evaluation_seed_and_protocol_name_may_differ():
    assert difference(a_score(), a_score(seed=7, protocol="mine")) is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"generated_samples": 5000}, "generated_samples: 10000 against 5000"),
        ({"weights": "raw"}, "weights: ema against raw"),
        ({"truncation": 0.7}, "truncation: none against 0.7"),
        ({"data_hash": "ab"}, "data_hash: nothing recorded against ab"),
    ],
)
def test_differences_of_protocols_are_named(changed, words):
    assert difference(a_score(), a_score(**changed)) == words


def test_scores_of_different_names_cannot_be_compared():
    assert "fid" in difference(a_score(), a_score("fid"))


# --- several scores of one run -----------------------------------------------------------------


def scores_of(folder):
    return {(s.name, s.taken): s for s in read_comparison([folder]).runs[0].scores}


def test_the_mean_over_evaluation_seeds_replaces_the_score_from_training(tmp_path):
    folder = write_run(tmp_path / "a", scores=0.1)
    entries = [({"high_quality": score(v, seed=i)}, {}) for i, v in enumerate((0.2, 0.4, 0.9))]
    write_evaluations(folder, *entries)
    ((key, found),) = scores_of(folder).items()
    assert key == ("high_quality", "evaluate")
    assert found.value == pytest.approx(0.5)
    assert found.protocol["seed"] == [0, 1, 2]


def test_scores_of_different_protocols_or_checkpoints_are_all_kept(tmp_path):
    folder = write_run(tmp_path / "a", scores=0.1)
    write_evaluations(
        folder,
        ({"high_quality": score(0.2, generated_samples=5000)}, {}),
        ({"high_quality": score(0.3)}, {"checkpoint": "best", SEEN: 100}),
    )
    run = read_comparison([folder]).runs[0]
    assert sorted(s.value for s in run.scores) == [0.1, 0.2, 0.3]
    trained, best = (next(s for s in run.scores if s.value == v) for v in (0.1, 0.3))
    assert difference(trained, best) == "checkpoint: last against best"


def test_an_evaluation_from_before_further_training_is_left_out(tmp_path):
    folder = write_run(tmp_path / "a", scores=0.1)
    write_evaluations(folder, ({"high_quality": score(0.2)}, {SEEN: 100}))
    assert [s.value for s in scores_of(folder).values()] == [0.1]
    assert "100 examples" in read_comparison([folder]).notes[0]


def test_of_one_seed_the_evaluation_with_the_most_examples_seen_counts(tmp_path):
    folder = write_run(tmp_path / "a", status="interrupted")
    write_evaluations(
        folder,
        ({"high_quality": score(0.8)}, {SEEN: 200}),
        ({"high_quality": score(0.2)}, {SEEN: 100}),
    )
    assert [s.value for s in scores_of(folder).values()] == [0.8]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "0.5", True])
def test_a_value_that_is_not_a_finite_number_is_left_out(tmp_path, value):
    folder = write_run(tmp_path / "a", scores={"fid": score(value), "modes": score(8.0)})
    read = read_comparison([folder])
    assert [s.name for s in read.runs[0].scores] == ["modes"]
    assert "fid is not a finite number" in read.notes[0]


def test_a_record_may_say_that_neither_direction_is_better(tmp_path):
    write_run(tmp_path / "a", scores={"fid": score(3.0, None)})
    assert read_comparison([tmp_path]).runs[0].scores[0].better is None
