"""A linear probe: what an unconditional discriminator has learnt about classes."""

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
from ganlab.metrics.memory import (
    DEFAULT_MEMORY,
    in_parts,
    map_in_parts,
    rows_within,
    warn_if_above,
)
from ganlab.metrics.rows import Rows

GRID = 4  # feature maps are pooled to at most 4 × 4
PENALTY = 0.1  # ridge penalty, relative to the mean squared norm of an example's features
TESTS = 10_000  # largest number of test examples


class LinearProbe(ModelMetric):
    """Accuracy of a linear classifier on the discriminator's features, and of two controls.

    Radford et al. 2016 (arXiv:1511.06434), section 5.1: the features are the maps of all
    convolutions, max-pooled to 4 × 4 and concatenated; for an MLP, all hidden layers. They are
    taken after normalisation and activation: they are the inputs of all linear and convolutional
    layers except the first layer. The paper's linear L2-SVM is replaced by a ridge regression of
    one-hot labels on standardised features, which has a closed form. The first control uses the
    features of the same discriminator before training, since random convolutions alone distinguish
    classes much better than pixels. The second control uses the examples themselves.

    Args:
        samples: number of labelled training examples. The probe is tested on the test split. If
            the data has no test split, it is tested on other training examples, which the
            discriminator has seen without labels.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.
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
        """Take classes and splits from the data.

        Raises:
            ConfigError: the data has no labels.
        """
        self.classes = needed_classes(self, data)
        self.has_test = "test" in data.splits
        self.data_hashes: dict[str, str] = {}

    def check_model(self, module: AdversarialModule, data: Any) -> None:
        """Raise a ConfigError unless there are labels and an unconditional discriminator."""
        needed_classes(self, data)
        network = getattr(module, "discriminator", None)
        if network is None:
            problem = f"{type(module).__name__} has no discriminator. Choose another model"
        elif getattr(network, "classes", None) is not None:
            problem = "this discriminator is given the label. Choose a model without classes"
        elif sum(isinstance(layer, (nn.Linear, nn.Conv2d)) for layer in network.modules()) < 2:
            problem = f"{type(network).__name__} has no hidden layers. Choose a deeper model"
        elif module.config is None:
            problem = (
                "the untrained control is built from the model's configuration, which is missing. "
                "Build the model with ganlab.core.build.build_module"
            )
        else:
            return
        raise ConfigError(f"{self.title}: {problem}, or leave this metric out.")

    def measure(self, source: Any, data: Any, extractor: Extractor | None) -> None:
        """Fit the classifiers and count their hits; see `ModelMetric.measure`.

        Raises:
            ConfigError: there are too few training examples, or none remain for the test.
        """
        module = source.module
        needed = 2 * 8 * self.samples**2  # the matrix of the ridge regression, and a copy
        warn_if_above(needed, self.memory, f"the linear probe of {self.samples:,} samples")
        (fitted, fitted_rows), (tested, tested_rows) = self._examples(data, source.seed)
        splits = ("train", "test") if self.has_test else ("train",)
        self.data_hashes = {f"{split}_hash": data.content_hash(split) for split in splits}
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(mix(source.seed, 0x72616E646F6D))
            untrained = build_module(module.config).discriminator.to(module.device)
        hits = []

        def count_hits(features_of: Callable[[Tensor], Tensor]) -> int:
            def extract(examples: Tensor) -> Callable[[Tensor], Tensor]:
                return lambda rows: self._features(
                    features_of, data.modality.normalise(examples[rows].to(module.device))
                )

            features = Rows()
            what = "features of one example"
            for part in in_parts(
                extract(fitted["example"]), fitted_rows, memory=self.memory // 2, what=what
            ):
                features.append(self.store.put(part))
            classify = ridge_classifier(
                features, fitted["label"][fitted_rows], self.classes, self.memory // 2
            )
            features_of_test = extract(tested["example"])
            predicted = map_in_parts(
                lambda rows: classify(features_of_test(rows)).cpu(),
                tested_rows,
                memory=self.memory // 2,
                what=what,
            )
            return int((predicted == tested["label"][tested_rows]).sum())

        with module.evaluating("discriminator", source.ema) as trained:
            for network in (trained, untrained.eval()):
                hits.append(count_hits(partial(hidden_features, network)))
        hits.append(count_hits(partial(torch.flatten, start_dim=1)))
        self.update(torch.tensor(hits), len(tested_rows))

    def update(self, hits: Tensor, total: int) -> None:
        """Add the numbers of correctly classified test examples.

        Args:
            hits: int64 (3,): with trained features, untrained features, the examples themselves.
            total: number of test examples.
        """
        self.hits += hits.to(self.hits.device)
        self.total += total

    def compute(self) -> dict[str, Tensor]:
        """Return the three accuracies, in [0, 1]."""
        return dict(zip(self.scores, self.hits / self.total, strict=True))

    def settings(self) -> dict[str, Any]:
        """Return the classifier, and which examples it was fitted and tested on."""
        return {
            "classifier": "ridge regression on one-hot labels",
            "penalty": PENALTY,
            "labelled_samples": self.samples,
            "tested_on": "test" if self.has_test else "other training samples",
            "tested_samples": int(self.total),
            **self.data_hashes,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain whether the discriminator has learnt more than its architecture provides."""
        probe, untrained, pixels = (values[name] for name in self.scores)
        error = math.sqrt(untrained * (1 - untrained) / max(int(self.total), 1))
        better = probe > untrained + 2 * error
        return {
            "linear_probe": f"With {self.samples:,} labels, a linear classifier on the "
            f"discriminator's features classifies {probe:.1%} of the test examples correctly. With "
            f"the features of an untrained discriminator the share is {untrained:.1%}, and with "
            f"the examples themselves {pixels:.1%}. So training has "
            f"{'' if better else 'not measurably '}taught the discriminator to distinguish classes "
            "better than random weights do."
        }

    def _examples(
        self, data: Any, seed: int
    ) -> tuple[tuple[dict[str, Tensor], Tensor], tuple[dict[str, Tensor], Tensor]]:
        """Return the split and the rows of the examples to fit, and of those to test on."""
        train = data.split("train")
        count = len(train["label"])
        if count < self.samples + (not self.has_test):
            raise ConfigError(
                f"LinearProbe: samples: received {self.samples:,}; {data.title} has {count:,} "
                f"training examples{'' if self.has_test else ', and the test needs some of them'}. "
                "Lower samples."
            )
        rng = torch.Generator().manual_seed(mix(seed, 0x70726F6265))
        order = torch.randperm(count, generator=rng)
        chosen, rest = order[: self.samples], order[self.samples :][:TESTS]
        if not self.has_test:
            return (train, chosen), (train, rest)
        test = data.split("test")
        rows = torch.randperm(len(test["label"]), generator=rng)[:TESTS]
        return (train, chosen), (test, rows)

    def _features(self, features_of: Callable[[Tensor], Tensor], examples: Tensor) -> Tensor:
        features = features_of(examples).float()
        check_features(self, features)
        return features


