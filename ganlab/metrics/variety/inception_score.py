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
    """exp E[KL(p(y|x) ‖ p(y))] of a classifier's answers, mean and deviation over splits.

    Salimans et al. 2016 (arXiv:1606.03498), section 4. It is between 1 and the number of classes,
    and sees no real samples. Samples are shuffled by RandomState(2020) and split as in
    torch-fidelity; computed in float64.

    Args:
        splits: equal parts, each with its own p(y).
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: no split.
    """

    inputs: ClassVar[tuple[str, ...]] = ("logits",)
    compares: ClassVar[bool] = False
    higher_is_better = True
    scores = ("inception_score", "inception_score_std")
    title = "Inception Score"
    instead = "a smaller splits"
    logits: list[Tensor] | Tensor

    def __init__(self, splits: int = 10, **options: Any) -> None:
        super().__init__(**options)
        if splits < 1:
            raise ConfigError(f"InceptionScore: received splits={splits}; needs 1 or more.")
        self.splits, self.fewest = splits, max(2, splits)
        self.classes: int | None = None
        self.add_state("logits", [], dist_reduce_fx="cat")

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take the number of classes.

        Raises:
            ConfigError: the extractor is no classifier.
        """
        if extractor is None or extractor.classes is None:
            given = "no features" if extractor is None else f"features={extractor.name}"
            raise ConfigError(
                f"inception_score: received {given}, which gives no logits; it needs a "
                "classifier's. Use features=inception or features=digits, or a torchvision "
                "classifier."
            )
        self.classes = extractor.classes

    def settings(self) -> dict[str, Any]:
        """Splits, and the seed of the shuffle."""
        return {"splits": self.splits, "shuffle_seed": _SEED}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """The score as a number of classes."""
        score = f"{values['inception_score']:.1f}"
        best = f" (of {self.classes:,})" if self.classes else ""
        return {
            "inception_score": f"The classifier sees as much variety as {score} classes{best} "
            "that are surely recognised and equally frequent. No real sample is looked at, and "
            "variety within a class is not seen."
        }

    def update(self, logits: Tensor) -> None:
        """Add logits (N, classes) of generated samples.

        Raises:
            ConfigError: another number of classes, or not finite.
        """
        check_features(self, logits, self.classes)
        self.classes = logits.shape[1]
        self.logits.append(logits)

    def compute(self) -> dict[str, Tensor]:
        """Mean and population standard deviation over the splits."""
        logits = as_double(dim_zero_cat(self.logits)) if len(self.logits) else torch.empty(0)
        self.check_counts(0, len(logits))
        n = len(logits)
        order = torch.from_numpy(np.random.RandomState(_SEED).permutation(n))
        logs = logits[order.to(logits.device)].log_softmax(1)
        bounds = [part * n // self.splits for part in range(self.splits + 1)]
        parts = [logs[a:b] for a, b in pairwise(bounds)]
        found = torch.stack([_score(part) for part in parts])
        return dict(zip(self.scores, (found.mean(), found.std(correction=0)), strict=True))


def _score(logs: Tensor) -> Tensor:
    """The exponential of the mean KL(p(y|x) ‖ p(y)), from log p(y|x) (n, classes)."""
    marginal = logs.logsumexp(0) - np.log(len(logs))
    return (logs.exp() * (logs - marginal)).sum(1).mean().exp()
