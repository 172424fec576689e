"""Accuracy, on real examples, of a classifier that is trained on generated samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy
from torchmetrics.utilities import dim_zero_cat

from ganlab.core.randomness import seed_device
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, SampleMetric
from ganlab.metrics.classes.conditional import check_labels, needed_classes
from ganlab.metrics.memory import map_in_parts
from ganlab.metrics.rows import Rows
from ganlab.modalities import IMAGE, of_raw

BATCH = 128
_LARGEST = 32  # pixels along a side of the images that the small classifier sees
RATE = 2e-3  # learning rate of Adam, which falls to 0 along a cosine


def small_classifier(shape: Sequence[int], classes: int) -> nn.Sequential:
    """Return a network that trains quickly: two convolutions for images, else an MLP.

    Args:
        shape: shape of a sample. Images (C, H, W) in [−1, 1] are averaged down to at most 32
            pixels along a side. Points (D,) and series are standardised.
        classes: number of logits.
    """
    if not IMAGE.fits(shape):
        numbers = math.prod(shape)
        body = [nn.Flatten(), nn.BatchNorm1d(numbers, affine=False)]
        width = numbers
        for _ in range(2):
            body += [nn.Linear(width, 128), nn.ReLU()]
            width = 128
        return nn.Sequential(*body, nn.Linear(width, classes))
    channels, *sides = shape
    body = [nn.AdaptiveAvgPool2d(_sides(shape))] if _sides(shape) != sides else []
    sides = _sides(shape)
    for width in (16, 32):
        body += [nn.Conv2d(channels, width, 5, 2, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels, sides = width, [math.ceil(side / 2) for side in sides]
    body += [nn.Flatten(), nn.Linear(math.prod(sides) * channels, 128), nn.ReLU()]
    return nn.Sequential(*body, nn.Linear(128, classes))


class TrainOnSynthetic(SampleMetric):
    """Accuracy, on real examples, of a classifier that was trained on generated samples.

    For images it is the classification accuracy score (Ravuri and Vinyals 2019, arXiv:1905.10887),
    for series it is the TSTR (Esteban et al. 2017, arXiv:1706.02633). It falls when samples are
    poor, of the wrong class, or too much alike. Values of different classifiers are not comparable;
    the default is a small classifier, trained for a fixed number of steps. Samples are kept until
    `compute`.

    Args:
        network: function that returns a new classifier. It maps normalised samples, such as images
            (N, C, H, W) in [−1, 1], to logits (N, classes); None for `small_classifier`.
        steps: number of training steps, with Adam and batches of 128.
        seed: seed of the classifier's weights and of the order of the samples.
        classes: number of classes; None if `bind` will take it from the data.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.
    """

    higher_is_better = True
    inputs = ("samples", "labels")
    scores = ("train_on_synthetic",)
    title = "accuracy on real samples after training on generated ones"
    alternative = "label_consistency, which trains nothing"

    def __init__(
        self,
        network: Callable[[], nn.Module] | None = None,
        steps: int = 400,
        seed: int = 0,
        classes: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if steps < 1:
            raise ConfigError(f"steps: received {steps}; needs 1 or more.")
        self.network, self.steps, self.seed, self.classes = network, steps, seed, classes
        self.keeps("real_samples", "fake_samples")
        for kind in ("real", "fake"):
            self.add_state(f"{kind}_labels", [], dist_reduce_fx="cat")

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take the number of classes from the data, and require ten samples per class."""
        self.classes = needed_classes(self, data)
        self.min_samples = 10 * self.classes

    def update(self, samples: Tensor, labels: Tensor, real: bool) -> None:
        """Add uint8 images (N, C, H, W) or points (N, D), with labels (N,).

        Raises:
            ConfigError: labels have a wrong shape or range.
        """
        check_labels(self, labels, len(samples), self.classes)
        kind = "real" if real else "fake"
        getattr(self, f"{kind}_samples").append(self.store.put(samples))
        getattr(self, f"{kind}_labels").append(labels)

    def compute(self) -> Tensor:
        """Return the accuracy, in [0, 1]."""
        device = self.real_labels[0].device
        labels = dim_zero_cat(self.real_labels)
        samples = self.fake_samples.loaded(self.memory // 4)
        network = self._train(samples, dim_zero_cat(self.fake_labels), device)

        @torch.no_grad()
        def classify(rows: Tensor) -> Tensor:
            return network(self._inputs(self.real_samples, rows, device)).argmax(1)

        rows = torch.arange(len(labels))
        what = "classifying one sample"
        predicted = map_in_parts(classify, rows, memory=self.memory // 2, what=what)
        return (predicted == labels).double().cpu().mean()

    def _inputs(self, samples: Tensor | Rows, rows: Tensor, device: torch.device) -> Tensor:
        """Return the network's inputs: normalised samples, pooled for the small classifier."""

        def prepare(rows: Tensor) -> Tensor:
            inputs = _normalise(samples[rows].to(device))
            return _pool(inputs) if self.network is None else inputs

        what = "preparing one sample"
        return map_in_parts(prepare, rows, memory=self.memory // 4, what=what)

    def _train(self, samples: Tensor | Rows, labels: Tensor, device: torch.device) -> nn.Module:
        forked = [device] if device.type == "cuda" else []
        with (
            torch.random.fork_rng(devices=forked),
            torch.inference_mode(False),
            torch.enable_grad(),
        ):
            seed_device(device, self.seed)
            shape = self._inputs(samples, torch.zeros(1, dtype=torch.long), device).shape[1:]
            make = self.network or (lambda: small_classifier(shape, self.classes))
            network = make().to(device).train()
            adam = torch.optim.Adam(network.parameters(), RATE)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, self.steps)
            order = torch.Generator().manual_seed(self.seed)
            for _ in range(self.steps):
                rows = torch.randint(len(samples), (BATCH,), generator=order)
                adam.zero_grad()
                predicted = network(self._inputs(samples, rows, device))
                cross_entropy(predicted, labels[rows.to(device)]).backward()
                adam.step()
                schedule.step()
        return network.eval()

    def settings(self) -> dict[str, Any]:
        """Return the classifier's name, and how it was trained."""
        make = getattr(self.network, "func", self.network) or small_classifier
        return {
            "classifier": getattr(make, "__name__", type(make).__name__),
            "steps": self.steps,
            "batch_size": BATCH,
            "classifier_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the accuracy."""
        return {
            "train_on_synthetic": "A small classifier that was trained on generated samples alone "
            f"classifies {values['train_on_synthetic']:.1%} of the real examples correctly "
            f"(guessing: {1 / self.classes:.0%}; higher is better)."
        }


def _sides(shape: Sequence[int]) -> list[int]:
    """Return height and width of the images that the small classifier sees."""
    return [min(side, _LARGEST) for side in shape[1:]]


def _pool(samples: Tensor) -> Tensor:
    """Average images down to the size that the small classifier sees; return others unchanged."""
    shape = samples.shape[1:]
    if not IMAGE.fits(shape) or _sides(shape) == list(shape[1:]):
        return samples
    return adaptive_avg_pool2d(samples, _sides(shape))


def _normalise(samples: Tensor) -> Tensor:
    """Return what networks take: images scaled to [−1, 1], points unchanged."""
    return of_raw(samples).normalise(samples).float()
