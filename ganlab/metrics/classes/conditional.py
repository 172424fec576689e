"""Scores of samples by class: how good each class is, whether it obeys, and how often it comes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, SampleMetric, check_features
from ganlab.metrics.distances.frechet import FrechetDistance
from ganlab.metrics.kept import KeptSamples

LISTED = 20  # up to so many classes, each has a score of its own
PRESENT = 0.3  # a class is present from this part of an equal share on


def needed_classes(metric: SampleMetric, data: Any) -> int:
    """The number of the data's classes.

    Raises:
        ConfigError: it has no labels.
    """
    if data.classes is None:
        raise ConfigError(
            f"{metric.title}: needs labels; {data.title} has none. Choose data with classes."
        )
    return data.classes


def check_labels(metric: SampleMetric, labels: Tensor, n: int, classes: int) -> None:
    """Raise a ConfigError for labels that are not (n,), each in 0 … classes − 1."""
    if labels.shape != (n,) or (n and not 0 <= int(labels.min()) <= int(labels.max()) < classes):
        span = f" from {int(labels.min())} to {int(labels.max())}" if labels.numel() else ""
        raise ConfigError(
            f"{metric.title}: received labels of shape {tuple(labels.shape)}{span} for {n} "
            f"samples; needs ({n},), each in 0 … {classes - 1}. Take the labels of the samples."
        )


def listed(score: str, classes: int) -> tuple[str, ...]:
    """The names of a score's parts, one for each class, while there are not too many."""
    return tuple(f"{score}/{k}" for k in range(classes)) if classes <= LISTED else ()


class ClassFrechetDistance(KeptSamples):
    """Mean over the classes of the Fréchet distance between real and generated samples of each.

    Over the features of the FID Inception it is the intra-FID: Miyato and Koyama 2018
    (arXiv:1802.05637). Unlike the Fréchet distance it sees samples of the wrong class. Features
    are kept, float32, until `compute`: moments of each class would take more memory where there
    are many classes.

    Args:
        classes: their number; `bind` takes it from the data.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
    """

    higher_is_better = False
    inputs = ("features", "labels")
    scores = ("class_frechet_distance",)
    each = ("class_frechet_distance",)
    title = "intra-class Fréchet distance"
    instead = "frechet_distance, which takes all classes together"

    def __init__(self, classes: int | None = None, **options: Any) -> None:
        super().__init__(most=None, **options)
        if classes is not None:
            self._take(classes)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take the number of classes; a covariance needs more samples than features."""
        self._take(needed_classes(self, data))
        if extractor is not None:
            self.fewest = self.classes * (extractor.width + 1)

    def _take(self, classes: int) -> None:
        self.classes = classes
        name = type(self).scores[0]
        self.scores = (name, *listed(name, classes))

    def update(self, features: Tensor, labels: Tensor, real: bool) -> None:
        """Add features (N, D) and labels (N,) of real or of generated samples.

        Raises:
            ConfigError: features that are not finite, or labels that do not fit.
        """
        check_labels(self, labels, len(features), self.classes)
        self.keep(features.float(), real, labels)

    def compute(self) -> dict[str, Tensor]:
        """The mean distance, and that of each class.

        Raises:
            ConfigError: a class has fewer than two real or generated samples.
        """
        sets = []
        for kind in ("real", "fake"):
            features, labels = self.kept(kind), self.kept_labels(kind)
            sets.append((kind == "real", features.cpu(), labels.cpu()))
        distances = []
        for k in range(self.classes):
            distance = FrechetDistance(sets[0][1].shape[1], sync_on_compute=False)
            for real, features, labels in sets:
                of_class = features[labels == k]
                if len(of_class) < 2:
                    raise ConfigError(
                        f"{self.title}: class {k} has {len(of_class)} "
                        f"{'real' if real else 'generated'} samples; needs 2 or more. Give more "
                        f"(protocol.samples), or use {self.instead}."
                    )
                distance.update(of_class, real=real)
            distances.append(distance.compute())
        values = [torch.stack(distances).mean(), *distances]
        return dict(zip(self.scores, values, strict=False))

    def settings(self) -> dict[str, Any]:
        """The number of classes."""
        return {"classes": self.classes}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the mean says, and which class is worst."""
        name = type(self).scores[0]
        parts = [values[part] for part in self.scores[1:]]
        worst = f" Class {parts.index(max(parts))} is worst, at {max(parts):.2f}." if parts else ""
        return {
            name: f"Generated samples of a class are {values[name]:.2f} away from real ones of it "
            f"(Fréchet distance, mean over {self.classes} classes; lower is better).{worst}"
        }


class _ByClass(SampleMetric):
    """Counts per class of generated samples; a subclass says what is counted."""

    compares = False
    higher_is_better = True
    instead = "features of a classifier of fewer classes"

    def _allocate(self, classes: int, *states: str) -> None:
        self.classes, self.fewest = classes, 10 * classes
        for state in states:
            zeros = torch.zeros(classes, dtype=torch.long)
            self.add_state(state, zeros, dist_reduce_fx="sum")

    def settings(self) -> dict[str, Any]:
        """The number of classes."""
        return {"classes": self.classes}


