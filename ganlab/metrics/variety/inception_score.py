"""Inception Score."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, SampleMetric, check_features
from ganlab.metrics.memory import rows_within
from ganlab.metrics.rows import Rows

_SEED = 2020


class InceptionScore(SampleMetric):
    """exp E[KL(p(y|x) ‖ p(y))] of a classifier's outputs; mean and standard deviation over splits.

    Salimans et al. 2016 (arXiv:1606.03498), section 4. The score lies between 1 and the number of
    classes, and does not use real examples. Samples are shuffled by RandomState(2020) and split as
    in torch-fidelity. The score is computed in float64.

    Args:
        splits: number of equal parts of the samples, each with its own p(y).
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: `splits` is below 1.
    """

    inputs: ClassVar[tuple[str, ...]] = ("logits",)
    uses_real: ClassVar[bool] = False
    higher_is_better = True
    scores = ("inception_score", "inception_score_std")
    title = "Inception Score"
    alternative = "fewer splits"

    def __init__(self, splits: int = 10, **options: Any) -> None:
        super().__init__(**options)
        if splits < 1:
            raise ConfigError(f"InceptionScore: received splits={splits}; needs 1 or more.")
        self.splits, self.min_samples = splits, max(2, splits)
        self.classes: int | None = None
        self.keeps("logits")

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take the number of classes from the extractor.

        Raises:
            ConfigError: there is no extractor, or it is not a classifier.
        """
        if extractor is None or extractor.classes is None:
            given = "no features" if extractor is None else f"features={extractor.name}"
            raise ConfigError(
                f"inception_score: received {given}, but it needs the logits of a classifier. Use "
                "features=inception or features=digits, or a torchvision classifier."
            )
        self.classes = extractor.classes

    def settings(self) -> dict[str, Any]:
        """Return the splits and the seed of the shuffle."""
        return {"splits": self.splits, "shuffle_seed": _SEED}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the score as a number of classes."""
        score = f"{values['inception_score']:.1f}"
        best = f" (of {self.classes:,})" if self.classes else ""
        return {
            "inception_score": f"The classifier sees as much variety as {score} classes{best} "
            "that are recognised with certainty and equally frequent. The score uses no real "
            "examples and ignores variety within a class."
        }

    def update(self, logits: Tensor) -> None:
        """Add logits (N, classes) of generated samples.

        Raises:
            ConfigError: logits have another number of classes, or are not finite.
        """
        check_features(self, logits, self.classes)
        self.classes = logits.shape[1]
        self.logits.append(self.store.put(logits))

    def compute(self) -> dict[str, Tensor]:
        """Return the mean and the population standard deviation over the splits."""
        n = len(self.logits)
        self.check_counts(0, n)
        order = torch.from_numpy(np.random.RandomState(_SEED).permutation(n))
        bounds = [part * n // self.splits for part in range(self.splits + 1)]
        parts = [self.logits.select(order[a:b]) for a, b in pairwise(bounds)]
        values = torch.stack([_score(part, self.memory) for part in parts])
        return dict(zip(self.scores, (values.mean(), values.std(correction=0)), strict=True))


def _score(logits: Rows, memory: int) -> Tensor:
    """Return exp of the mean KL(p(y|x) ‖ p(y)), given the logits (n, classes) of p(y|x)."""
    size = rows_within(memory, 5 * 8 * logits.shape[1])
    marginal = torch.full(logits.shape[1:], -torch.inf, dtype=torch.float64)
    for part in logits.split(size):
        marginal = marginal.logaddexp(_log_softmax(part).logsumexp(0))
    marginal -= np.log(len(logits))
    total = torch.zeros((), dtype=torch.float64)
    for logs in map(_log_softmax, logits.split(size)):
        total += (logs.exp() * (logs - marginal)).sum()
    return (total / len(logits)).exp()


def _log_softmax(logits: Tensor) -> Tensor:
    return logits.double().log_softmax(1)
