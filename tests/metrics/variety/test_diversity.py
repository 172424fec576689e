"""Diversity of samples: pairs, MS-SSIM and distances."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.variety.diversity import (
    BETAS,
    MSSSIMDiversity,
    PairwiseDistance,
    random_pairs,
    random_pairs_within,
    scale_weights,
)
from ganlab.modalities import IMAGE, POINTS


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=200, size=28, seed=0):
    coarse = torch.rand(n, 1, 4, 4, generator=rng(seed))
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    return (255 * smooth).to(torch.uint8)


def score(metric, real, fake, labels=()):
    for part, is_real in ((real, True), (fake, False)):
        metric.update(part, *labels, real=is_real)
    result = metric.compute()
    return {k: float(v) for k, v in result.items()} if isinstance(result, dict) else float(result)


# --- pairs ---------------------------------------------------------------------------------------


def test_pairs_are_uniform_over_pairs_of_different_samples():
    first, second = random_pairs(5, 40_000, rng())
    assert (first != second).all()
    counts = torch.bincount(first * 5 + second, minlength=25)
    possible = counts[counts > 0]
    assert len(possible) == 20
    assert (possible - 2000).abs().max() < 5 * 2000**0.5


def test_pairs_within_a_class():
    labels = torch.tensor([7, 3, 7, 0, 3, 7])  # one sample of class 0 has no partner
    first, second = random_pairs_within(labels, 10_000, rng())
    assert (first != second).all()
    assert torch.equal(labels[first], labels[second])
    assert set((first * 6 + second).tolist()) == {2, 5, 12, 17, 30, 32, 10, 25}
    with pytest.raises(ConfigError, match="within_class=false"):
        random_pairs_within(torch.arange(4), 10, rng())


# --- MS-SSIM -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "scales"), [(11, 1), (28, 2), (64, 3), (128, 4), (176, 5)])
def test_as_many_scales_as_fit(side, scales):
    """torchmetrics supports this number of scales but not one more, and gives the same score."""
    weights = scale_weights(side)
    assert len(weights) == scales
    assert sum(weights) == pytest.approx(1)
    assert weights[0] / weights[-1] == pytest.approx(BETAS[0] / BETAS[scales - 1])
    sets = {"ms_ssim_real": images(100, side), "ms_ssim": images(100, side, 1)}
    result = score(MSSSIMDiversity(pairs=3), sets["ms_ssim_real"], sets["ms_ssim"])
    reference = partial(multiscale_structural_similarity_index_measure, data_range=255.0)
    pair = random_pairs(100, 3, rng(mix(0)))
    for name, pictures in sets.items():
        first, second = (pictures[index].float() for index in pair)
        total = sum(BETAS[:scales])
        expected = reference(first, second, betas=tuple(beta / total for beta in BETAS[:scales]))
        assert result[name] == pytest.approx(float(expected), abs=1e-6)
    if scales < len(BETAS):
        with pytest.raises((ValueError, RuntimeError), match="size"):
            reference(first, second, betas=BETAS[: scales + 1])


def test_equal_images_have_similarity_one():
    same = images(1).repeat(200, 1, 1, 1)
    result = score(MSSSIMDiversity(pairs=50), images(), same)
    assert result["ms_ssim"] == pytest.approx(1, abs=1e-5)
    assert result["ms_ssim_real"] < 0.7


def test_one_scale_is_the_mean_structural_similarity():
    """The score equals the mean SSIM, by torchmetrics, of the same pairs."""
    real = images(size=12)
    metric = MSSSIMDiversity(pairs=40, seed=3)
    result = score(metric, real, real)
    pair = random_pairs(len(real), 40, rng(mix(3)))
    first, second = (real[index].float() for index in pair)
    values = structural_similarity_index_measure(
        first, second, data_range=255.0, reduction="none", kernel_size=11
    )
    assert result["ms_ssim"] == pytest.approx(float(values.relu().mean()), abs=1e-5)
    assert result["ms_ssim"] == result["ms_ssim_real"]


def test_pairs_within_a_class_of_equal_images():
    """The samples of a class are copies of one image, so only pairs within a class are equal."""
    ten = images(10)
    labels = torch.arange(200) % 10
    within = MSSSIMDiversity(pairs=50, within_class=True)
    assert within.inputs == ("samples", "labels")
    result = score(within, images(), ten[labels], labels=[labels])
    assert result["ms_ssim"] == pytest.approx(1, abs=1e-5)
    assert score(MSSSIMDiversity(pairs=50), images(), ten[labels])["ms_ssim"] < 0.8
    with pytest.raises(ConfigError, match="no labels for 10 images"):
        within.update(ten, real=True)


def test_settings_have_the_weights_of_the_scales():
    metric = MSSSIMDiversity()
    metric.bind(None, SimpleNamespace(shape=(1, 28, 28), modality=IMAGE))
    assert metric.settings()["scale_weights"] == [0.1356, 0.8644]
    assert "diversity is lost" in metric.explain({"ms_ssim": 0.5, "ms_ssim_real": 0.2})["ms_ssim"]


# --- distances -----------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 2.0])
def test_scaled_points(factor):
    """c·X has c times the distances of X, whatever the pairs."""
    x = torch.randn(300, 2, generator=rng())
    assert score(PairwiseDistance(), x, 5 + factor * x) == pytest.approx(factor, abs=1e-5)


def test_gaussian_points():
    """The distance between two samples of N(0, I₂) has the mean √π."""
    metric = PairwiseDistance(pairs=40_000)
    metric.update(torch.randn(10_000, 2, generator=rng()), real=False)
    metric.update(torch.randn(10_000, 2, generator=rng(1)), real=True)
    assert float(metric._distance("fake")) == pytest.approx(torch.pi**0.5, rel=0.02)
    assert float(metric.compute()) == pytest.approx(1, abs=0.03)


def test_two_processes_give_the_score_of_one():
    """The labels are concatenated over ranks, too."""
    real, fake = images(150), images(101, seed=1)
    labels = torch.arange(150) % 7
    single = MSSSIMDiversity(pairs=50, within_class=True)
    per_rank = [MSSSIMDiversity(pairs=50, within_class=True) for _ in range(2)]
    for is_real, part in ((True, real), (False, fake)):
        part_labels = labels[: len(part)]
        single.update(part, part_labels, real=is_real)
        for metric, samples, rank_labels in zip(
            per_rank, part.tensor_split(2), part_labels.tensor_split(2), strict=True
        ):
            metric.update(samples, rank_labels, real=is_real)
    per_rank[1].merge_state(per_rank[0])
    assert per_rank[1].compute() == single.compute()


# --- errors --------------------------------------------------------------------------------------


def test_too_few_or_invalid_samples_raise():
    with pytest.raises(ConfigError, match=r"20 generated samples.*pairwise_distance_ratio"):
        score(MSSSIMDiversity(), images(), images(20))
    with pytest.raises(ConfigError, match=r"needs images uint8"):
        MSSSIMDiversity().update(torch.zeros(4, 2), real=True)
    with pytest.raises(ConfigError, match="needs 11 or more"):
        MSSSIMDiversity().bind(None, SimpleNamespace(shape=(1, 8, 8), modality=IMAGE))
    with pytest.raises(ConfigError, match="pairwise_distance_ratio"):
        MSSSIMDiversity().bind(None, SimpleNamespace(shape=(2,), modality=POINTS))
    with pytest.raises(ConfigError, match="not finite"):
        PairwiseDistance().update(torch.full((2, 2), torch.nan), real=True)
    with pytest.raises(ConfigError, match="do not differ"):
        score(PairwiseDistance(), torch.ones(9, 2), torch.ones(9, 2))
    with pytest.raises(ConfigError, match="pairs=0"):
        PairwiseDistance(pairs=0)
