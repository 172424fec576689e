"""Fréchet distance between two sets of features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, SampleMetric, check_features
from ganlab.private import shrink_default


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """Return the squared 2-Wasserstein distance of two Gaussians, computed in float64.

    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½): Dowson and Landau 1982; Heusel et al. 2017
    (arXiv:1706.08500), equation 6. tr((Σ₁Σ₂)^½) is computed as the sum of the square roots of the
    eigenvalues of Σ₁^½ Σ₂ Σ₁^½. This matrix is symmetric, so no complex numbers appear.

    Args:
        mean1: μ₁ (D,).
        cov1: Σ₁ (D, D), symmetric and positive semi-definite.
        mean2: μ₂ (D,).
        cov2: Σ₂ (D, D), symmetric and positive semi-definite.
    """
    mean1, cov1, mean2, cov2 = (x.double() for x in (mean1, cov1, mean2, cov2))
    values, vectors = torch.linalg.eigh(cov1)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov2 @ root).clamp(min=0).sqrt().sum()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * cross)


class FrechetDistance(SampleMetric):
    """Fréchet distance between real and generated features, from their moments.

    With the features of the FID Inception it is the FID (Heusel et al. 2017, arXiv:1706.08500).
    The state consists of float64 sums, which are added over ranks.

    Args:
        dimensions: D, the number of features; None if `bind` will take it from the extractor.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.
    """

    higher_is_better = False
    scores = ("frechet_distance",)
    title = "Fréchet distance"
    alternative = "kernel_distance, which is unbiased for few samples"

    def __init__(self, dimensions: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if dimensions is not None:
            self._allocate(dimensions)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take the number of features from the extractor, and set `min_samples`.

        The covariance needs more samples than features.
        """
        if extractor is not None:
            self._allocate(extractor.width)
            self.min_samples = extractor.width + 1

    def _allocate(self, dimensions: int) -> None:
        self.dimensions = dimensions
        for kind in ("real", "fake"):
            zeros = torch.zeros(dimensions, dtype=torch.float64)
            square = torch.zeros(dimensions, dimensions, dtype=torch.float64)
            self.add_state(f"{kind}_sum", zeros, dist_reduce_fx="sum")
            self.add_state(f"{kind}_outer", square, dist_reduce_fx="sum")
            shrink_default(self, f"{kind}_outer")
            self.add_state(f"{kind}_count", torch.tensor(0), dist_reduce_fx="sum")
        self.set_dtype(torch.float64)

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, D) of real examples or of generated samples.

        Raises:
            ConfigError: features have another shape, or are not finite.
        """
        check_features(self, features, self.dimensions)
        kind, features = "real" if real else "fake", features.double()
        setattr(self, f"{kind}_sum", getattr(self, f"{kind}_sum") + features.sum(0))
        setattr(self, f"{kind}_outer", getattr(self, f"{kind}_outer") + features.T @ features)
        setattr(self, f"{kind}_count", getattr(self, f"{kind}_count") + len(features))

    def moments(self, kind: str) -> tuple[Tensor, Tensor]:
        """Return the mean (D,) and unbiased covariance (D, D) of "real" or "fake" features."""
        n = int(getattr(self, f"{kind}_count"))
        if n < 2:
            raise ConfigError(f"FrechetDistance: received {n} {kind} samples; needs at least 2.")
        mean = getattr(self, f"{kind}_sum") / n
        outer = getattr(self, f"{kind}_outer")
        return mean, (outer - n * torch.outer(mean, mean)) / (n - 1)

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the scale of the distance, and which values are comparable."""
        name = self.scores[0]
        return {
            name: f"Generated samples are {values[name]:.2f} away from real examples (Fréchet "
            "distance between their features: 0 for equal distributions, lower is better, "
            "comparable only under this protocol)."
        }

    def compute(self) -> Tensor:
        """Return the distance, float64."""
        distance = frechet_distance(*self.moments("real"), *self.moments("fake"))
        return torch.tensor(distance, dtype=torch.float64)
