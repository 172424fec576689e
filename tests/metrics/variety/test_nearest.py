"""Memorisation, measured by distances to training examples."""

import pytest
import torch

from ganlab.errors import ConfigError
from ganlab.metrics.variety.nearest import NearestNeighbours


def images(n, seed=0, size=6):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, 1, size, size), generator=rng).to(torch.uint8)


def points(n, seed=0, d=3):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def fed(real, fake, memory=2**29, **settings):
    metric = NearestNeighbours(**settings)
    metric.memory = memory
    for part, is_real in ((real, True), (fake, False)):
        for batch in part.split(500):
            metric.update(batch, real=is_real)
    return metric


def score(real, fake, **settings):
    return {k: float(v) for k, v in fed(real, fake, **settings).compute().items()}


@pytest.mark.parametrize("make", [images, points])
def test_copies_of_training_samples(make):
    real = make(400)
    copies = real[torch.randint(400, (300,), generator=torch.Generator().manual_seed(1))]
    assert score(real, copies) == {"nearest_ratio": 0, "copies": 1}


def test_a_mixture_of_copies_and_new_samples():
    real, new = points(1000), points(150, seed=1)
    result = score(real, torch.cat([new, real[:350]]))
    assert result["copies"] == pytest.approx(0.7, abs=0.02)
    assert result["nearest_ratio"] == 0


def test_copies_with_the_rounding_of_another_batch():
    real = 5 + points(400)
    result = score(real, real * (1 + 1e-7 * torch.randn(400, 3)))
    assert result["copies"] == 1
    assert result["nearest_ratio"] == pytest.approx(0, abs=1e-4)


def test_new_samples_of_the_same_distribution():
    """The mean share of copies over 10 trials is 0.01; each has 20 ± 3 · √(2 · 20) of 2,000."""
    result = [score(points(2000, 2 * s), points(2000, 2 * s + 1)) for s in range(10)]
    copies = torch.tensor([x["copies"] for x in result])
    ratios = torch.tensor([x["nearest_ratio"] for x in result])
    assert float(copies.mean()) == pytest.approx(0.01, abs=3 * (40 / 10) ** 0.5 / 2000)
    assert float(ratios.mean()) == pytest.approx(1, abs=0.03)


def test_samples_far_from_the_data():
    result = score(points(500), points(500, 1) + 50)
    assert result["copies"] == 0
    assert result["nearest_ratio"] > 10


def test_against_a_search_by_hand():
    """All examples are queries, and no example is its own nearest neighbour."""
    real, fake = points(300), points(200, 1)
    among = torch.cdist(real.double(), real.double()) + torch.diag(torch.full((300,), torch.inf))
    usual, nearest = among.min(1).values, torch.cdist(fake.double(), real.double()).min(1).values
    expected = {
        "nearest_ratio": float(nearest.median() / usual.median()),
        "copies": float((nearest <= usual.quantile(0.01)).double().mean()),
    }
    assert score(real, fake) == pytest.approx(expected, rel=1e-6)
    assert score(real, fake, memory=2**20) == pytest.approx(expected, rel=1e-6)


def test_the_subset_of_queries_changes_little():
    real, fake = points(3000), points(3000, 1)
    few = score(real, fake, queries=500)["nearest_ratio"]
    assert few == pytest.approx(score(real, fake, queries=3000)["nearest_ratio"], rel=0.1)


def test_duplicates_in_the_training_set():
    """A few duplicates do not hide copies; if most examples are duplicates, the score raises."""
    real = torch.cat([points(400), points(10)])
    assert score(real, real[:100]) == {"nearest_ratio": 0, "copies": 1}
    with pytest.raises(ConfigError, match="Remove the duplicates"):
        score(points(200).repeat(2, 1), points(200, 1))


def test_neighbours_for_pictures():
    """Indices follow the order in which training examples were added, over batches."""
    real = images(1200)
    metric = fed(real, images(100, seed=1))
    order = torch.tensor([1100, 3, 777])
    index, distance = metric.neighbours(real[order])
    assert torch.equal(index, order)
    assert distance.tolist() == [0, 0, 0]


def test_two_processes_give_the_score_of_one():
    real, fake = points(1001), points(900, 1)
    per_rank = [NearestNeighbours(queries=300) for _ in range(2)]
    for rank, metric in enumerate(per_rank):
        metric.update(real.tensor_split(2)[rank], real=True)
        metric.update(fake.tensor_split(2)[rank], real=False)
    per_rank[1].merge_state(per_rank[0])
    expected = score(real, fake, queries=300)
    assert {k: float(v) for k, v in per_rank[1].compute().items()} == expected


def test_too_few_or_invalid_samples_raise():
    with pytest.raises(ConfigError, match=r"99 generated samples are too few.*pictures"):
        score(points(200), points(99))
    with pytest.raises(ConfigError, match="not finite"):
        NearestNeighbours().update(torch.full((3, 2), torch.nan), real=True)
    with pytest.raises(ConfigError, match="needs equal shapes"):
        score(points(200), points(200, d=4))
    with pytest.raises(ConfigError, match="queries=5"):
        NearestNeighbours(queries=5)
    with pytest.raises(ConfigError, match="on: received 'pixels'"):
        NearestNeighbours(on="pixels")
    with pytest.raises(ConfigError, match="on=samples"):
        NearestNeighbours().bind(None, None)


def test_explanation_and_split():
    metric = NearestNeighbours()
    assert metric.real_split == "train"
    assert "This is memorisation" in metric.explain({"nearest_ratio": 0.0, "copies": 1.0})["copies"]
    assert "no sign" in metric.explain({"nearest_ratio": 1.0, "copies": 0.01})["copies"]
