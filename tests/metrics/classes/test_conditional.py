"""Scores by class, of known features, logits and labels."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import one_hot

from ganlab.data import SwissRoll
from ganlab.errors import ConfigError
from ganlab.metrics.classes.conditional import ClassFrechetDistance, ClassShares, LabelConsistency
from ganlab.metrics.distances.frechet import FrechetDistance

DIGITS = SimpleNamespace(classes=10, title="digits")
CLASSIFIER = SimpleNamespace(classes=10, width=4, title="a classifier")


def draw(n, seed, classes=3, d=4):
    """Return features whose mean and spread depend on the class, and their classes."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=rng)
    noise = torch.randn(n, d, generator=rng)
    return noise * (1 + labels[:, None]) + 5 * labels[:, None] + seed, labels


def distances(real, fake, classes=3):
    metric = ClassFrechetDistance(classes)
    metric.update(*real, real=True)
    metric.update(*fake, real=False)
    return {name: value.item() for name, value in metric.compute().items()}


# --- intra-class Fréchet distance -----------------------------------------------------------------


def test_the_score_of_a_class_is_the_distance_of_its_features():
    real, fake = draw(400, 0), draw(300, 1)
    result = distances(real, fake)
    for k in range(3):
        alone = FrechetDistance(4)
        alone.update(real[0][real[1] == k], real=True)
        alone.update(fake[0][fake[1] == k], real=False)
        assert result[f"class_frechet_distance/{k}"] == pytest.approx(alone.compute().item())
    mean = sum(result[f"class_frechet_distance/{k}"] for k in range(3)) / 3
    assert result["class_frechet_distance"] == pytest.approx(mean)


def test_equal_sets_are_at_zero_and_swapped_classes_are_not():
    """Unlike the distance of all classes together, this distance depends on the labels."""
    features, labels = draw(300, 0)
    assert distances((features, labels), (features, labels))["class_frechet_distance"] < 1e-6
    swapped = distances((features, labels), (features, (labels + 1) % 3))
    assert swapped["class_frechet_distance"] > 50


def test_two_ranks_give_the_distance_of_one():
    (real, labels), (fake, requested) = draw(200, 0), draw(160, 1)
    per_rank = [ClassFrechetDistance(3), ClassFrechetDistance(3)]
    for metric, r, f in (
        (per_rank[0], slice(90), slice(70)),
        (per_rank[1], slice(90, 200), slice(70, 160)),
    ):
        metric.update(real[r], labels[r], real=True)
        metric.update(fake[f], requested[f], real=False)
    per_rank[1].merge_state(per_rank[0])
    together = distances((real, labels), (fake, requested))
    for name, value in per_rank[1].compute().items():
        assert value.item() == pytest.approx(together[name], rel=1e-9)


def test_with_many_classes_single_classes_have_no_scores():
    metric = ClassFrechetDistance()
    metric.bind(CLASSIFIER, SimpleNamespace(classes=21, title="many"))
    assert metric.scores == ("class_frechet_distance",)
    metric.bind(CLASSIFIER, DIGITS)
    assert metric.scores == (
        "class_frechet_distance",
        *(f"class_frechet_distance/{k}" for k in range(10)),
    )
    assert metric.min_samples == 10 * 5
    with pytest.raises(ConfigError, match="frechet_distance, which takes all"):
        metric.check_counts(real=5000, fake=49)


def test_a_class_without_samples_raises():
    features, labels = draw(100, 0)
    keep = labels != 1
    with pytest.raises(ConfigError, match="class 1 has 0 generated"):
        distances((features, labels), (features[keep], labels[keep]))


# --- label consistency ----------------------------------------------------------------------------


def consistency(logits, labels, classes=10):
    metric = LabelConsistency(classes)
    for logit, label in zip(logits.split(64), labels.split(64), strict=True):
        metric.update(logit, label)
    return {name: value.item() for name, value in metric.compute().items()}


def test_true_labels_are_consistent_and_shuffled_labels_are_not():
    labels = torch.arange(1000) % 10
    logits = one_hot(labels, 10).float()
    assert set(consistency(logits, labels).values()) == {1.0}
    shuffled = labels[torch.randperm(1000, generator=torch.Generator().manual_seed(0))]
    assert consistency(logits, shuffled)["label_consistency"] == pytest.approx(0.1, abs=0.04)


