"""Work whose memory is measured: scores of many or of large pictures, by shipped protocols."""

import os
import tempfile
from unittest import mock

import torch
from helpers.tiny_translation import noise, tiny_pix2pix

from ganlab.config.compose import compose, to_plain
from ganlab.config.protocols import chosen
from ganlab.core.build import build_module, make
from ganlab.data import TensorDataModule
from ganlab.data.translation.base import TranslationData
from ganlab.metrics import (
    FolderSamples,
    KernelDistance,
    ModuleFeatures,
    SampleProtocol,
    TranslationProtocol,
    Work,
)
from ganlab.metrics.pairs.perceptual import PerceptualNetwork


class Pairs(TranslationData):
    """Pairs of noise, with a class for each pixel."""

    keys = ("source", "target")
    provides = ("source", "target")
    has_pairs = has_segments = True

    def __init__(self, count, size):
        super().__init__()
        self.count, self.size = count, size

    @property
    def shapes(self):
        return dict.fromkeys(self.keys, (3, self.size, self.size))

    def load(self, split):
        size = self.size
        rows = {key: noise(self.count, seed, 3, size) for seed, key in enumerate(self.keys)}
        return rows | {"segments": noise(self.count, 2, 1, size)[:, 0] % 6}


class Many(TensorDataModule):
    """Noise: images with ten classes, or points."""

    splits = ("train", "test")

    def __init__(self, shape, count, seed):
        super().__init__()
        self._shape, self.count, self.noise = tuple(shape), count, seed

    shape = property(lambda self: self._shape)
    classes = property(lambda self: 10 if len(self.shape) == 3 else None)

    def load(self, split):
        if split == "test" and "train" in self._splits:
            return self._splits["train"]
        rng = torch.Generator().manual_seed(self.noise)
        if len(self.shape) == 1:
            return {"example": torch.randn(self.count, *self.shape, generator=rng)}
        images = torch.empty(self.count, *self.shape, dtype=torch.uint8).random_(generator=rng)
        return {"example": images, "label": torch.arange(self.count) % 10}


def pairs(metric, size, count, memory):
    """Return a function that scores `count` translated pictures by a metric of `pairs`."""
    plain = chosen(None, ["protocol=pairs_segmented"])["metrics"]
    plain["lpips"] = {"_target_": "ganlab.metrics.LPIPS"}
    scorer = make(plain[metric])
    if metric == "lpips":
        torch.manual_seed(0)
        scorer.distance = PerceptualNetwork("alex", pretrained=False)
        scorer.distance.hash = "random"
    protocol = TranslationProtocol("memory", {metric: scorer})
    module, data = tiny_pix2pix(dropout=False).eval(), Pairs(count, size)
    data.split("test")
    return lambda: protocol.evaluate(module, data, Work(memory=memory))


def samples(protocol, metric, shape, count, memory, settings=None):
    """Return a function that scores `count` samples by a metric of a protocol of digits or points.

    Args:
        protocol: name of a shipped protocol.
        metric: name of a metric in it, which is scored alone.
        shape: shape of a sample.
        count: number of samples, and of real examples.
        memory: the setting `metrics_memory` in bytes.
        settings: other settings of the metric.
    """
    plain = chosen(None, [f"protocol={protocol}", "protocol.samples=null"])
    memorization = {"_target_": "ganlab.metrics.MemorizationInformedFrechetDistance"}
    known = plain["metrics"] | {"memorization": memorization}
    plain["metrics"] = {metric: known[metric] | (settings or {})}
    return _scored(make(plain), shape, count, memory)


def wide(count, memory):
    """Return a function that scores `count` images by the kernel distance of 4,096 features."""
    metrics = {"kernel_distance": KernelDistance(subsets=1, subset_size=100)}
    protocol = SampleProtocol("memory", metrics, wide_features, samples=None, split="train")
    return _scored(protocol, (1, 4, 4), count, memory)


def wide_features():
    """Return an extractor of 4,096 features of images of 4 × 4 pixels."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 4096))
    return ModuleFeatures(module, "wide", 4, channels=1)


def inception(count, memory):
    """Return a function that scores images by all metrics over an Inception with random weights."""
    plain = chosen(None, ["protocol=fid50k_train_inception_clean"])["metrics"]
    plain["inception_score"] = {"_target_": "ganlab.metrics.InceptionScore"}
    metrics = {name: make(metric) for name, metric in plain.items()}
    extractor = random_inception()  # made here, as weights are no working memory
    protocol = SampleProtocol("memory", metrics, lambda: extractor, samples=None, split="train")
    return _scored(protocol, (3, 64, 64), count, memory)


def random_inception():
    """Return an extractor of the size of the FID's Inception, with random weights."""
    import torchvision

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torchvision.models.inception_v3(weights=None, init_weights=False)
    head, network.fc = network.fc, torch.nn.Identity()

    class WithLogits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network, self.head = network, head

        def forward(self, images):
            features = self.network(images)
            return features, self.head(features)

    return ModuleFeatures(WithLogits().eval(), "random", 299)


def model(metric, count, memory, settings=None):
    """Return a function that scores a DCGAN by a metric of the model itself, on `count` digits."""
    config = to_plain(compose(["model=dcgan", "data=mnist", "run_dir=unused"]))
    torch.manual_seed(0)
    module = build_module(config).eval()
    plain = chosen(None, ["protocol=digits10k_test_mnist"])["metrics"][metric] | (settings or {})
    data = Many(make(config["data"]).shape, count, 0)
    protocol = SampleProtocol("memory", {metric: make(plain)}, split="train")
    data.split("train")
    return lambda: protocol.evaluate(module, data, Work(memory=memory))


def _scored(protocol, shape, count, memory):
    for metric in protocol.metrics.values():  # a covariance needs more samples than features
        metric.check_counts = lambda *counts: None
    real, fake = Many(shape, count, 0), Many(shape, count, 1)
    for data in (real, fake):
        data.split("train")
    real.means, real.sigma = real.train["example"][:25], 0.1  # for the modes of points

    def work():
        with (
            tempfile.TemporaryDirectory() as folder,  # of the cached features
            mock.patch.dict(os.environ, {"XDG_CACHE_HOME": folder}),
        ):
            return protocol.score(FolderSamples(fake), real, work=Work(memory=memory))

    return work