def hidden_features(network: nn.Module, samples: Tensor) -> Tensor:
    """Return the inputs of all linear and 2-D convolutional layers except the layer called first.

    Args:
        network: module whose only input is `samples`.
        samples: (N, *shape).

    Returns:
        (N, width), concatenated: maps are max-pooled to at most 4 × 4; vectors are unchanged.
    """
    taken: list[Tensor] = []

    def take(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0]
        if x.dim() == 4 and max(x.shape[2:]) > GRID:
            x = adaptive_max_pool2d(x, [min(side, GRID) for side in x.shape[2:]])
        taken.append(x.flatten(1).clone())  # the network may overwrite its maps

    layers = [x for x in network.modules() if isinstance(x, (nn.Linear, nn.Conv2d))]
    handles = [layer.register_forward_pre_hook(take) for layer in layers]
    try:
        with torch.no_grad():
            network(samples)
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat(taken[1:], 1)


def ridge_classifier(
    features: Rows, labels: Tensor, classes: int, memory: int = DEFAULT_MEMORY
) -> Callable[[Tensor], Tensor]:
    """Return a ridge regression of one-hot labels on standardised features.

    The dual problem, with an N × N matrix, is solved on the CPU in float64.

    Args:
        features: (N, D), float32.
        labels: (N,) int64.
        classes: number of classes.
        memory: bytes for temporaries, of which blocks of columns are the largest.

    Returns:
        A function that maps features (M, D) to classes (M,).
    """
    n, width = len(features), features.shape[1]
    step = rows_within(memory, 3 * 4 * n)
    blocks = [slice(first, min(first + step, width)) for first in range(0, width, step)]
    mean, scale = torch.empty(width), torch.empty(width)

    def standardised(block: slice) -> Tensor:
        columns = features.columns(block.start, block.stop)
        mean[block], deviation = columns.mean(0), columns.std(0)
        scale[block] = torch.where(deviation > 0, deviation, 1)  # a constant feature stays 0
        return columns.sub_(mean[block]).div_(scale[block])

    gram = torch.zeros(n, n, dtype=torch.float64)
    for columns in map(standardised, blocks):
        gram += columns @ columns.T
    gram.diagonal().add_(PENALTY * gram.trace() / n)
    targets = one_hot(labels.cpu(), classes).double()
    offset = targets.mean(0)
    dual = torch.linalg.solve(gram, targets - offset).float()
    weight = torch.cat([standardised(block).T @ dual for block in blocks])
    fitted = mean, scale, weight, offset.float()

    def classify(x: Tensor) -> Tensor:
        mean, scale, weight, offset = (values.to(x.device) for values in fitted)
        return ((x - mean) / scale @ weight + offset).argmax(1)

    return classify
