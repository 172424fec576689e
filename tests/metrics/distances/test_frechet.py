"""The Fréchet distance of Gaussians in closed form, and of features from their moments."""

import math

import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from ganlab.errors import ConfigError
from ganlab.metrics import FrechetDistance, frechet_distance


def covariance(d, seed=0, rank=None):
    torch.manual_seed(seed)
    factor = torch.randn(d, rank or 2 * d, dtype=torch.float64)
    return factor @ factor.T / d


def rotation(d, seed=0):
    torch.manual_seed(seed)
    return torch.linalg.qr(torch.randn(d, d, dtype=torch.float64))[0]


ZERO = torch.zeros(6, dtype=torch.float64)


# --- Gaussians ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [12, 3])
def test_equal_gaussians_are_at_zero(rank):
    """The distance is 0 even if the covariance is singular."""
    cov = covariance(6, rank=rank)
    assert frechet_distance(ZERO, cov, ZERO, cov) == pytest.approx(0, abs=1e-6 * cov.trace().item())


def test_with_equal_covariances_only_the_means_count():
    mean, cov = torch.tensor([3.0, 4.0, 0, 0, 0, 0]), covariance(6)
    assert frechet_distance(mean, cov, ZERO, cov) == pytest.approx(25.0, rel=1e-6)


@pytest.mark.parametrize(("m1", "s1", "m2", "s2"), [(0, 1, 3, 1), (1, 2, -1, 0.5), (0, 0, 2, 3)])
def test_one_dimension(m1, s1, m2, s2):
    """The distance is (m₁ − m₂)² + (s₁ − s₂)²."""
    arguments = ([m1], [[s1**2]], [m2], [[s2**2]])
    result = frechet_distance(*(torch.tensor(x, dtype=torch.float64) for x in arguments))
    assert result == pytest.approx((m1 - m2) ** 2 + (s1 - s2) ** 2, rel=1e-9)


def test_commuting_covariances():
    """Covariances that are diagonal in the same basis have ‖μ‖² + Σ(√a − √b)²."""
    a = torch.tensor([1.0, 4.0, 9.0, 0.0, 2.0, 1e-4], dtype=torch.float64)
    b = torch.tensor([4.0, 1.0, 0.0, 0.0, 2.0, 1e-2], dtype=torch.float64)
    mean = torch.arange(6, dtype=torch.float64)
    expected = (mean.square().sum() + (a.sqrt() - b.sqrt()).square().sum()).item()
    for q in (torch.eye(6, dtype=torch.float64), rotation(6)):
        result = frechet_distance(q @ mean, q @ a.diag() @ q.T, ZERO, q @ b.diag() @ q.T)
        assert result == pytest.approx(expected, rel=1e-6)


def test_covariances_that_do_not_commute():
    """In two dimensions tr √M = √(tr M + 2 √det M), M = Σ₁Σ₂."""
    first = torch.tensor([[2.0, 0.8], [0.8, 1.0]], dtype=torch.float64)
    second = torch.tensor([[1.0, -0.9], [-0.9, 3.0]], dtype=torch.float64)
    assert (first @ second - second @ first).abs().max() > 0.1
    product = first @ second
    root = math.sqrt(product.trace() + 2 * math.sqrt(torch.linalg.det(product)))
    expected = (first.trace() + second.trace()).item() - 2 * root
    assert frechet_distance(ZERO[:2], first, ZERO[:2], second) == pytest.approx(expected, rel=1e-9)


def test_a_scaled_copy():
    """The distance of c·X to X is (1 − c)² · tr Σ."""
    cov = covariance(6)
    for scale in (0.5, 3.0):
        expected = (1 - scale) ** 2 * cov.trace().item()
        result = frechet_distance(ZERO, cov, ZERO, scale**2 * cov)
        assert result == pytest.approx(expected, rel=1e-9)


def test_symmetric_and_blind_to_rigid_motions():
    first, second, q = covariance(6, 1), covariance(6, 2), rotation(6)
    mean = torch.ones(6, dtype=torch.float64)
    value = frechet_distance(mean, first, ZERO, second)
    assert frechet_distance(ZERO, second, mean, first) == pytest.approx(value, rel=1e-9)
    moved = frechet_distance(q @ mean + 7, q @ first @ q.T, ZERO + 7, q @ second @ q.T)
    assert moved == pytest.approx(value, rel=1e-9)


def test_single_precision_is_computed_in_double():
    mean, first, second = ZERO.float(), covariance(6, 1).float(), covariance(6, 2).float()
    assert frechet_distance(mean, first, mean, second) == frechet_distance(
        mean.double(), first.double(), mean.double(), second.double()
    )


# --- features -----------------------------------------------------------------------------------


