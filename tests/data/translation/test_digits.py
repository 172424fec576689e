"""Pairs of edges and digits, and unpaired digits of two groups of writers."""

import pytest
import torch

from ganlab.data import DigitsUnpaired, Edges2Digits, MNIST5k
from ganlab.data.translation.digits import edges, other_digits
from ganlab.errors import ConfigError
from ganlab.metrics import DigitFeatures


@pytest.fixture(scope="module")
def pairs():
    return Edges2Digits()


@pytest.fixture(scope="module")
def unpaired():
    return DigitsUnpaired()


def accuracy(images, labels):
    return (DigitFeatures()(images)[1].argmax(1) == labels).float().mean().item()


def test_the_edges_of_a_square_are_the_pixels_on_both_sides_of_its_border():
    """Central differences see a step from both its sides: a ring of 8² − 4² pixels.

    The ring lacks its 4 outer corners, where neither difference sees the square.
    """
    image = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    image[..., 5:11, 5:11] = 255
    ring = edges(image, 0.3)
    assert set(ring.unique().tolist()) == {0, 255}
    assert (ring > 0).sum() == 8 * 8 - 4 * 4 - 4
    assert (edges(image, 0.8) > 0).sum() == 0  # the largest gradient is √½


def test_sources_are_the_edges_of_their_targets(pairs):
    for split in ("train", "test"):
        rows = pairs.split(split)
        assert torch.equal(edges(rows["target"], 0.3), rows["source"])


def test_the_splits_share_the_5000_digits_and_no_digit_is_in_both(pairs):
    train, test = pairs.train["target"], pairs.test["target"]
    assert (len(train), len(test)) == (4500, 500)
    inner = torch.cat([train, test])[:, :, 2:30, 2:30].flatten(1)
    mnist = MNIST5k().train["example"].flatten(1)
    assert torch.equal(inner.long().sum(1).sort().values, mnist.long().sum(1).sort().values)
    assert len(inner.unique(dim=0)) == len(mnist.unique(dim=0))


def test_labels_belong_to_the_digits(pairs, unpaired):
    """The digit classifier, which was trained on other digits of MNIST, predicts the labels."""
    assert accuracy(pairs.test["target"][:, :, 2:30, 2:30], pairs.test["label"]) > 0.97
    rows = unpaired.test
    assert accuracy(rows["a"][:, :, 2:30, 2:30], rows["a_label"]) > 0.97
    assert accuracy(rows["b"][:, :, 2:30, 2:30], rows["b_label"]) > 0.5


def test_both_sides_are_white_on_black_with_similar_brightness(unpaired):
    for key in ("a", "b"):
        digits = unpaired.train[key].float()
        border = torch.cat([digits[..., :4, :], digits[..., -4:, :]], 2)
        assert border.mean() < 2
        assert digits.flatten(1).amax(1).min() >= 180
        assert digits.max() == 255
        assert 15 < digits.mean() < 50


def test_other_digits_are_all_digits_of_scikit_learn():
    """Reduced to 8×8 again, each digit is nearest to the original digit."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    digits = other_digits()
    assert digits["label"].tolist() == labels.tolist()
    small = torch.nn.functional.interpolate(
        digits["example"][:, :, 6:26, 6:26].float(), size=8, mode="bilinear", antialias=True
    )
    originals = torch.from_numpy(pixels).float() * 255 / 16
    nearest = torch.cdist(small.flatten(1), originals).argmin(1)
    assert (nearest == torch.arange(1797)).float().mean() > 0.99


@pytest.mark.parametrize("size", [28, 32, 64])
def test_digits_have_the_given_size(size):
    for data in (Edges2Digits(size=size), DigitsUnpaired(size=size)):
        assert data.shapes == dict.fromkeys(data.keys, (1, size, size))
        assert all(data.test[key].shape[1:] == (1, size, size) for key in data.keys)


def test_labels_are_never_in_batches(pairs, unpaired):
    assert set(next(iter(pairs.train_dataloader()))) == {"source", "target"}
    assert set(next(iter(unpaired.train_dataloader()))) == {"a", "b"}
    assert len(unpaired.train["b"]) == len(unpaired.train["b_label"]) == 1497
    assert not unpaired.has_pairs


def test_the_direction_exchanges_the_sides(unpaired):
    back = DigitsUnpaired(direction="b_to_a", test_samples=300)
    assert torch.equal(back.test["a"], unpaired.test["b"])
    assert torch.equal(back.test["a_label"], unpaired.test["b_label"])


def test_splits_are_the_same_in_every_run(pairs):
    assert Edges2Digits(seed=5).content_hash("test") == pairs.content_hash("test")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"threshold": -1}, "threshold"),
        ({"test_samples": 5000}, "test_samples"),
        ({"size": 2}, "size"),
    ],
)
def test_values_that_are_not_allowed_are_named(options, named):
    with pytest.raises(ConfigError, match=f"data.{named}"):
        Edges2Digits(**options)
