"""The Inception Score: known values, and agreement with torch-fidelity."""

from types import SimpleNamespace

import pytest
import torch
from torch_fidelity.metric_isc import isc_features_to_metric

from ganlab.errors import ConfigError
from ganlab.metrics.variety.inception_score import InceptionScore


def random_logits(n, classes=10, scale=2.0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(n, classes, generator=generator, dtype=dtype)


def one_hot(labels, classes):
    return 100.0 * torch.nn.functional.one_hot(labels, classes).float()


def scored(logits, **options):
    metric = InceptionScore(**options)
    for x in logits.split(130):
        metric.update(x)
    return {name: value.item() for name, value in metric.compute().items()}


@pytest.mark.parametrize(("n", "classes", "splits"), [(1000, 10, 10), (1003, 7, 10), (50, 1008, 1)])
def test_agrees_with_torch_fidelity(n, classes, splits):
    logits = random_logits(n, classes)
    expected, found = isc_features_to_metric(logits, splits), scored(logits, splits=splits)
    for name in ("mean", "std"):
        ours = found["inception_score" + ("_std" if name == "std" else "")]
        assert ours == pytest.approx(expected[f"inception_score_{name}"], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_confident_outputs_over_k_classes_score_k(k):
    found = scored(one_hot(torch.arange(3000) % k, 10), splits=1)
    assert found["inception_score"] == pytest.approx(k, rel=1e-9)


def test_uniform_outputs_score_one():
    assert scored(torch.zeros(100, 10))["inception_score"] == pytest.approx(1, rel=1e-12)


def test_between_one_and_the_number_of_classes():
    """With more confident outputs the score gets closer to the number of classes."""
    scores = [scored(random_logits(2000, scale=s))["inception_score"] for s in (0.01, 2.0, 500.0)]
    assert scores[0] == pytest.approx(1, abs=1e-3)
    assert 2 < scores[1] < 9
    assert 9 < scores[2] <= 10


def test_a_constant_added_to_the_logits_changes_nothing():
    logits = random_logits(500, dtype=torch.float64)
    shifted = scored(logits + 5)["inception_score"]
    assert shifted == pytest.approx(scored(logits)["inception_score"], rel=1e-12)


def test_half_of_the_classes_dropped_halves_it():
    full, half = (scored(one_hot(torch.arange(5000) % k, 10), splits=1) for k in (10, 5))
    assert half["inception_score"] == pytest.approx(full["inception_score"] / 2, rel=1e-9)


def test_two_processes_equal_one():
    """Ranks have contiguous parts; the state is concatenated as declared."""
    logits = random_logits(500)
    per_rank = [InceptionScore(), InceptionScore()]
    for metric, share in zip(per_rank, logits.chunk(2), strict=True):
        metric.update(share)
    per_rank[1].merge_state(per_rank[0])
    assert {name: value.item() for name, value in per_rank[1].compute().items()} == scored(logits)


def test_bad_input():
    metric = InceptionScore(splits=5)
    with pytest.raises(ConfigError, match=r"4 generated samples.*splits"):
        metric.check_counts(0, 4)
    with pytest.raises(ConfigError, match=r"0 generated samples"):
        metric.compute()
    with pytest.raises(ConfigError, match="finite"):
        metric.update(torch.full((2, 8), torch.inf))
    metric.bind(SimpleNamespace(name="digits", classes=10), None)
    with pytest.raises(ConfigError, match=r"\(N, 10\)"):
        metric.update(torch.zeros(2, 8))
    with pytest.raises(ConfigError, match="splits"):
        InceptionScore(splits=0)


@pytest.mark.parametrize("extractor", [None, SimpleNamespace(name="mine", classes=None)])
def test_features_without_logits(extractor):
    with pytest.raises(ConfigError, match="features=inception or features=digits"):
        InceptionScore().bind(extractor, None)


def test_explanation_and_settings():
    metric = InceptionScore()
    metric.bind(SimpleNamespace(name="digits", classes=10), None)
    words = metric.explain({"inception_score": 7.25, "inception_score_std": 0.1})
    assert "7.2 classes (of 10)" in words["inception_score"]