@pytest.fixture
def features():
    torch.manual_seed(0)
    mix = torch.randn(4, 4)
    return torch.randn(90, 4) @ mix + 3, torch.randn(70, 4) @ mix.T - 1


def filled(real, fake, chunk):
    metric = FrechetDistance(4)
    for part in real.split(chunk):
        metric.update(part, real=True)
    for part in fake.split(chunk):
        metric.update(part, real=False)
    return metric


def test_moments_are_mean_and_covariance(features):
    metric = filled(*features, chunk=90)
    for which, samples in zip(("real", "fake"), features, strict=True):
        mean, cov = metric.moments(which)
        torch.testing.assert_close(mean, samples.double().mean(0))
        torch.testing.assert_close(cov, torch.cov(samples.double().T))


@pytest.mark.parametrize("chunk", [1, 7, 32])
def test_chunks_add_up_to_one_shot(chunk, features):
    once, parts = filled(*features, chunk=90), filled(*features, chunk=chunk)
    for which in ("real", "fake"):
        for a, b in zip(once.moments(which), parts.moments(which), strict=True):
            torch.testing.assert_close(a, b)
    assert parts.compute().item() == pytest.approx(once.compute().item(), rel=1e-9)


def test_the_value_is_that_of_the_moments(features):
    real, fake = (samples.double() for samples in features)
    expected = frechet_distance(real.mean(0), torch.cov(real.T), fake.mean(0), torch.cov(fake.T))
    assert filled(*features, chunk=90).compute().item() == pytest.approx(expected, rel=1e-9)


def test_metrics_of_two_ranks_merge(features):
    """Sums are added, so ranks with unequal numbers of samples are weighted correctly."""
    real, fake = features
    first, second = filled(real[:20], fake[:50], chunk=64), filled(real[20:], fake[50:], chunk=64)
    first.merge_state(second)
    expected = filled(real, fake, chunk=90).compute().item()
    assert first.compute().item() == pytest.approx(expected, rel=1e-9)


def test_a_large_mean_does_not_spoil_the_covariance(features):
    """The sums of squares are about 10⁷ and variances about 1: float32 would lose all digits."""
    real, fake = ((samples + 3000).half().float() for samples in features)
    metric = filled(real, fake, chunk=16)
    torch.testing.assert_close(
        metric.moments("real")[1], torch.cov(real.double().T), rtol=1e-6, atol=1e-6
    )


def test_sums_stay_in_double_precision_when_the_model_is_cast(features):
    metric = FrechetDistance(4).half().float()
    metric.update(features[0].half(), real=True)
    assert metric.real_sum.dtype == metric.real_outer.dtype == torch.float64


def test_samples_of_the_same_distribution_are_near_and_others_far():
    torch.manual_seed(0)
    real, same = torch.randn(4000, 4), torch.randn(4000, 4)
    near, far = filled(real, same, 4000).compute(), filled(real, same + 1, 4000).compute()
    assert near.item() < 0.02
    assert far.item() == pytest.approx(4.0, rel=0.1)


def test_reset_clears_the_state(features):
    metric = filled(*features, chunk=90)
    metric.reset()
    metric.update(features[0], real=True)
    metric.update(features[0], real=False)
    assert metric.compute().item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (torch.zeros(3, 5), ["FrechetDistance", "(3, 5)", "(N, 4)"]),
        (torch.zeros(3, 4, 1), ["FrechetDistance", "(3, 4, 1)", "(N, 4)"]),
        (torch.tensor([[0.0] * 4, [float("nan")] * 4]), ["FrechetDistance", "1 of 2", "finite"]),
        (torch.full((3, 4), float("inf")), ["FrechetDistance", "3 of 3", "finite"]),
    ],
)
def test_errors_name_what_was_received(features, words):
    metric = FrechetDistance(4)
    with pytest.raises(ConfigError) as error:
        metric.update(features, real=True)
    for word in words:
        assert word in str(error.value)
    assert metric.real_count == 0


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_too_few_samples_have_no_covariance(features):
    metric = FrechetDistance(4)
    metric.update(features[0], real=True)
    metric.update(features[1][:1], real=False)
    with pytest.raises(ConfigError, match="1 fake samples; needs at least 2"):
        metric.compute()


@pytest.mark.parametrize(("n", "d"), [(500, 16), (300, 200)])
def test_agrees_with_torch_fidelity(n, d):
    rng = torch.Generator().manual_seed(n)
    real = torch.randn(n, d, generator=rng).abs()
    fake = (torch.randn(n + 50, d, generator=rng) * 1.2 + 0.1).relu()
    theirs = fid_statistics_to_metric(
        fid_features_to_statistics(fake), fid_features_to_statistics(real), verbose=False
    )["frechet_inception_distance"]
    metric = FrechetDistance(d)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert float(metric.compute()) == pytest.approx(theirs, rel=1e-4)
