"""Feature extractors with random weights, so that nothing is downloaded."""

import hashlib
import os
import pickle
import urllib.error

import pytest
import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from ganlab.data.archives.files import cache_folder
from ganlab.errors import ConfigError, DataError
from ganlab.metrics.features.extractors import ModuleFeatures
from ganlab.metrics.features.inception import WEIGHTS, FIDInception
from ganlab.metrics.features.torchvision import TorchvisionClassifier
from ganlab.metrics.pairs.perceptual import PerceptualNetwork


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The path of random weights of torch-fidelity's Inception that give finite features."""
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    generator = torch.Generator().manual_seed(0)

    def randomly(shape):
        scale = 1.0 if len(shape) < 2 else (2 / torch.Size(shape[1:]).numel()) ** 0.5
        return torch.randn(shape, generator=generator) * scale

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda *a, **k: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *a, **k: None)
        network = FeatureExtractorInceptionV3("inception", ["2048"], "none")
    state = network.state_dict()
    for key, value in state.items():
        if key.endswith("weight") and value.dim() > 1:
            state[key] = randomly(value.shape)
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def inception(weights):
    return FIDInception(str(weights), resizer="tensorflow", hash=_digest(weights))


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _images(n=2, channels=3, size=32):
    generator = torch.Generator().manual_seed(1)
    shape = (n, channels, size, size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def test_inception_agrees_with_torch_fidelity(inception, weights):
    """With torch-fidelity's resizer, features and logits without bias equal those of its network.

    They are bitwise equal if both networks have the same memory format, so that convolutions add
    up in the same order. If the memory formats differ, results differ by float32 rounding.
    """
    theirs = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], str(weights))
    images = _images()
    for ours, want in zip(inception(images), theirs(images), strict=True):
        torch.testing.assert_close(ours, want, rtol=0, atol=1e-5 * want.abs().max().item())
    theirs.to(memory_format=torch.channels_last)
    for ours, want in zip(inception(images), theirs(images), strict=True):
        assert torch.equal(ours, want)
    assert inception(images)[0].std() > 0, "features of different images differ"


def test_inception_with_the_clean_resizer(inception, weights):
    """At 299 pixels the resizers agree exactly; at other sizes they do not."""
    clean = FIDInception(str(weights), hash="any")
    large, small = _images(1, size=299), _images(1)
    assert torch.equal(clean(large)[0], inception(large)[0])
    assert not torch.allclose(clean(small)[0], inception(small)[0], rtol=1e-3)


def test_inception_describes_itself(inception, weights):
    assert (inception.width, inception.classes) == (2048, 1008)
    assert inception.hash == hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    assert inception.score_name("precision") == "precision_inception"
    assert inception.protocol_entries()["resizer"] == "tensorflow"
    assert not inception.train().body.training
    assert not any(p.requires_grad for p in inception.parameters())


def test_only_the_published_weights_give_an_fid(inception):
    """With random weights of the same network the score is a Fréchet distance, not an FID."""
    assert inception.score_name("frechet_distance") == "frechet_distance_inception"
    name = FIDInception.score_name_of
    assert name("frechet_distance", {"weights": None, "hash": None}) == "fid"
    assert name("frechet_distance", {"hash": "any"}) == "frechet_distance_inception"
    assert name("recall", {}) == "recall_inception"


def test_grey_images_are_refused_or_repeated(inception):
    grey = _images(1, channels=1)
    with pytest.raises(ConfigError, match=r"1 channel; needs 3.*grey=repeat.*features=digits"):
        inception(grey)
    with pytest.raises(ConfigError, match=r"4 channels; needs 3"):
        inception(_images(1, channels=4))
    with pytest.raises(ConfigError, match=r"float32.*uint8"):
        inception(grey.float())
    inception.grey = "repeat"
    assert torch.equal(inception(grey)[0], inception(grey.expand(-1, 3, -1, -1))[0])
    inception.grey = "refuse"


