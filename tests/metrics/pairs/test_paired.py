"""Comparisons of pairs of images: closed forms and identities, and LPIPS with random weights."""

import math
from urllib.error import URLError

import pytest
import torch
import torchvision

from ganlab.errors import ConfigError, DataError
from ganlab.metrics.pairs.paired import LPIPS, PSNR, SMALLEST, SSIM
from ganlab.metrics.pairs.perceptual import LPIPSDistance
from ganlab.modalities.pixels import normalise


def images(n=6, channels=3, size=40, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, size, size), generator=rng, dtype=torch.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The path of a file with random weights of AlexNet, as torchvision stores them."""
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torchvision.models.alexnet(weights=None)
    tensors = network.state_dict()
    torch.save({k: v for k, v in tensors.items() if k.startswith("features")}, path)
    return path


@pytest.fixture(scope="module")
def built(weights):
    metric = LPIPS(weights=weights)
    metric.load()
    return metric


@pytest.fixture
def lpips(built):
    built.reset()
    return built


def score(metric, samples, targets):
    metric.update(samples, targets)
    return metric.compute().item()


# --- PSNR and SSIM --------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [1, 16, 255])
def test_psnr_of_a_constant_offset(offset):
    """20 log₁₀(255 / offset)."""
    targets = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    result = score(PSNR(), targets + offset, targets)
    assert result == pytest.approx(20 * math.log10(255 / offset), rel=1e-5, abs=1e-5)


def test_psnr_is_the_mean_over_images():
    targets = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    samples = targets + torch.tensor([1, 100], dtype=torch.uint8).view(2, 1, 1, 1)
    expected = (20 * math.log10(255) + 20 * math.log10(2.55)) / 2
    assert score(PSNR(), samples, targets) == pytest.approx(expected, rel=1e-5)


def test_equal_images():
    assert score(SSIM(), images(), images()) == pytest.approx(1, abs=1e-6)
    assert score(PSNR(), images(), images()) == math.inf


def test_ssim_of_constant_images():
    """For constant images only the luminance counts: (2ab + c) / (a² + b² + c), c = 2.55²."""
    a, b = 100, 150
    samples = torch.full((2, 3, 16, 16), a, dtype=torch.uint8)
    targets = torch.full((2, 3, 16, 16), b, dtype=torch.uint8)
    c = 2.55**2
    expected = (2 * a * b + c) / (a * a + b * b + c)
    assert score(SSIM(), samples, targets) == pytest.approx(expected, abs=1e-3)


def test_ssim_falls_with_noise():
    clean = (images(4, 1, 32) // 8) + 100
    noise = images(4, 1, 32, seed=1)
    result = [score(SSIM(), clean + noise // k, clean) for k in (64, 16, 4)]
    assert 1 > result[0] > result[1] > result[2]


@pytest.mark.parametrize("metric", [PSNR, SSIM])
def test_two_ranks_give_the_score_of_one(metric):
    samples, targets = images(10), images(10, seed=1)
    per_rank = [metric(), metric()]
    per_rank[0].update(samples[:3], targets[:3])
    per_rank[1].update(samples[3:], targets[3:])
    per_rank[1].merge_state(per_rank[0])
    assert per_rank[1].compute().item() == pytest.approx(
        score(metric(), samples, targets), rel=1e-6
    )


# --- LPIPS ----------------------------------------------------------------------------------------


def test_lpips_is_a_symmetric_distance(lpips):
    distance = lpips.distance
    first, second = normalise(images()), normalise(images(seed=1))
    assert distance(first, first).tolist() == [0] * 6
    assert distance(first, second).shape == (6,)
    assert distance(first[:1], second[:1]).shape == (1,)
    assert (distance(first, second) > 0).all()
    torch.testing.assert_close(distance(first, second), distance(second, first))
    assert distance.name == "lpips"


def test_lpips_takes_the_weights_of_the_file(weights, lpips):
    """Loading weights also leaves the random state unchanged."""
    state = torch.get_rng_state()
    distance = LPIPSDistance(weights=weights)
    assert torch.equal(state, torch.get_rng_state())
    stored = torch.load(weights, weights_only=True)
    state_dict = distance.net.features.state_dict()
    assert torch.equal(state_dict["0.weight"], stored["features.0.weight"])
    assert torch.equal(state_dict["10.bias"], stored["features.10.bias"])
    assert lpips.distance.hash == distance.hash
    assert len(distance.hash) == 16


def test_lpips_of_pairs_is_the_mean_distance(lpips):
    metric, first, second = lpips, images(), images(seed=1)
    expected = metric.distance(normalise(first), normalise(second)).mean().item()
    for part in range(0, 6, 2):
        metric.update(first[part : part + 2], second[part : part + 2])
    assert metric.compute().item() == pytest.approx(expected, rel=1e-5)
    assert metric.settings() == {"network": "alex", "weights_hash": metric.distance.hash}


def test_lpips_of_grey_images_is_that_of_three_equal_channels(lpips):
    first, second = images(channels=1), images(channels=1, seed=1)
    colour = score(lpips, first.expand(-1, 3, -1, -1), second.expand(-1, 3, -1, -1))
    lpips.reset()
    assert score(lpips, first, second) == pytest.approx(colour)


def test_lpips_without_weights(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise URLError("offline")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(DataError, match="offline") as error:
        LPIPSDistance()
    assert "weights=PATH" in str(error.value)


def test_lpips_with_wrong_weights(weights, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        LPIPSDistance(weights=tmp_path / "missing.pth")
    (tmp_path / "broken.pth").write_bytes(b"not weights")
    with pytest.raises(DataError, match="cannot be read"):
        LPIPSDistance(weights=tmp_path / "broken.pth")
    with pytest.raises(DataError, match="'squeeze': features"):
        LPIPSDistance("squeeze", weights=weights)
    with pytest.raises(ConfigError, match="Did you mean 'alex'"):
        LPIPSDistance("alexnet", weights=weights)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "targets", "word"),
    [
        (images().float(), images(), "float32"),
        (images(), images(5), "(5, 3, 40, 40)"),
        (images()[0], images()[0], "(3, 40, 40)"),
        (images(size=10), images(size=10), "10 × 10"),
    ],
)
def test_pairs_that_do_not_fit(samples, targets, word):
    with pytest.raises(ConfigError) as error:
        SSIM().update(samples, targets)
    assert word in str(error.value)


def test_lpips_rejects_small_images_and_two_channels(lpips):
    small = images(size=SMALLEST["alex"] - 1)
    with pytest.raises(ConfigError, match="31 × 31 or more"):
        lpips.update(small, small)
    with pytest.raises(ConfigError, match="2 channels"):
        lpips.update(images(channels=2), images(channels=2))
    enough = images(size=SMALLEST["alex"])
    assert score(lpips, enough, enough) == 0