class LabelConsistency(_ByClass):
    """Share of generated samples in which a classifier finds the label that was asked for.

    It asks for the right class and not for variety: one good sample per class scores 1. In AC-GAN
    (Odena et al. 2017, arXiv:1610.09585) an Inception network judges samples that way.

    Args:
        classes: their number; `bind` takes it from the data.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
    """

    inputs = ("logits", "labels")
    scores = ("label_consistency",)
    each = ("label_consistency",)
    title = "label consistency"

    def __init__(self, classes: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if classes is not None:
            self._take(classes)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take the number of classes, in which classifier and data have to agree."""
        classes = needed_classes(self, data)
        found = None if extractor is None else extractor.classes
        if found != classes:
            what = "none" if extractor is None else extractor.title
            raise ConfigError(
                f"{self.title}: needs a classifier of the {classes} classes of {data.title}; "
                f"received {what}, which tells {found or 'no'} classes apart. Choose features that "
                "were trained on these classes."
            )
        self._take(classes)

    def _take(self, classes: int) -> None:
        self._allocate(classes, "hits", "counts")
        name = type(self).scores[0]
        self.scores = (name, *listed(name, classes))

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add logits (N, classes) and the labels (N,) that the samples were generated for.

        Raises:
            ConfigError: logits of another width or not finite, or labels that do not fit.
        """
        check_features(self, logits, self.classes)
        check_labels(self, labels, len(logits), self.classes)
        self.counts += torch.bincount(labels, minlength=self.classes)
        self.hits += torch.bincount(labels[logits.argmax(1) == labels], minlength=self.classes)

    def compute(self) -> dict[str, Tensor]:
        """The share of all samples, and of each class, in [0, 1].

        Raises:
            ConfigError: a class without samples, where each class has a score.
        """
        if len(self.scores) > 1 and (missing := (self.counts == 0).nonzero().flatten().tolist()):
            raise ConfigError(
                f"{self.title}: no generated sample has label {missing[0]}. Give more samples "
                "(protocol.samples), or labels of every class."
            )
        hits, counts = self.hits.double().cpu(), self.counts.double().cpu()
        values = [hits.sum() / counts.sum(), *(hits / counts)]
        return dict(zip(self.scores, values, strict=False))

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the share says, and which class obeys least."""
        name = type(self).scores[0]
        parts = [values[part] for part in self.scores[1:]]
        worst = f" Class {parts.index(min(parts))} is worst, at {min(parts):.0%}." if parts else ""
        return {
            name: f"In {values[name]:.1%} of the samples a classifier finds the class that was "
            f"asked for (guessing finds {1 / self.classes:.0%}).{worst}"
        }


class ClassShares(_ByClass):
    """Which classes a classifier finds in generated samples, and how often.

    A class is present from 0.3 / classes of the samples on, 3 % of them for ten classes.

    Args:
        classes: their number; `bind` takes it from the extractor.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
    """

    inputs = ("logits",)
    scores = ("classes_present",)
    each = ("class_share",)
    title = "class shares"

    def __init__(self, classes: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if classes is not None:
            self._take(classes)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take the number of classes from the extractor."""
        if extractor is None or extractor.classes is None:
            what = "none" if extractor is None else extractor.title
            raise ConfigError(
                f"{self.title}: needs features of a classifier; received {what}. Choose such "
                "features (features=digits, …)."
            )
        self._take(extractor.classes)

    def _take(self, classes: int) -> None:
        self._allocate(classes, "counts")
        self.scores = (*type(self).scores, *listed("class_share", classes))

    def update(self, logits: Tensor) -> None:
        """Add logits (N, classes) of generated samples.

        Raises:
            ConfigError: logits of another width, or not finite.
        """
        check_features(self, logits, self.classes)
        self.counts += torch.bincount(logits.argmax(1), minlength=self.classes)

    def compute(self) -> dict[str, Tensor]:
        """The number of classes that are present, and the share of each in [0, 1]."""
        counts = self.counts.double().cpu()
        shares = counts / counts.sum().clamp(min=1)
        values = [(shares >= PRESENT / self.classes).sum(), *shares]
        return dict(zip(self.scores, values, strict=False))

    def settings(self) -> dict[str, Any]:
        """The number of classes, and the share from which one counts."""
        return super().settings() | {"present_from_share": PRESENT / self.classes}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """How many classes appear, how evenly, and which do not."""
        present = round(values["classes_present"])
        number = f"All {present}" if present == self.classes else f"{present} of {self.classes}"
        sentence = f"{number} classes appear"
        shares = [values[name] for name in self.scores[1:]]
        if shares:
            sentence += f"; a class has {min(shares):.0%} to {max(shares):.0%} of the samples"
        least = PRESENT / self.classes
        missing = [str(k) for k, share in enumerate(shares) if share < least]
        return {
            "classes_present": f"{sentence}."
            + (f" Rare or missing: {', '.join(missing)}." if missing else "")
        }