def test_consistency_per_class_is_that_of_the_requested_label():
    requested = torch.tensor([0, 0, 0, 0, 1, 1])
    logits = one_hot(torch.tensor([0, 0, 0, 1, 1, 0]), 2).float()
    scores = consistency(logits, requested, classes=2)
    assert scores["label_consistency/0"] == 0.75
    assert scores["label_consistency/1"] == 0.5
    assert scores["label_consistency"] == pytest.approx(4 / 6)


def test_a_label_that_was_never_requested_raises():
    with pytest.raises(ConfigError, match="label 1"):
        consistency(torch.zeros(4, 2), torch.zeros(4, dtype=torch.long), classes=2)


def test_classifier_and_data_must_have_the_same_classes():
    LabelConsistency().bind(CLASSIFIER, DIGITS)
    for extractor in (
        None,
        SimpleNamespace(classes=1000, title="net"),
        SimpleNamespace(classes=None, title="net"),
    ):
        with pytest.raises(ConfigError, match="10 classes of digits"):
            LabelConsistency().bind(extractor, DIGITS)


# --- class shares ---------------------------------------------------------------------------------


def shares(counts):
    metric = ClassShares(len(counts))
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    metric.update(one_hot(labels, len(counts)).float())
    return metric, {name: value.item() for name, value in metric.compute().items()}


def test_shares_are_the_counts():
    metric, result = shares([50, 30, 20, 0])
    assert [result[f"class_share/{k}"] for k in range(4)] == pytest.approx([0.5, 0.3, 0.2, 0])
    assert result["classes_present"] == 3
    assert set(result) == set(metric.scores)


def test_one_of_ten_classes_is_present_at_three_percent():
    metric, result = shares([125] * 7 + [66, 30, 29])
    assert result["classes_present"] == 9
    words = metric.explain(result)["classes_present"]
    assert words.startswith("9 of 10 classes appear, each with 3% to 12% of the samples.")
    assert words.endswith("Rare or missing: 9.")
    metric, result = shares([100] * 10)
    words = metric.explain(result)["classes_present"]
    assert words == "All 10 classes appear, each with 10% of the samples."


@pytest.mark.parametrize("metric", [LabelConsistency, ClassShares])
def test_counts_of_two_ranks_add_up(metric):
    rng = torch.Generator().manual_seed(0)
    inputs = [torch.randn(150, 3, generator=rng), torch.randint(3, (150,), generator=rng)]
    inputs = inputs[: len(metric.inputs)]
    single, per_rank = metric(3), [metric(3), metric(3)]
    single.update(*inputs)
    per_rank[0].update(*(x[:40] for x in inputs))
    per_rank[1].update(*(x[40:] for x in inputs))
    per_rank[1].merge_state(per_rank[0])
    for name, value in single.compute().items():
        assert per_rank[1].compute()[name] == value


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [ClassFrechetDistance, LabelConsistency])
def test_data_without_labels_fails_early(metric):
    with pytest.raises(ConfigError, match="needs labels; SwissRoll has none"):
        metric().bind(CLASSIFIER, SwissRoll())


def test_shares_need_a_classifier():
    for extractor in (None, SimpleNamespace(classes=None, title="features")):
        with pytest.raises(ConfigError, match="features of a classifier"):
            ClassShares().bind(extractor, SwissRoll())


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 3], [0, -1, 2], [[0], [1], [2]]])
def test_labels_that_do_not_fit(labels):
    for metric in (LabelConsistency(3), ClassFrechetDistance(3)):
        options = {"real": True} if metric.uses_real else {}
        with pytest.raises(ConfigError, match="0 … 2"):
            metric.update(torch.zeros(3, 3), torch.tensor(labels), **options)


@pytest.mark.parametrize("logits", [torch.zeros(3, 4), torch.full((3, 3), float("nan"))])
def test_logits_that_do_not_fit(logits):
    with pytest.raises(ConfigError, match="ClassShares"):
        ClassShares(3).update(logits)


def test_too_few_samples_propose_another_metric():
    metric = ClassShares()
    metric.bind(CLASSIFIER, DIGITS)
    metric.check_counts(real=0, fake=100)
    with pytest.raises(ConfigError, match="99 generated samples are too few; it needs 100"):
        metric.check_counts(real=0, fake=99)
