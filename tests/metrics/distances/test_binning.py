"""Bins of real examples, and the shares of generated samples in them."""

import math

import pytest
import torch

from ganlab.errors import ConfigError
from ganlab.metrics.distances.binning import (
    BinnedProportions,
    different_proportions,
    jensen_shannon,
    k_means,
    nearest_centre,
)

CLUSTERS = 20


def clusters(n, seed=0, drop=0, d=5):
    """Return points around fixed centres far apart, except the last `drop` centres."""
    centres = 20 * torch.randn(CLUSTERS, d, generator=torch.Generator().manual_seed(99))
    rng = torch.Generator().manual_seed(seed)
    cluster = torch.randint(CLUSTERS - drop, (n,), generator=rng)
    return centres[cluster] + torch.randn(n, d, generator=rng)


def score(real, fake, metric=None):
    metric = metric or BinnedProportions(bins=50)
    for part, is_real in ((real, True), (fake, False)):
        for batch in part.split(500):
            metric.update(batch, real=is_real)
    return {name: float(value) for name, value in metric.compute().items()}


# --- the statistics ------------------------------------------------------------------------------


def test_the_test_of_two_proportions():
    """z by hand: for shares 0.5 and 0.4 it is 1.421 with 100 samples each, 2.843 with 400."""
    for n, differs in ((100, False), (400, True)):
        first = torch.tensor([0.5, 0.5], dtype=torch.float64) * n
        second = torch.tensor([0.4, 0.6], dtype=torch.float64) * n
        z = 0.1 / math.sqrt(0.45 * 0.55 * 2 / n)
        assert (z > 1.959964) is differs
        assert different_proportions(first, second, 0.05).tolist() == [differs] * 2
        p = math.erfc(z / math.sqrt(2))
        assert different_proportions(first, second, p * 1.001).all()
        assert not different_proportions(first, second, p * 0.999).any()


def test_an_empty_bin_is_not_different():
    counts = torch.tensor([0.0, 10.0], dtype=torch.float64)
    assert not different_proportions(counts, counts, 0.05).any()


def test_jensen_shannon_divergence():
    p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert float(jensen_shannon(p, q)) == pytest.approx(math.log(2))
    assert float(jensen_shannon(p, p)) == 0
    half = torch.tensor([0.5, 0.5])
    expected = 0.5 * math.log(4 / 3) + 0.5 * (0.5 * math.log(2 / 3) + 0.5 * math.log(2))
    assert float(jensen_shannon(p, half)) == pytest.approx(expected)


# --- k-means -------------------------------------------------------------------------------------


def test_far_clusters_are_found_and_centres_are_means():
    samples = clusters(4000) + 1000  # far from 0
    centres = k_means(samples, CLUSTERS, torch.Generator().manual_seed(1), 100)
    bin_of = nearest_centre(samples, centres)
    means = torch.stack([samples[bin_of == k].mean(0) for k in range(CLUSTERS)])
    assert torch.allclose(centres, means, atol=1e-2)
    brute = torch.cdist(samples.double(), centres.double()).argmin(1)
    assert (brute == bin_of).float().mean() > 0.999
    spread = (samples - centres[bin_of]).square().mean()
    assert spread < 60  # 1 for a cluster, hundreds for joined ones; k-means++ may join a few


def test_as_many_distinct_samples_as_bins_make_one_bin_each():
    distinct = torch.arange(12.0)[:, None] * 10
    centres = k_means(distinct.repeat(9, 1), 12, torch.Generator().manual_seed(0), 10)
    assert torch.equal(centres.sort(0).values, distinct)
    with pytest.raises(ConfigError, match="12 distinct real examples for 13 bins"):
        k_means(distinct.repeat(9, 1), 13, torch.Generator().manual_seed(0), 10)


# --- the metric ----------------------------------------------------------------------------------


def test_equal_sets_are_at_zero():
    x = clusters(1000)
    shuffled = x[torch.randperm(1000, generator=torch.Generator().manual_seed(1))]
    assert score(x, shuffled) == {"ndb_share": 0, "binned_jsd": pytest.approx(0, abs=1e-12)}


def test_the_same_distribution_gives_about_alpha():
    """The number of different bins, over 8 repetitions, is about binomial(400, 0.05): ± 3 · 4.4."""
    different = [
        50 * score(clusters(4000, seed), clusters(4000, seed + 50))["ndb_share"]
        for seed in range(8)
    ]
    assert abs(sum(different) - 400 * 0.05) < 3 * math.sqrt(400 * 0.05 * 0.95)


def test_dropped_clusters_raise_the_scores():
    """Two of twenty clusters are missing: their bins hold a tenth of the examples, no sample."""
    metric = BinnedProportions(bins=CLUSTERS)
    result = score(clusters(5000), clusters(5000, 1, drop=2), metric)
    real, fake = metric.histograms()
    lost = fake == 0
    assert float(real[lost].sum() / real.sum()) == pytest.approx(0.1, abs=0.06)
    assert different_proportions(real, fake, 0.05)[lost].all()
    assert result["ndb_share"] >= lost.double().mean()
    healthy = score(clusters(5000), clusters(5000, 1), BinnedProportions(bins=CLUSTERS))
    assert result["binned_jsd"] > 10 * healthy["binned_jsd"]


def test_collapse_and_images():
    """If all samples are one image, all bins but one are empty, so nearly all shares differ."""
    rng = torch.Generator().manual_seed(0)
    real = torch.randint(256, (600, 1, 4, 4), generator=rng).to(torch.uint8)
    metric = BinnedProportions(bins=20, on="samples")
    assert metric.inputs == ("samples",)
    result = score(real, real[:1].expand(600, -1, -1, -1), metric)
    assert result["ndb_share"] == 1
    assert 0.4 < result["binned_jsd"] <= math.log(2)


def test_two_processes_give_the_score_of_one():
    real, fake = clusters(1001), clusters(900, 1, drop=4)
    per_rank = [BinnedProportions(bins=50) for _ in range(2)]
    for rank, metric in enumerate(per_rank):
        metric.update(real.tensor_split(2)[rank], real=True)
        metric.update(fake.tensor_split(2)[rank], real=False)
    per_rank[1].merge_state(per_rank[0])
    result = per_rank[1].compute()
    assert {name: float(value) for name, value in result.items()} == score(real, fake)


def test_too_few_or_invalid_samples_raise():
    with pytest.raises(ConfigError, match=r"499 generated samples.*fewer bins"):
        score(clusters(500), clusters(499))
    with pytest.raises(ConfigError, match="not finite"):
        BinnedProportions().update(torch.full((3, 2), torch.inf), real=True)
    with pytest.raises(ConfigError, match="after samples of shape"):
        score(clusters(600), clusters(600, d=4))
    with pytest.raises(ConfigError, match="on: received 'pixels'"):
        BinnedProportions(on="pixels")
    with pytest.raises(ConfigError, match="alpha=2"):
        BinnedProportions(alpha=2)
    with pytest.raises(ConfigError, match="on=samples"):
        BinnedProportions().bind(None, None)
    BinnedProportions(on="samples").bind(None, None)
