"""The digit classifier that ships with ganlab, and the scores over its features."""

import pytest
import torch
from helpers.tiny import Given

from ganlab.data import MNIST5k
from ganlab.errors import ConfigError, DataError
from ganlab.metrics import (
    ClassShares,
    DigitFeatures,
    FolderSamples,
    FrechetDistance,
    SampleProtocol,
)


@pytest.fixture(scope="module")
def features():
    return DigitFeatures()


@pytest.fixture(scope="module")
def digits():
    data = MNIST5k()
    data.setup("fit")
    return data


def _score(digits, images):
    """Return the scores of uint8 images, as if a model had generated them, against the digits."""
    metrics = {"distance": FrechetDistance(), "shares": ClassShares()}
    protocol = SampleProtocol("digits", metrics, DigitFeatures, samples=None, split="train")
    scores = protocol.score(FolderSamples(Given(images)), digits)
    return {name: score.value for name, score in scores.items()}


def test_it_describes_its_training_and_is_frozen(features):
    assert {"config_hash", "train_data_hash", "git_commit", "scores"} <= set(features.made_by)
    assert len(features.hash) == 16
    assert not any(p.requires_grad for p in features.parameters())
    assert not features.train().classifier.training


def test_it_is_an_extractor(features, digits):
    """Shapes, names and description fit the interface of `Extractor`."""
    values, logits = features(digits.train["example"][:3])
    assert (values.shape, logits.shape) == ((3, features.width), (3, features.classes))
    assert (features.width, features.classes) == (128, 10)
    assert features.score_name("frechet_distance") == "frechet_distance_digits"
    assert features.protocol_entries() == {
        "extractor": "ganlab digit classifier",
        "weights_hash": features.hash,
        "resizer": "torch",
    }


def test_it_knows_digits(features, digits):
    """More than 99 % of 5,000 real digits, of the set that it was trained on, are recognised."""
    predicted = torch.cat([features(x)[1].argmax(1) for x in digits.train["example"].split(1000)])
    assert (predicted == digits.train["label"]).float().mean() > 0.99


def test_colour_and_size_do_not_matter(features, digits):
    images = digits.train["example"][:200]
    large = torch.nn.functional.interpolate(images, scale_factor=2).expand(-1, 3, -1, -1)
    same = features(images)[1].argmax(1) == features(large)[1].argmax(1)
    assert same.float().mean() > 0.95


def test_real_digits_are_at_distance_zero_from_themselves(digits):
    scores = _score(digits, digits.train["example"])
    assert abs(scores["frechet_distance_digits"]) < 1e-6
    assert scores["classes_present_digits"] == 10
    assert sum(scores[f"class_share_digits/{c}"] for c in range(10)) == pytest.approx(1)


def test_a_dropped_class_is_seen(digits):
    image, label = digits.train["example"], digits.train["label"]
    full = _score(digits, image[::2])
    dropped = _score(digits, image[label != 3])
    assert dropped["classes_present_digits"] == 9
    assert dropped["class_share_digits/3"] < 0.01
    assert dropped["frechet_distance_digits"] > 5 * full["frechet_distance_digits"]


def test_noise_is_far_away(digits):
    noise = torch.randint(256, (500, 1, 28, 28), dtype=torch.uint8)
    assert _score(digits, noise)["frechet_distance_digits"] > 10


def test_damaged_weights(tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"not weights")
    with pytest.raises(DataError, match="features_mnist"):
        DigitFeatures(path)


def test_features_of_another_width():
    with pytest.raises(ConfigError, match="128"):
        FrechetDistance(128).update(torch.zeros(4, 7), real=True)
