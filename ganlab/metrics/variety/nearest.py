"""Whether generated samples are copies of training samples."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.kept import KeptOnEither
from ganlab.metrics.neighbours import as_double, distance_tiles, nearest

_QUANTILE = 0.01
_ROUNDING = 1e-4  # of the median distance: features of a copy differ by less, in another batch


class NearestNeighbours(KeptOnEither):
    """How near generated samples come to training samples, beside other training samples.

    Two distances are compared: of a generated sample to its nearest training sample, and of a
    training sample to its nearest other one. A generator that draws from the data's distribution
    has the same of both. `nearest_ratio` is the ratio of their medians: 0 for copies, about 1 for
    a perfect generator, above 1 for samples away from the data. `copies` is the share of generated
    samples that are nearer to a training sample than all but 1 % of the training samples are to
    another: 1 for copies, about 0.01 for a perfect generator. A score can hide memorisation that
    the features do not see, such as mirrored copies.

    All training samples are kept and searched.

    Args:
        on: "features" of the protocol's extractor, or "samples": pixels in [0, 255], or points.
        queries: samples of either kind whose neighbour is sought, a random subset.
        seed: of the subsets.
        memory_mib: MiB for the temporaries of the search.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: an argument is out of its range.
    """

    scores = ("nearest_ratio", "copies")
    others_higher = {"copies": False}
    real_split = "train"
    fewest = 100
    instead = "the pictures of nearest neighbours, which need no statistics"

    def __init__(
        self,
        on: Literal["features", "samples"] = "features",
        queries: int = 2000,
        seed: int = 0,
        memory_mib: int = 512,
        **options: Any,
    ) -> None:
        super().__init__(on, None, seed, **options)
        if queries < self.fewest:
            raise ConfigError(
                f"NearestNeighbours: received queries={queries}; needs {self.fewest} or more."
            )
        self.queries, self.memory_mib = queries, memory_mib
        self.title = f"nearest training samples by {on}"

    def settings(self) -> dict[str, Any]:
        """What is compared, the quantile that makes a copy, queries and seed."""
        return {
            "on": self.on,
            "queries_at_most": self.queries,
            "copy_below_quantile": _QUANTILE,
            "metric_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the numbers mean."""
        copies = values["copies"]
        verdict = (
            "that is memorisation: look at the samples beside their nearest training samples."
            if copies > 0.1
            else "no sign of memorisation."
        )
        return {
            "nearest_ratio": "A generated sample is "
            f"{values['nearest_ratio']:.2f} times as far from its nearest training sample as a "
            "training sample from another (0: copies, 1: as new data would be, above 1: unlike "
            "the data).",
            "copies": f"{copies:.1%} of the generated samples lie suspiciously near a training "
            f"sample; of new data about {_QUANTILE:.0%} would, and {verdict}",
        }

    def compute(self) -> dict[str, Tensor]:
        """`nearest_ratio` (0 or more) and `copies` in [0, 1], float64.

        Raises:
            ConfigError: most training samples have an exact copy among themselves.
        """
        real, fake = _rows(self.kept("real")), _rows(self.kept("fake"))
        usual = self._among(real)
        median = usual.median()
        if median == 0:
            raise ConfigError(
                "NearestNeighbours: at least half of the training samples equal another one, so "
                "that copies cannot be told. Remove the duplicates."
            )
        distance, _ = nearest(fake[self._chosen(fake)], real, memory_mib=self.memory_mib)
        limit = torch.maximum(usual.quantile(_QUANTILE), _ROUNDING * median)
        return {
            "nearest_ratio": distance.median() / median,
            "copies": (distance <= limit).double().mean(),
        }

    def neighbours(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """For pictures: where the nearest training samples are, in the order in which they came.

        Args:
            samples: generated features, images or points, as `update` takes them.

        Returns:
            Indices (N,), and distances (N,), float64.
        """
        distance, index = nearest(
            _rows(samples), _rows(self._cut("real")["kept"]), memory_mib=self.memory_mib
        )
        return index, distance

    def _among(self, real: Tensor) -> Tensor:
        """Distance of chosen training samples to the nearest other one; a copy is another one."""
        chosen = self._chosen(real)
        best = as_double(real[:1, 0]).new_full((len(chosen),), torch.inf)
        for rows, columns, tile in distance_tiles(real[chosen], real, memory_mib=self.memory_mib):
            own = chosen[rows] - columns.start
            here = (own >= 0) & (own < tile.shape[1])
            tile[here.nonzero().flatten(), own[here]] = torch.inf
            best[rows] = torch.minimum(best[rows], tile.min(1).values)
        return best.sqrt()

    def _chosen(self, samples: Tensor) -> Tensor:
        rng = torch.Generator().manual_seed(mix(self.seed))
        return torch.randperm(len(samples), generator=rng)[: self.queries].to(samples.device)


def _rows(samples: Tensor) -> Tensor:
    return samples.flatten(1).float()
