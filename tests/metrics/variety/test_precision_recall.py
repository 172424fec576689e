"""Precision, recall, density and coverage on sets whose values are known."""

import pytest
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from ganlab.errors import ConfigError
from ganlab.metrics.variety.precision_recall import DensityCoverage, PrecisionRecall

BOTH = pytest.mark.parametrize("cls", [PrecisionRecall, DensityCoverage])


def features(n, d=8, shift=0.0, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=dtype) + shift


def clusters(n, kept, centres=8, seed=0):
    """Return points around far-apart centres in turn, using only the first `kept` centres."""
    return features(n, seed=seed) + 100 * torch.eye(centres, 8)[torch.arange(n) % kept]


def scored(real, fake, cls=None, memory=2**29, **options):
    result = {}
    for each in [cls] if cls else [PrecisionRecall, DensityCoverage]:
        metric = each(**options)
        metric.memory = memory
        metric.update(real, real=True)
        metric.update(fake, real=False)
        result |= {name: value.item() for name, value in metric.compute().items()}
    return result


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("memory", [2**20, 2**31])
def test_identical_sets(dtype, memory):
    """On average a sample is in its own ball and, apart from the border, in k others."""
    real = features(1500, dtype=dtype)
    fake = real[torch.randperm(1500, generator=torch.Generator().manual_seed(1))]
    result = scored(real, fake, memory=memory)
    assert result == {"precision": 1, "recall": 1, "density": 1, "coverage": 1}


def test_far_apart_sets():
    result = scored(features(300), features(200, shift=1000, seed=1))
    assert result == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_half_of_the_classes_dropped():
    """Recall and coverage fall by about half, precision does not."""
    real = clusters(2400, 8)
    full = scored(real, clusters(2400, 8, seed=1))
    half = scored(real, clusters(2400, 4, seed=1))
    for name in ("recall", "coverage"):
        assert half[name] / full[name] == pytest.approx(0.5, abs=0.07)
    assert half["precision"] > full["precision"] - 0.05


def test_half_of_the_samples_bad():
    """Precision falls by half, and recall does not."""
    real, good = features(1000), features(1000, seed=1)
    bad = torch.cat([good[:500], good[500:] + 1000])
    full, half = scored(real, good), scored(real, bad)
    assert half["precision"] / full["precision"] == pytest.approx(0.5, abs=0.07)
    assert half["density"] / full["density"] == pytest.approx(0.5, abs=0.07)


def test_a_collapsed_generator():
    """All samples equal one real example: precision is 1, and recall is near 0."""
    real = features(500)
    result = scored(real, real[:1].repeat(300, 1))
    assert result["precision"] == 1
    assert result["recall"] == pytest.approx(1 / 500)
    assert result["coverage"] < 0.05


def test_equal_distributions_have_density_one_and_the_papers_coverage():
    """E[coverage] = 1 − (N−1)…(N−k) / (N+M−1)…(N+M−k): Naeem et al. 2020, lemma 2."""
    k, n, m, rounds = 3, 200, 200, 20
    missed = 1.0
    for i in range(1, k + 1):
        missed *= (n - i) / (n + m - i)
    result = [scored(features(n, seed=2 * i), features(m, seed=2 * i + 1), DensityCoverage, k=k)
             for i in range(rounds)]  # fmt: skip
    coverage, density = (sum(f[x] for f in result) / rounds for x in ("coverage", "density"))
    assert coverage == pytest.approx(1 - missed, abs=0.02)
    assert density == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("memory", [2**20, 2**31])
def test_agrees_with_torch_fidelity(k, memory):
    real, fake = features(700), features(900, shift=0.5, seed=1)
    expected = prc_features_to_metric(
        fake, real, prc_neighborhood=k, prc_batch_size=10_000, save_cpu_ram=False, verbose=False
    )
    result = scored(real, fake, PrecisionRecall, k=k, memory=memory)
    for name in ("precision", "recall"):
        assert result[name] == pytest.approx(expected[name], rel=1e-6)


def test_density_and_coverage_as_defined():
    real, fake, k = features(200), features(300, shift=0.4, seed=1), 5
    radius = torch.cdist(real, real).sort(1).values[:, k]
    inside = torch.cdist(real, fake) < radius[:, None]
    result = scored(real, fake, DensityCoverage)
    assert result["density"] == pytest.approx(inside.sum().item() / k / 300, rel=1e-12)
    assert result["coverage"] == pytest.approx(inside.any(1).double().mean().item(), rel=1e-12)


def test_shift_scale_and_rotation_change_nothing():
    real, fake = features(300), features(300, shift=0.3, seed=1)
    rotation = torch.linalg.qr(features(8, seed=3))[0]
    moved = scored(1e3 * real @ rotation + 1e4, 1e3 * fake @ rotation + 1e4)
    assert moved == pytest.approx(scored(real, fake), rel=1e-12)


@BOTH
def test_two_processes_equal_one(cls):
    """Ranks have contiguous parts; the states are concatenated as declared."""
    real, fake = features(300), features(200, shift=0.2, seed=1)
    per_rank = [cls(), cls()]
    for rank, metric in enumerate(per_rank):
        metric.update(real.chunk(2)[rank], real=True)
        metric.update(fake.chunk(2)[rank], real=False)
    per_rank[1].merge_state(per_rank[0])
    together = {name: value.item() for name, value in per_rank[1].compute().items()}
    assert together == scored(real, fake, cls)


@BOTH
def test_bad_input(cls):
    metric = cls(k=3)
    with pytest.raises(ConfigError, match=r"3 real examples.*kernel_distance"):
        metric.check_counts(3, 4)
    metric.update(features(100, 8), real=True)
    with pytest.raises(ConfigError, match=r"0 generated samples"):
        metric.compute()
    with pytest.raises(ConfigError, match=r"\(7,\) after samples of shape \(8,\)"):
        metric.update(features(100, 7), real=False)
    with pytest.raises(ConfigError, match="finite"):
        metric.update(torch.full((2, 8), torch.nan), real=False)
    with pytest.raises(ConfigError, match="k=0"):
        cls(k=0)


@BOTH
def test_explanation_and_settings(cls):
    metric = cls(k=4)
    assert metric.settings() == {"k": 4}
    words = metric.explain(dict.fromkeys(metric.scores, 0.8))
    assert set(words) == set(metric.scores)
    assert any("80%" in text for text in words.values())
