"""Train on synthetic, test on real: cases whose accuracy is known."""

from functools import partial

import pytest
import torch
from torch import nn

from ganlab.data import MNIST5k, Ring, SwissRoll
from ganlab.errors import ConfigError
from ganlab.metrics.classes.train_on_synthetic import TrainOnSynthetic, small_classifier


@pytest.fixture(scope="module")
def digits():
    data = MNIST5k()
    order = torch.randperm(5000, generator=torch.Generator().manual_seed(0))
    return data, data.train["example"][order], data.train["label"][order]


def score(data, fake, requested, real, labels, **options):
    metric = TrainOnSynthetic(**options)
    metric.bind(None, data)
    metric.update(fake, requested, real=False)
    metric.update(real, labels, real=True)
    return metric.compute().item()


def test_real_digits_teach_and_random_labels_do_not(digits):
    data, images, labels = digits
    test = images[4000:], labels[4000:]
    assert score(data, images[:3000], labels[:3000], *test, steps=100) >= 0.9
    shuffled = labels[:3000][torch.randperm(3000, generator=torch.Generator().manual_seed(1))]
    assert score(data, images[:3000], shuffled, *test, steps=40) <= 0.2


def test_dropped_classes_are_not_learnt(digits):
    """If four digits are missing in training, only examples of the other six are right."""
    data, images, labels = digits
    keep = labels[:3000] < 6
    result = score(
        data, images[:3000][keep], labels[:3000][keep], images[4000:], labels[4000:], steps=80
    )
    share = (labels[4000:] < 6).double().mean().item()
    assert 0.85 * share < result <= share


def test_points():
    data = Ring(samples=2000)
    train, test = data.train, data.test
    sets = (train["example"], train["label"], test["example"], test["label"])
    assert score(data, *sets, steps=100) > 0.99


def test_it_is_repeatable_and_leaves_the_global_generator_alone():
    data = Ring(samples=500)
    sets = (data.train["example"], data.train["label"]) * 2
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = score(data, *sets, steps=5)
    assert torch.equal(state, torch.get_rng_state())
    torch.rand(3)
    assert score(data, *sets, steps=5) == first


def test_two_ranks_train_the_same_classifier():
    data = Ring(samples=400)
    points, labels = data.train["example"], data.train["label"]
    per_rank = [TrainOnSynthetic(steps=10), TrainOnSynthetic(steps=10)]
    for metric, part in zip(per_rank, (slice(150), slice(150, 400)), strict=True):
        metric.bind(None, data)
        metric.update(points[part], labels[part], real=False)
        metric.update(points[part], labels[part], real=True)
    per_rank[1].merge_state(per_rank[0])
    assert per_rank[1].compute().item() == score(data, points, labels, points, labels, steps=10)


class Always(nn.Module):
    """A classifier that always gives the same answer, even after training."""

    def __init__(self, answer, classes):
        super().__init__()
        self.logits = nn.functional.one_hot(torch.tensor(answer), classes).float()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, samples):
        return self.scale * self.logits.expand(len(samples), -1)


def test_a_network_of_the_user():
    """If the classifier always answers 3, the accuracy is the share of 3s."""
    data = Ring(samples=200)
    sets = (data.train["example"], data.train["label"])
    keep = torch.arange(200) % 2 == 0
    real = sets[0][keep], sets[1][keep]
    network = partial(Always, 3, 8)
    result = score(data, *sets, *real, network=network, steps=2)
    assert result == pytest.approx(int((real[1] == 3).sum()) / 100)
    assert result > 0
    assert TrainOnSynthetic(network).settings()["classifier"] == "Always"
    assert TrainOnSynthetic().settings()["classifier"] == "small_classifier"


@pytest.mark.parametrize("shape", [(2,), (24, 3), (1, 28, 28), (3, 32, 32), (3, 7, 9), (3, 64, 48)])
def test_the_default_network_takes_any_shape(shape):
    assert small_classifier(shape, 5)(torch.randn(4, *shape)).shape == (4, 5)


def test_bad_input():
    with pytest.raises(ConfigError, match="needs labels; SwissRoll has none"):
        TrainOnSynthetic().bind(None, SwissRoll())
    with pytest.raises(ConfigError, match="steps"):
        TrainOnSynthetic(steps=0)
    metric = TrainOnSynthetic()
    metric.bind(None, Ring())
    with pytest.raises(ConfigError, match="0 … 7"):
        metric.update(torch.zeros(2, 2), torch.tensor([0, 8]), real=False)
    with pytest.raises(ConfigError, match="79 generated"):
        metric.check_counts(real=80, fake=79)
