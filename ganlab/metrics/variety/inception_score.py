"""Inception Score."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torchmetrics.utilities.data import dim_zero_cat

from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, SampleMetric, check_features
from ganlab.metrics.neighbours import as_double

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
    logits: list[Tensor] | Tensor

    def __init__(self, splits: int = 10, **options: Any) -> None:
        super().__init__(**options)
        if splits < 1:
            raise ConfigError(f"InceptionScore: received splits={splits}; needs 1 or more.")
        self.splits, self.min_samples = splits, max(2, splits)
        self.classes: int | None = None
        self.add_state("logits", [], dist_reduce_fx="cat")

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
        self.logits.append(logits)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean and the population standard deviation over the splits."""
        logits = as_double(dim_zero_cat(self.logits)) if len(self.logits) else torch.empty(0)
        self.check_counts(0, len(logits))
        n = len(logits)
        order = torch.from_numpy(np.random.RandomState(_SEED).permutation(n))
        logs = logits[order.to(logits.device)].log_softmax(1)
        bounds = [part * n // self.splits for part in range(self.splits + 1)]
        parts = [logs[a:b] for a, b in pairwise(bounds)]
        values = torch.stack([_score(part) for part in parts])
        return dict(zip(self.scores, (values.mean(), values.std(correction=0)), strict=True))


def _score(logs: Tensor) -> Tensor:
    """Return exp of the mean KL(p(y|x) ‖ p(y)), given log p(y|x) (n, classes)."""
    marginal = logs.logsumexp(0) - np.log(len(logs))
    return (logs.exp() * (logs - marginal)).sum(1).mean().exp()
