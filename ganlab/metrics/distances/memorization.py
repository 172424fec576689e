"""A Fréchet distance that does not reward copies of the training set."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ganlab.metrics.distances.frechet import FrechetDistance
from ganlab.metrics.neighbours import cosine_tiles

_ZERO = 1e-8  # Fréchet distances up to this value count as 0
_LEAST = 1e-14  # keeps the divisor above 0 if all samples are copies


class MemorizationInformedFrechetDistance(FrechetDistance):
    """Fréchet distance, divided by a small number if samples are close to training examples.

    The cosine distance of a sample is the smallest 1 − |cos| between its features and those of any
    training example. The divisor is the mean cosine distance of the samples, or 1 if that mean is
    `threshold` or more: Bai et al. 2021 (arXiv:2106.03062). With the features of the FID Inception
    it is the MiFID. Samples and examples with all features 0 have no angle and are left out.

    Args:
        dimensions: D, the number of features; None if `bind` will take it from the extractor.
        threshold: mean cosine distance below which samples count as memorised. The default is the
            paper's value for the FID Inception. For other features choose another threshold.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.
    """

    real_split: ClassVar[str | None] = "train"
    scores = ("memorization_informed_frechet_distance",)
    title = "memorization-informed Fréchet distance"

    def __init__(
        self, dimensions: int | None = None, threshold: float = 0.1, **options: Any
    ) -> None:
        super().__init__(dimensions, **options)
        self.threshold = threshold
        self.keeps("real_rows", "fake_rows")

    def settings(self) -> dict[str, Any]:
        """Return the threshold."""
        return {"cosine_threshold": self.threshold}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain how to read the distance."""
        ((name, value),) = values.items()
        text = (
            f"{value:.4g}: this is the Fréchet distance to the training set if samples are new, "
            "and many times that distance if samples are close to training examples."
        )
        return {name: text}

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, D) of training examples or of generated samples.

        Raises:
            ConfigError: features have another shape, or are not finite.
        """
        super().update(features, real)
        # features of zeros alone have no angle
        has_angle = features.abs().amax(1) > 0
        kept = features if has_angle.all() else features[has_angle]
        (self.real_rows if real else self.fake_rows).append(self.store.put(kept))

    def compute(self) -> Tensor:
        """Return the distance, 0 or more."""
        frechet = super().compute()
        divisor = self.divisor().to(frechet.device) + _LEAST
        return torch.where(frechet > _ZERO, frechet / divisor, torch.zeros_like(frechet))

    def divisor(self) -> Tensor:
        """Return the mean smallest cosine distance of samples to training examples, float64.

        Return 1 if the mean is `threshold` or more, or if all features of a set are 0.
        """
        real, fake = self.real_rows, self.fake_rows
        one = torch.ones((), dtype=torch.float64)
        if not len(real) or not len(fake):
            return one
        best = one.new_zeros(len(fake))
        what = f"{self.title}: nearest training examples"
        for rows, _, cosines in cosine_tiles(fake, real, memory=self.memory, what=what):
            best[rows] = torch.maximum(best[rows], cosines.abs_().amax(1))
        mean = (1 - best).mean()
        return torch.where(mean < self.threshold, mean, one)
