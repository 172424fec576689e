"""What a discriminator has learnt about classes that nobody told it: a linear probe."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d, one_hot

from ganlab.core import AdversarialModule
from ganlab.core.build import build_module
from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, ModelMetric, check_features
from ganlab.metrics.classes.conditional import needed_classes
from ganlab.modalities import Modality

GRID = 4  # places along a side that maps are pooled to
PENALTY = 0.1  # of the ridge, relative to the mean squared length of a sample
TESTS = 10_000  # at most so many test samples
CHUNK = 500


class LinearProbe(ModelMetric):
    """Accuracy of a linear classifier on the features of the discriminator, and of two controls.

    Radford et al. 2016 (arXiv:1511.06434), section 5.1: the maps of all convolutions, max-pooled to
    4 × 4 and concatenated; of an MLP all hidden layers. They are taken after norm and activation:
    what every linear or convolutional layer but the first takes in. In place of the paper's linear
    L2-SVM stands a ridge regression of one-hot labels on standardised features, which has a closed
    form. One control is the same discriminator untrained, since random convolutions alone tell much
    more than pixels do; the other is the samples themselves.

    Features take 8 · samples · width bytes of memory.

    Args:
        samples: labelled training samples. The probe is tested on the test split; where there is
            none, on other training samples, which the discriminator has seen without labels.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
    """

    higher_is_better = True
    scores = ("linear_probe", "linear_probe_random", "linear_probe_pixels")
    title = "linear probe of the discriminator's features"

    def __init__(self, samples: int = 2000, **options: Any) -> None:
        super().__init__(**options)
        if samples < 2:
            raise ConfigError(f"LinearProbe: samples: received {samples}; needs 2 or more.")
        self.samples = samples
        self.add_state("hits", torch.zeros(3, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take classes and splits from the data; a ConfigError where it has no labels."""
        self.classes = needed_classes(self, data)
        self.has_test = "test" in data.splits
        self.data_hashes: dict[str, str] = {}

    def check_model(self, module: AdversarialModule, data: Any) -> None:
        """Raise a ConfigError without labels, or without a discriminator that is not told them."""
        needed_classes(self, data)
        network = getattr(module, "discriminator", None)
        if network is None:
            problem = f"{type(module).__name__} has no discriminator. Choose another model"
        elif getattr(network, "classes", None) is not None:
            problem = "this discriminator is given the label. Choose a model without classes"
        elif sum(isinstance(layer, (nn.Linear, nn.Conv2d)) for layer in network.modules()) < 2:
            problem = f"{type(network).__name__} has no hidden layers. Choose a deeper one"
        elif module.config is None:
            problem = (
                "the untrained control is built from the model's configuration, and there is none. "
                "Make the model with ganlab.core.build.build_module"
            )
        else:
            return
        raise ConfigError(f"{self.title}: {problem}, or leave this metric out.")

    def measure(
        self,
        module: AdversarialModule,
        data: Any,
        extractor: Extractor | None,
        *,
        seed: int,
        ema: bool,
        truncation: float | None = None,
    ) -> None:
        """Fit the classifiers and count their hits; see `ModelMetric.measure`.

        Raises:
            ConfigError: fewer training samples than asked for, or none left to test on.
        """
        fitted, tested = self._samples(data, seed)
        splits = ("train", "test") if self.has_test else ("train",)
        self.data_hashes = {f"{split}_hash": data.content_hash(split) for split in splits}
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(mix(seed, 0x72616E646F6D))
            untrained = build_module(module.config).discriminator.to(module.device)
        hits = []
        with module.evaluating("discriminator", ema) as trained:
            for network in (trained, untrained.eval()):
                see = partial(hidden_features, network)
                hits.append(self._hits(see, fitted, tested, data.modality, module.device))
        flat = partial(torch.flatten, start_dim=1)
        hits.append(self._hits(flat, fitted, tested, data.modality, module.device))
        self.update(torch.tensor(hits), len(tested["label"]))

    def update(self, hits: Tensor, total: int) -> None:
        """Add test samples out of a total that were classified right.

        Args:
            hits: int64 (3,), by features, by untrained features, and by the samples themselves.
            total: samples.
        """
        self.hits += hits.to(self.hits.device)
        self.total += total

    def compute(self) -> dict[str, Tensor]:
        """The three accuracies, in [0, 1]."""
        return dict(zip(self.scores, self.hits / self.total, strict=True))

    def settings(self) -> dict[str, Any]:
        """What was fitted, on which samples, and tested on which."""
        return {
            "classifier": "ridge regression on one-hot labels",
            "penalty": PENALTY,
            "labelled_samples": self.samples,
            "tested_on": "test" if self.has_test else "other training samples",
            "tested_samples": int(self.total),
            **self.data_hashes,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Whether the discriminator has learnt more than its architecture gives."""
        probe, untrained, pixels = (values[name] for name in self.scores)
        error = math.sqrt(untrained * (1 - untrained) / max(int(self.total), 1))
        better = probe > untrained + 2 * error
        return {
            "linear_probe": f"From {self.samples:,} labels a linear classifier on the "
            f"discriminator's features is right about {probe:.1%} of the test samples, on those of "
            f"an untrained discriminator about {untrained:.1%}, and on the samples themselves "
            f"about {pixels:.1%}: the game has {'' if better else 'not measurably '}taught the "
            "discriminator to tell classes apart better than chance weights do."
        }

    def _samples(self, data: Any, seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        train = data.split("train")
        there = len(train["label"])
        if there < self.samples + (not self.has_test):
            raise ConfigError(
                f"LinearProbe: samples: received {self.samples:,}; {data.title} has {there:,} "
                f"training samples{'' if self.has_test else ', and some must be left to test on'}. "
                "Lower samples."
            )
        rng = torch.Generator().manual_seed(mix(seed, 0x70726F6265))
        order = torch.randperm(there, generator=rng)
        chosen, rest = order[: self.samples], order[self.samples :][:TESTS]
        fitted = {key: train[key][chosen] for key in ("example", "label")}
        if not self.has_test:
            return fitted, {key: train[key][rest] for key in ("example", "label")}
        test = data.split("test")
        rows = torch.randperm(len(test["label"]), generator=rng)[:TESTS]
        return fitted, {key: test[key][rows] for key in ("example", "label")}

    def _hits(
        self,
        features_of: Callable[[Tensor], Tensor],
        fitted: dict[str, Tensor],
        tested: dict[str, Tensor],
        modality: Modality,
        device: torch.device,
    ) -> int:
        def seen(part: Tensor) -> Tensor:
            part = part.to(device)
            features = features_of(modality.normalise(part)).float()
            check_features(self, features)
            return features

        features = torch.cat([seen(part) for part in fitted["example"].split(CHUNK)])
        classify = ridge_classifier(features, fitted["label"], self.classes)
        found = [classify(seen(part)).cpu() for part in tested["example"].split(CHUNK)]
        return int((torch.cat(found) == tested["label"]).sum())


def hidden_features(network: nn.Module, samples: Tensor) -> Tensor:
    """What every linear or 2-D convolutional layer but the first called takes in.

    Args:
        network: of `samples` alone.
        samples: (N, *shape).

    Returns:
        (N, width): maps max-pooled to 4 × 4 (smaller ones as they are), vectors as they are.
    """
    taken: list[Tensor] = []

    def take(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0]
        if x.dim() == 4 and max(x.shape[2:]) > GRID:
            x = adaptive_max_pool2d(x, [min(side, GRID) for side in x.shape[2:]])
        taken.append(x.flatten(1).clone())  # the network may overwrite it

    layers = [x for x in network.modules() if isinstance(x, (nn.Linear, nn.Conv2d))]
    handles = [layer.register_forward_pre_hook(take) for layer in layers]
    try:
        with torch.no_grad():
            network(samples)
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat(taken[1:], 1)


def ridge_classifier(features: Tensor, labels: Tensor, classes: int) -> Callable[[Tensor], Tensor]:
    """Least squares of one-hot labels on standardised features, with a penalty on the weights.

    In its dual form, of which the size is the number of samples; solved on the CPU in float64.

    Args:
        features: (N, D), float32; changed in place.
        labels: (N,) int64.
        classes: their number.

    Returns:
        A function of features (M, D) that gives classes (M,).
    """
    mean, scale = features.mean(0), features.std(0)
    scale = torch.where(scale > 0, scale, 1)  # a constant feature stays 0
    features = features.sub_(mean).div_(scale)
    targets = one_hot(labels.cpu(), classes).double()
    offset = targets.mean(0)
    gram = (features @ features.T).cpu().double()
    gram.diagonal().add_(PENALTY * gram.trace() / len(gram))
    dual = torch.linalg.solve(gram, targets - offset)
    weight = features.T @ dual.float().to(features.device)
    offset = offset.float().to(features.device)
    return lambda x: ((x - mean) / scale @ weight + offset).argmax(1)
