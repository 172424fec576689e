"""The kernel distance: its estimate, its subsets, and agreement with torch-fidelity."""

import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

from ganlab.errors import ConfigError
from ganlab.metrics.distances.kernel import KernelDistance, squared_mmd


def features(n, d=16, shift=0.0, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=dtype) + shift


def scored(real, fake, **options):
    metric = KernelDistance(**{"subsets": 20, "subset_size": 100, **options})
    for x in real.split(70):
        metric.update(x, real=True)
    for x in fake.split(90):
        metric.update(x, real=False)
    return {name: value.item() for name, value in metric.compute().items()}


def test_the_estimate_is_the_sum_over_pairs():
    x, y = features(5, 3), features(5, 3, 1, seed=1)
    kernel = lambda a, b: (a @ b / 3 + 1) ** 3  # noqa: E731
    within = sum(kernel(s[i], s[j]) for s in (x, y) for i in range(5) for j in range(5) if i != j)
    between = sum(kernel(a, b) for a in x for b in y)
    expected = within / 20 - 2 * between / 25
    assert squared_mmd(x, y).item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "m", "d"), [(500, 500, 64), (500, 300, 7), (100, 100, 16)])
def test_agrees_with_torch_fidelity(n, m, d, dtype):
    real, fake = features(n, d, dtype=dtype), features(m, d, 0.3, seed=1, dtype=dtype)
    expected = kid_features_to_metric(
        fake.double(), real.double(), kid_subsets=20, kid_subset_size=100, verbose=False
    )
    result = scored(real, fake)
    mean, spread = (expected[f"kernel_inception_distance_{x}"] for x in ("mean", "std"))
    assert result["kernel_distance"] == pytest.approx(mean, rel=1e-9)
    assert result["kernel_distance_std"] == pytest.approx(spread, rel=1e-6, abs=1e-12)


def test_unbiased():
    """For equal distributions the mean is 0 within 4 standard errors, and both signs occur."""
    result = torch.tensor([squared_mmd(features(40, seed=2 * i), features(40, seed=2 * i + 1))
                          for i in range(400)])  # fmt: skip
    assert abs(result.mean()) < 4 * result.std() / 400**0.5
    assert 0.2 < (result < 0).float().mean() < 0.8


def test_identical_sets_are_near_zero_and_shifted_ones_are_not():
    """The subsets of both sets are sampled separately, so identical sets differ by chance."""
    real = features(2000)
    same, other = scored(real, real), scored(real, features(2000, shift=0.5, seed=1))
    assert abs(same["kernel_distance"]) < same["kernel_distance_std"]
    assert other["kernel_distance"] > 5 * other["kernel_distance_std"]


def test_half_of_the_mixture_missing_is_seen():
    modes = torch.eye(4, 16, dtype=torch.float64) * 5
    real = features(1000) + modes[torch.arange(1000) % 4]
    full = features(1000, seed=1) + modes[torch.arange(1000) % 4]
    half = features(1000, seed=1) + modes[torch.arange(1000) % 2]
    full, half = scored(real, full), scored(real, half)
    assert half["kernel_distance"] > 10 * abs(full["kernel_distance"])


def test_two_processes_equal_one():
    """Ranks have contiguous parts; the states are concatenated as declared."""
    real, fake = features(300), features(200, shift=0.2, seed=1)
    per_rank = [KernelDistance(subsets=5, subset_size=50) for _ in range(2)]
    for rank, metric in enumerate(per_rank):
        metric.update(real.chunk(2)[rank], real=True)
        metric.update(fake.chunk(2)[rank], real=False)
    per_rank[1].merge_state(per_rank[0])
    single = scored(real, fake, subsets=5, subset_size=50)
    assert {name: value.item() for name, value in per_rank[1].compute().items()} == single


def test_bad_input():
    metric = KernelDistance(subset_size=100)
    with pytest.raises(ConfigError, match=r"99 generated samples.*subset_size"):
        metric.check_counts(100, 99)
    metric.update(features(100, 8), real=True)
    with pytest.raises(ConfigError, match=r"0 generated samples"):
        metric.compute()
    with pytest.raises(ConfigError, match=r"\(7,\) after samples of shape \(8,\)"):
        metric.update(features(100, 7), real=False)
    with pytest.raises(ConfigError, match="finite"):
        metric.update(torch.full((2, 8), torch.nan), real=False)
    with pytest.raises(ConfigError, match="subset_size"):
        KernelDistance(subset_size=1)


def test_explanation_and_settings():
    metric = KernelDistance(subsets=7)
    assert metric.settings()["subsets"] == 7
    near = metric.explain({"kernel_distance": -0.001, "kernel_distance_std": 0.01})
    far = metric.explain({"kernel_distance": 1.0, "kernel_distance_std": 0.01})
    assert "hardly" in near["kernel_distance"]
    assert "differ" in far["kernel_distance"]