def test_other_weights_need_their_hash(weights, tmp_path):
    with pytest.raises(DataError, match=rf"6726825d.*features\.hash={_digest(weights)[:8]}"):
        FIDInception(str(weights))
    with pytest.raises(DataError, match="damaged or another network"):
        FIDInception(str(weights), hash="0123456789ab")
    for digits in ("abc", "not hex digits", ""):
        with pytest.raises(ConfigError, match=r"features\.hash.*8 or more hex digits"):
            FIDInception(str(weights), hash=digits)
    for content in (b"not weights", b""):
        broken = tmp_path / "broken.pth"
        broken.write_bytes(content)
        with pytest.raises(DataError, match="does not hold the weights of the FID's Inception"):
            FIDInception(str(broken), hash="any")


def test_weights_that_run_code_are_not_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(DataError):
        FIDInception(str(tmp_path / "evil.pth"), hash="any")
    assert not (tmp_path / "ran").exists()


def test_missing_weights_say_where_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def offline(*arguments, **options):
        raise urllib.error.URLError("offline")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(DataError, match="offline") as error:
        FIDInception()
    for part in (WEIGHTS, "https://github.com", str(cache_folder()), "features=digits"):
        assert part in str(error.value)
    with pytest.raises(DataError, match=r"nowhere\.pth cannot be read.*features=digits"):
        FIDInception(str(tmp_path / "nowhere.pth"))


def test_a_download_of_the_wrong_file_is_refused(tmp_path, monkeypatch, weights):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(
        "torch_fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3", weights.as_uri()
    )
    with pytest.raises(DataError, match="wrong checksum"):
        FIDInception()
    assert not list(cache_folder().iterdir())


@pytest.mark.parametrize(
    ("model", "width"),
    [("resnet18", 512), ("mobilenet_v3_small", 1024), ("shufflenet_v2_x0_5", 1024)],
)
def test_torchvision_features_are_the_input_of_the_head(model, width):
    """Body and head together equal the network, with the preprocessing of its weights."""
    from torchvision import models

    extractor = TorchvisionClassifier(model, weights="random", seed=3)
    images = _images(size=224)
    features, logits = extractor(images)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = models.get_model(model).eval()
    preset = models.get_model_weights(model).DEFAULT.transforms()
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (preset.mean, preset.std))
    want = network((images / 255 - mean) / std)
    torch.testing.assert_close(logits, want, rtol=1e-4, atol=1e-4 * want.abs().max().item())
    assert features.shape == (2, width)
    assert (extractor.width, extractor.classes) == (width, 1000)
    assert extractor.score_name("frechet_distance") == f"frechet_distance_{model}"
    assert "random" in extractor.title


def test_random_weights_depend_on_the_seed():
    before = torch.get_rng_state()
    first, again, other = (
        TorchvisionClassifier("mobilenet_v3_small", weights="random", seed=s) for s in (0, 0, 1)
    )
    assert first.hash == again.hash != other.hash
    assert torch.equal(torch.get_rng_state(), before), "the global random state is unchanged"
    assert not first.train().network.training


def test_torchvision_weights_from_a_file(tmp_path):
    from torchvision import models

    path = tmp_path / "weights.pth"
    torch.save(models.get_model("mobilenet_v3_small").state_dict(), path)
    extractor = TorchvisionClassifier("mobilenet_v3_small", weights=str(path))
    assert extractor(_images(1))[1].isfinite().all()
    with pytest.raises(DataError, match="does not hold the weights of a ResNet"):
        TorchvisionClassifier("resnet18", weights=str(path))


