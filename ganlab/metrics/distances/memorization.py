"""A Fréchet distance that does not reward copies of the training set."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics.utilities.data import dim_zero_cat

from ganlab.metrics.distances.frechet import FrechetDistance
from ganlab.metrics.neighbours import as_double, cosine_tiles

_ZERO = 1e-8  # a Fréchet distance up to this is 0, whatever it is divided by
_LEAST = 1e-14  # keeps the divisor of copies above 0


class MemorizationInformedFrechetDistance(FrechetDistance):
    """Fréchet distance, divided by how far samples are from the training set where that is little.

    The divisor is the mean over generated samples of min 1 − |cos| to the real features, or 1 where
    it is `threshold` or more: Bai et al. 2021 (arXiv:2106.03062). Over the features of the FID
    Inception it is the MiFID. A sample whose features are all 0 has no angle and is left out.

    Args:
        dimensions: D, the number of features; `bind` takes it from the extractor.
        threshold: cosine distance from which on nothing is taken for memorised. The default is the
            paper's for the FID Inception; other features have other distances, so choose another.
        memory_mib: MiB for the temporaries of the search.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
    """

    real_split: ClassVar[str | None] = "train"
    scores = ("memorization_informed_frechet_distance",)
    title = "memorization-informed Fréchet distance"
    real_features: list[Tensor] | Tensor
    fake_features: list[Tensor] | Tensor

    def __init__(
        self,
        dimensions: int | None = None,
        threshold: float = 0.1,
        memory_mib: int = 2048,
        **options: Any,
    ) -> None:
        super().__init__(dimensions, **options)
        self.threshold, self.memory_mib = threshold, memory_mib
        self.add_state("real_features", [], dist_reduce_fx="cat")
        self.add_state("fake_features", [], dist_reduce_fx="cat")

    def settings(self) -> dict[str, Any]:
        """The threshold."""
        return {"cosine_threshold": self.threshold}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Against what it is to be read."""
        ((name, value),) = values.items()
        text = (
            f"{value:.4g}: the Fréchet distance to the training set where samples are new, and "
            "many times that where they are close to training samples."
        )
        return {name: text}

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, D) of training samples or of generated samples.

        Raises:
            ConfigError: features of another width, or not finite.
        """
        super().update(features, real)
        (self.real_features if real else self.fake_features).append(features)

    def compute(self) -> Tensor:
        """The distance, 0 or more."""
        frechet = super().compute()
        real, fake = dim_zero_cat(self.real_features), dim_zero_cat(self.fake_features)
        divisor = self.divisor(real, fake).to(frechet.device) + _LEAST
        return torch.where(frechet > _ZERO, frechet / divisor, torch.zeros_like(frechet))

    def divisor(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean least cosine distance of `fake` (M, D) to `real` (N, D), 1 from `threshold` on."""
        real, fake = (x[x.abs().amax(1) > 0] for x in (real, fake))
        one = as_double(fake.new_ones(()))
        if not len(real) or not len(fake):
            return one
        best = one.new_zeros(len(fake))
        what = f"{self.title}: nearest training samples"
        for rows, _, cosines in cosine_tiles(fake, real, memory_mib=self.memory_mib, what=what):
            best[rows] = torch.maximum(best[rows], cosines.abs_().amax(1))
        mean = (1 - best).mean()
        return torch.where(mean < self.threshold, mean, one)
