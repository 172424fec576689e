"""Scores by class: quality of each class, agreement with the label, and class frequencies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, SampleMetric, check_features
from ganlab.metrics.distances.frechet import FrechetDistance
from ganlab.metrics.kept import KeptSamples
from ganlab.metrics.memory import rows_within

LISTED = 20  # with more classes than this, there are no scores for single classes
PRESENT = 0.3  # a class is present if its share is at least PRESENT / classes


def needed_classes(metric: SampleMetric, data: Any) -> int:
    """Return the data's number of classes.

    Raises:
        ConfigError: the data has no labels.
    """
    if data.classes is None:
        raise ConfigError(
            f"{metric.title}: needs labels; {data.title} has none. Choose data with classes."
        )
    return data.classes


def check_labels(metric: SampleMetric, labels: Tensor, n: int, classes: int) -> None:
    """Raise a ConfigError unless the labels have shape (n,) and lie in 0 … classes − 1."""
    if labels.shape != (n,) or (n and not 0 <= int(labels.min()) <= int(labels.max()) < classes):
        span = f" from {int(labels.min())} to {int(labels.max())}" if labels.numel() else ""
        raise ConfigError(
            f"{metric.title}: received labels of shape {tuple(labels.shape)}{span} for {n} "
            f"samples; needs ({n},), each in 0 … {classes - 1}. Give one label for each sample."
        )


def listed(score: str, classes: int) -> tuple[str, ...]:
    """Return the names of a score's parts, one per class; () for more than `LISTED` classes."""
    return tuple(f"{score}/{k}" for k in range(classes)) if classes <= LISTED else ()


