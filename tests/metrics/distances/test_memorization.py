"""The memorization-informed Fréchet distance: its divisor, and agreement with torchmetrics."""

import pytest
import torch
from torchmetrics.image.mifid import MemorizationInformedFrechetInceptionDistance

from ganlab.errors import ConfigError
from ganlab.metrics import FrechetDistance
from ganlab.metrics.distances.memorization import MemorizationInformedFrechetDistance as MiFID


def features(n, d=12, seed=0, positive=True):
    """Return positive features, as after a ReLU, or features of both signs."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return values.relu() + 0.01 if positive else values


def near(real, noise, seed=5):
    return real + noise * features(len(real), real.shape[1], seed, positive=False)


def scored(real, fake, cls=MiFID, memory=2**29, **options):
    return fed(real, fake, cls, memory, **options).compute().item()


def divisor(real, fake):
    return fed(real, fake).divisor().item()


def fed(real, fake, cls=MiFID, memory=2**29, **options):
    metric = cls(real.shape[1], **options)
    metric.memory = memory
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return metric


def cosine_distance(real, fake):
    """Return the mean smallest cosine distance by its definition, on all pairs at once."""
    cosines = torch.nn.functional.cosine_similarity(fake[:, None], real[None], dim=2)
    return (1 - cosines.abs()).amin(1).mean().item()


@pytest.mark.parametrize("noise", [0.3, 0.05, 0.01])
@pytest.mark.parametrize("positive", [True, False])
def test_agrees_with_torchmetrics(noise, positive):
    """torchmetrics searches the nearest sample of each example, so it gets the sets swapped."""
    real = features(400, positive=positive)
    fake = near(real[:300], noise)
    theirs = MemorizationInformedFrechetInceptionDistance(feature=torch.nn.Identity())
    theirs.update(fake, real=True)
    theirs.update(real, real=False)
    assert scored(real, fake) == pytest.approx(theirs.compute().item(), rel=1e-6)


@pytest.mark.parametrize("memory", [2**20, 2**31])
def test_a_near_copy_is_divided_by_its_distance(memory):
    real = features(1000)
    fake = near(real[:700], 0.02)
    expected = scored(real, fake, FrechetDistance) / cosine_distance(real, fake)
    assert scored(real, fake, memory=memory) == pytest.approx(expected, rel=1e-9)


def test_new_samples_have_the_plain_frechet_distance():
    real, fake = features(200, 64, positive=False), features(200, 64, 1, positive=False)
    assert cosine_distance(real, fake) > 0.1
    assert scored(real, fake) == pytest.approx(scored(real, fake, FrechetDistance), rel=1e-9)


def test_the_threshold():
    real = features(300)
    fake = near(real, 0.1)
    distance, frechet = cosine_distance(real, fake), scored(real, fake, FrechetDistance)
    below = scored(real, fake, threshold=distance * 0.99)
    above = scored(real, fake, threshold=distance * 1.01)
    assert below == pytest.approx(frechet, rel=1e-9)
    assert above == pytest.approx(frechet / distance, rel=1e-9)


def test_closer_copies_score_worse():
    """Closer copies score worse although their Fréchet distance is smaller."""
    real = features(400)
    copies = [near(real[:200], noise) for noise in (0.1, 0.03, 0.01)]
    scores = [scored(real, fake) for fake in copies]
    assert scores == sorted(scores)
    assert scored(real, copies[0], FrechetDistance) > scored(real, copies[2], FrechetDistance)


def test_blind_to_lengths_and_signs_of_directions():
    real = features(100, positive=False)
    fake = near(real, 0.05)
    assert divisor(-3 * real, fake * 7) == pytest.approx(divisor(real, fake), rel=1e-9)


def test_samples_of_zeros_are_left_out():
    real = features(100)
    fake, zeros = near(real, 0.05), torch.zeros(5, 12, dtype=torch.float64)
    with_zeros = divisor(torch.cat([zeros, real]), torch.cat([fake, zeros]))
    assert with_zeros == pytest.approx(divisor(real, fake), rel=1e-12)
    assert divisor(real, zeros) == 1


def test_identical_sets_are_at_zero():
    """A Fréchet distance of 0 stays 0, as in the competition."""
    real = features(200)
    assert scored(real, real) == 0


def test_two_processes_equal_one():
    """Ranks have contiguous parts; the states are summed or concatenated as declared."""
    real = features(200)
    fake = near(real, 0.05)
    per_rank = [MiFID(12), MiFID(12)]
    for rank, metric in enumerate(per_rank):
        metric.update(real.chunk(2)[rank], real=True)
        metric.update(fake.chunk(2)[rank], real=False)
    per_rank[1].merge_state(per_rank[0])
    assert per_rank[1].compute().item() == pytest.approx(scored(real, fake), rel=1e-9)


def test_bad_input():
    metric = MiFID(12)
    with pytest.raises(ConfigError, match=r"\(N, 12\)"):
        metric.update(features(10, 7), real=False)
    with pytest.raises(ConfigError, match="finite"):
        metric.update(torch.full((2, 12), torch.nan), real=False)
    with pytest.raises(ConfigError, match="needs at least 2"):
        metric.compute()
    metric.min_samples = 13
    with pytest.raises(ConfigError, match="kernel_distance"):
        metric.check_counts(12, 100)


def test_explanation_and_settings():
    metric = MiFID(12)
    assert metric.settings() == {"cosine_threshold": 0.1}
    assert "training examples" in metric.explain({metric.scores[0]: 12.5})[metric.scores[0]]