def test_torchvision_errors(monkeypatch):
    with pytest.raises(ConfigError, match=r"'resnet80'.*Did you mean 'resnet"):
        TorchvisionClassifier("resnet80", weights="random")
    with pytest.raises(ConfigError, match="fasterrcnn"):  # a detector, not a classifier
        TorchvisionClassifier("fasterrcnn_resnet50_fpn", weights="random")
    with pytest.raises(ConfigError, match="has no linear layer"):
        TorchvisionClassifier("squeezenet1_1", weights="random")
    with pytest.raises(DataError, match=r"'IMAGENET'.*random, IMAGENET1K_V1"):
        TorchvisionClassifier("resnet18", weights="IMAGENET")

    def offline(*arguments, **options):
        raise urllib.error.URLError("offline")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(DataError, match=r"https.*offline.*features=digits"):
        TorchvisionClassifier("resnet18")


@pytest.mark.parametrize(
    "build", [lambda: TorchvisionClassifier("resnet18"), lambda: PerceptualNetwork("alex")]
)
def test_torchs_cache_of_weights_is_not_unpickled(build, tmp_path, monkeypatch):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    for name in ("resnet18-f37072fd.pth", "alexnet-owt-7be5be79.pth"):
        torch.save(Evil(), tmp_path / "hub" / "checkpoints" / name)
    with pytest.raises((DataError, pickle.UnpicklingError)):
        build()
    assert not (tmp_path / "executed").exists()


class _Pair(nn.Module):
    def forward(self, images):
        pooled = images.mean((2, 3))
        return pooled, pooled[:, :2]


def test_a_module_of_the_user():
    """Features are the means over pixels of images normalised to [−1, 1]."""
    extractor = ModuleFeatures(_Pair(), "means", size=8)
    features, logits = extractor(_images(5, size=8))
    want = (_images(5, size=8).float() / 127.5 - 1).mean((2, 3))
    torch.testing.assert_close(features, want)
    torch.testing.assert_close(logits, want[:, :2])
    assert (extractor.width, extractor.classes) == (3, 2)
    assert extractor.score_name("recall") == "recall_means"
    plain = ModuleFeatures(nn.Flatten(), "pixels", size=4, channels=1, mean=0.0, std=[1.0])
    assert (plain.width, plain.classes) == (16, None)
    assert plain(_images(2, 1, 8))[1] is None
    assert plain.protocol_entries()["size"] == 4


def test_a_modules_hash_depends_on_weights_and_settings(tmp_path):
    def build(slope=0.1, seed=0, **options):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Flatten(), nn.Linear(48, 5), nn.Dropout(), nn.LeakyReLU(slope))
        return ModuleFeatures(module, "small", size=4, **options)

    first = build()
    assert first.hash == build().hash
    assert len({first.hash, build(slope=0.2).hash, build(seed=1).hash}) == 3
    torch.save(first.module.state_dict(), tmp_path / "weights.pth")
    assert build(seed=1, weights=str(tmp_path / "weights.pth")).hash == first.hash
    images = _images(size=4)
    assert torch.equal(first.train()(images)[0], first(images)[0]), "no dropout"
    with pytest.raises(DataError, match="'nowhere' is not a file"):
        build(weights="nowhere")


def test_module_errors():
    with pytest.raises(ConfigError, match=r"gives \(2, 3, 8, 8\) for 2 images.*Average or"):
        ModuleFeatures(nn.Identity(), "maps", size=8)
    with pytest.raises(ConfigError, match=r"fails on images \(2, 3, 8, 8\).*features\.size"):
        ModuleFeatures(nn.Sequential(nn.Flatten(), nn.Linear(5, 5)), "wrong", size=8)
    with pytest.raises(ConfigError, match=r"features\.name.*'a b'"):
        ModuleFeatures(nn.Flatten(), "a b", size=8)
    with pytest.raises(ConfigError, match=r"features\.std.*above 0"):
        ModuleFeatures(nn.Flatten(), "pixels", size=8, std=[1, 0, 1])
    with pytest.raises(ConfigError, match=r"features\.grey.*refuse, repeat"):
        ModuleFeatures(nn.Flatten(), "pixels", size=8, grey="mend")