class ClassFrechetDistance(KeptSamples):
    """Mean over classes of the Fréchet distance between a class's examples and its samples.

    With the features of the FID Inception it is the intra-FID: Miyato and Koyama 2018
    (arXiv:1802.05637). Unlike the Fréchet distance it notices samples of the wrong class. Features
    are kept as float32 until `compute`, since for many classes the moments of each class would
    take more memory.

    Args:
        classes: number of classes; None if `bind` will take it from the data.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.
    """

    higher_is_better = False
    inputs = ("features", "labels")
    scores = ("class_frechet_distance",)
    each = ("class_frechet_distance",)
    title = "intra-class Fréchet distance"
    alternative = "frechet_distance, which takes all classes together"

    def __init__(self, classes: int | None = None, **options: Any) -> None:
        super().__init__(most=None, **options)
        if classes is not None:
            self._set_classes(classes)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take the number of classes from the data, and set `min_samples`.

        The covariance of each class needs more samples than there are features.
        """
        self._set_classes(needed_classes(self, data))
        if extractor is not None:
            self.min_samples = self.classes * (extractor.width + 1)

    def _set_classes(self, classes: int) -> None:
        self.classes = classes
        name = type(self).scores[0]
        self.scores = (name, *listed(name, classes))

    def update(self, features: Tensor, labels: Tensor, real: bool) -> None:
        """Add features (N, D) and labels (N,) of real examples or of generated samples.

        Raises:
            ConfigError: features or labels have a wrong shape or range, or features are not finite.
        """
        check_labels(self, labels, len(features), self.classes)
        self.keep(features.float(), real, labels)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean distance, and the distance of each class.

        Raises:
            ConfigError: there are fewer examples or samples than `min_samples`, or a class has only
                one or none.
        """
        sets = []  # (whether real, features, labels)
        for kind in ("real", "fake"):
            features, labels = self.kept(kind), self.kept_labels(kind)
            sets.append((kind == "real", features, labels))
        distances = []
        for k in range(self.classes):
            distance = FrechetDistance(sets[0][1].shape[1], sync_on_compute=False)
            for real, features, labels in sets:
                of_class = features.select((labels == k).nonzero().flatten())
                if len(of_class) < 2:
                    raise ConfigError(
                        f"{self.title}: class {k} has {len(of_class)} "
                        f"{'real examples' if real else 'generated samples'}; needs 2 or more. "
                        f"Raise protocol.{'real_' if real else ''}samples, or use "
                        f"{self.alternative}."
                    )
                for part in of_class.split(rows_within(self.memory // 4, 3 * features.row_bytes)):
                    distance.update(part, real=real)
            distances.append(distance.compute())
        values = [torch.stack(distances).mean(), *distances]
        return dict(zip(self.scores, values, strict=False))

    def settings(self) -> dict[str, Any]:
        """Return the number of classes."""
        return {"classes": self.classes}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the mean, and name the worst class."""
        name = type(self).scores[0]
        parts = [values[part] for part in self.scores[1:]]
        worst = f" Class {parts.index(max(parts))} is worst, at {max(parts):.2f}." if parts else ""
        return {
            name: f"Generated samples of a class are {values[name]:.2f} away from real examples "
            f"of that class (Fréchet distance, mean over {self.classes} classes; lower is better)."
            f"{worst}"
        }


class _ByClass(SampleMetric):
    """Base of metrics that count generated samples by class; a subclass says what it counts."""

    uses_real = False
    higher_is_better = True
    alternative = "features of a classifier of fewer classes"

    def __init__(self, classes: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if classes is not None:
            self._set_classes(classes)

    def _set_classes(self, classes: int) -> None:
        raise NotImplementedError

    def _allocate(self, classes: int, *states: str) -> None:
        self.classes, self.min_samples = classes, 10 * classes
        for state in states:
            zeros = torch.zeros(classes, dtype=torch.long)
            self.add_state(state, zeros, dist_reduce_fx="sum")

    def settings(self) -> dict[str, Any]:
        """Return the number of classes."""
        return {"classes": self.classes}


class LabelConsistency(_ByClass):
    """Share of generated samples that a classifier assigns to the requested label.

    The score ignores variety within a class: one good sample per class, repeated, scores 1. Odena
    et al. 2017 (AC-GAN, arXiv:1610.09585) score samples in this way with an Inception network.

    Args:
        classes: number of classes; None if `bind` will take it from the data.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.
    """

    inputs = ("logits", "labels")
    scores = ("label_consistency",)
    each = ("label_consistency",)
    title = "label consistency"

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take the data's number of classes, and check that the classifier has this many."""
        classes = needed_classes(self, data)
        logits = None if extractor is None else extractor.classes
        if logits != classes:
            title = "none" if extractor is None else extractor.title
            raise ConfigError(
                f"{self.title}: needs a classifier of the {classes} classes of {data.title}; "
                f"received {title}, which has {logits or 'no'} classes. Choose features that were "
                "trained on these classes."
            )
        self._set_classes(classes)

    def _set_classes(self, classes: int) -> None:
        self._allocate(classes, "hits", "counts")
        name = type(self).scores[0]
        self.scores = (name, *listed(name, classes))

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add logits (N, classes) and the labels (N,) that the samples were generated for.

        Raises:
            ConfigError: logits or labels have a wrong shape or range, or logits are not finite.
        """
        check_features(self, logits, self.classes)
        check_labels(self, labels, len(logits), self.classes)
        self.counts += torch.bincount(labels, minlength=self.classes)
        self.hits += torch.bincount(labels[logits.argmax(1) == labels], minlength=self.classes)

    def compute(self) -> dict[str, Tensor]:
        """Return the share among all samples, and among those of each class, in [0, 1].

        Raises:
            ConfigError: each class has a score (see `LISTED`), but a class has no samples.
        """
        if len(self.scores) > 1 and (missing := (self.counts == 0).nonzero().flatten().tolist()):
            raise ConfigError(
                f"{self.title}: no generated sample has label {missing[0]}. Raise "
                "protocol.samples, or generate samples of every class."
            )
        hits, counts = self.hits.double().cpu(), self.counts.double().cpu()
        values = [hits.sum() / counts.sum(), *(hits / counts)]
        return dict(zip(self.scores, values, strict=False))

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the share, and name the worst class."""
        name = type(self).scores[0]
        parts = [values[part] for part in self.scores[1:]]
        worst = f" Class {parts.index(min(parts))} is worst, at {min(parts):.0%}." if parts else ""
        return {
            name: f"A classifier assigns {values[name]:.1%} of the samples to the requested class "
            f"(guessing: {1 / self.classes:.0%}).{worst}"
        }


class ClassShares(_ByClass):
    """Share of each class among generated samples, according to a classifier.

    A class is present if at least 0.3 / classes of the samples belong to it: 3 % for ten classes.

    Args:
        classes: number of classes; None if `bind` will take it from the extractor.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.
    """

    inputs = ("logits",)
    scores = ("classes_present",)
    each = ("class_share",)
    title = "class shares"

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take the number of classes from the extractor, which must be a classifier."""
        if extractor is None or extractor.classes is None:
            title = "none" if extractor is None else extractor.title
            raise ConfigError(
                f"{self.title}: needs features of a classifier; received {title}. Choose such "
                "features (features=digits, …)."
            )
        self._set_classes(extractor.classes)

    def _set_classes(self, classes: int) -> None:
        self._allocate(classes, "counts")
        self.scores = (*type(self).scores, *listed("class_share", classes))

    def update(self, logits: Tensor) -> None:
        """Add logits (N, classes) of generated samples.

        Raises:
            ConfigError: logits have another shape, or are not finite.
        """
        check_features(self, logits, self.classes)
        self.counts += torch.bincount(logits.argmax(1), minlength=self.classes)

    def compute(self) -> dict[str, Tensor]:
        """Return the number of classes that are present, and the share of each in [0, 1]."""
        counts = self.counts.double().cpu()
        shares = counts / counts.sum().clamp(min=1)
        values = [(shares >= PRESENT / self.classes).sum(), *shares]
        return dict(zip(self.scores, values, strict=False))

    def settings(self) -> dict[str, Any]:
        """Return the number of classes, and the least share at which a class counts as present."""
        return super().settings() | {"present_from_share": PRESENT / self.classes}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain how many classes appear, how evenly, and which are missing."""
        present = round(values["classes_present"])
        number = f"All {present}" if present == self.classes else f"{present} of {self.classes}"
        sentence = f"{number} classes appear" + "s" * (present == 1)
        least = PRESENT / self.classes
        shares = dict(enumerate(values[name] for name in self.scores[1:]))
        if found := [share for share in shares.values() if share >= least]:
            low, high = f"{min(found):.0%}", f"{max(found):.0%}"
            each = ", each with" if len(found) > 1 else ", with"
            sentence += f"{each} {low if low == high else f'{low} to {high}'} of the samples"
        missing = [str(k) for k, share in shares.items() if share < least]
        more = f" Rare or missing: {', '.join(missing)}." if missing else ""
        return {"classes_present": f"{sentence}.{more}"}
