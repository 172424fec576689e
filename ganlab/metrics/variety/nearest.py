"""Whether generated samples are copies of training examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.kept import KeptFeaturesOrSamples
from ganlab.metrics.neighbours import distance_tiles, nearest
from ganlab.metrics.rows import Rows

_QUANTILE = 0.01  # a copy is nearer than this quantile of the training examples' distances
# relative to the median distance; features of a copy in another batch differ by less than this
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Neighbours:
    """Some samples and their nearest training examples.

    Attributes:
        samples: generated images, uint8 (n, C, H, W).
        examples: the nearest training example of each sample, uint8 (n, C, H, W).
        distances: the distance (n,) of each pair, float64.
        usual: the median distance of a training example to the nearest other training example.
        between: between what the distances are, e.g. "features of the network digits".
    """

    samples: Tensor
    examples: Tensor
    distances: Tensor
    usual: float
    between: str


class NearestNeighbours(KeptFeaturesOrSamples):
    """Comparison of the distances of samples and examples to their nearest training example.

    The metric computes the distance of each sample to its nearest training example, and the
    distance of each training example to its nearest other training example. For a perfect
    generator both distances have the same distribution. `nearest_ratio` is the ratio of their
    medians: 0 for copies, about 1 for a perfect generator, above 1 for samples away from the data.
    `copies` is the share of samples whose distance is at most the 1 % quantile of the training
    examples' distances: 1 for copies, about 0.01 for a perfect generator. The scores miss
    memorisation that the features do not show, such as mirrored copies.

    All training examples are kept and searched.

    Args:
        on: "features" of the protocol's extractor, or "samples": pixels in [0, 255], or points.
        queries: largest number of samples, and of examples, whose nearest neighbours are searched;
            if there are more, a random subset is used.
        seed: seed of the subsets.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: an argument is out of its range.
    """

    scores = ("nearest_ratio", "copies")
    other_higher_is_better = {"copies": False}
    real_split = "train"
    min_samples = 100
    alternative = "the pictures of nearest neighbours, which need no statistics"

    def __init__(
        self,
        on: Literal["features", "samples"] = "features",
        queries: int = 2000,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(on, None, seed, **options)
        if queries < self.min_samples:
            raise ConfigError(
                f"NearestNeighbours: received queries={queries}; needs {self.min_samples} or more."
            )
        self.queries = queries
        self.title = f"nearest training samples by {on}"

    def settings(self) -> dict[str, Any]:
        """Return what is compared, the quantile for copies, queries and seed."""
        return {
            "on": self.on,
            "queries_at_most": self.queries,
            "copy_below_quantile": _QUANTILE,
            "metric_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain both scores."""
        copies = values["copies"]
        verdict = (
            "This is memorisation: compare the samples with their nearest training examples."
            if copies > 0.1
            else "There is no sign of memorisation."
        )
        return {
            "nearest_ratio": "A generated sample is "
            f"{values['nearest_ratio']:.2f} times as far from its nearest training example as a "
            "training example is from the nearest other training example (0: copies, 1: like new "
            "data, above 1: unlike the data).",
            "copies": f"{copies:.1%} of the generated samples lie suspiciously near a training "
            f"example (new data: about {_QUANTILE:.0%}). {verdict}",
        }

    def compute(self) -> dict[str, Tensor]:
        """Return `nearest_ratio` (0 or more) and `copies` in [0, 1], float64.

        Raises:
            ConfigError: at least half of the training examples equal another training example.
        """
        real, fake = self.kept("real"), self.kept("fake")
        real_distance = self._distances_among(real)
        median = real_distance.median()
        if median == 0:
            raise ConfigError(
                "NearestNeighbours: at least half of the training examples equal another training "
                "example, so copies cannot be detected. Remove the duplicates."
            )
        distance, _ = nearest(fake.select(self._chosen(fake)), real, memory=self.memory)
        limit = torch.maximum(real_distance.quantile(_QUANTILE), _ROUNDING * median)
        return {
            "nearest_ratio": distance.median() / median,
            "copies": (distance <= limit).double().mean(),
        }

    def neighbours(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nearest training examples of given samples, for pictures that show both.

        Args:
            samples: generated features, images or points, as `update` takes them.

        Returns:
            Indices (N,) in the order in which `update` got the examples, and distances (N,),
            float64.
        """
        distance, index = nearest(samples, self.real_rows, memory=self.memory)
        return index, distance

    def usual_distance(self) -> float:
        """Return the median distance of training examples to their nearest other example."""
        return float(self._distances_among(self.real_rows).median())

    def _distances_among(self, real: Rows) -> Tensor:
        """Return the distance of chosen training examples to their nearest other examples.

        Copies of an example count as other examples.
        """
        chosen = self._chosen(real)
        best = torch.full((len(chosen),), torch.inf, dtype=torch.float64)
        for rows, columns, tile in distance_tiles(real.select(chosen), real, memory=self.memory):
            column = chosen[rows] - columns.start  # holds each example's distance to itself
            inside = (column >= 0) & (column < tile.shape[1])
            tile[inside.nonzero().flatten(), column[inside]] = torch.inf
            best[rows] = torch.minimum(best[rows], tile.min(1).values)
        return best.sqrt()

    def _chosen(self, samples: Rows) -> Tensor:
        rng = torch.Generator().manual_seed(mix(self.seed))
        return torch.randperm(len(samples), generator=rng)[: self.queries]
