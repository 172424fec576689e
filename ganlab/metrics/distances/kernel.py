"""Kernel distance between two sets of features."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.metrics.kept import KeptSamples
from ganlab.metrics.neighbours import as_double

_SEED = 2020


class KernelDistance(KeptSamples):
    """Squared maximum mean discrepancy under a cubic kernel, mean and deviation over subsets.

    Over the features of the FID Inception it is the KID: Bińkowski et al. 2018 (arXiv:1801.01401).
    The kernel is (x·y / D + 1)³ and the estimate is unbiased, so that it is 0 on average for two
    sets of one distribution, and may be negative. Subsets are those of torch-fidelity with the
    generated samples as its first input: drawn by RandomState(2020), generated ones first.

    Args:
        subsets: how many are drawn.
        subset_size: samples of each kind in each, without replacement.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: no subset, or fewer than 2 samples in it.
    """

    higher_is_better = False
    scores = ("kernel_distance", "kernel_distance_std")
    title = "kernel distance"
    instead = "a smaller subset_size"

    def __init__(self, subsets: int = 100, subset_size: int = 1000, **options: Any) -> None:
        super().__init__(most=None, **options)
        if subsets < 1 or subset_size < 2:
            raise ConfigError(
                f"KernelDistance: received subsets={subsets}, subset_size={subset_size}; needs "
                "subsets of 1 or more, subset_size of 2 or more."
            )
        self.subsets, self.subset_size, self.fewest = subsets, subset_size, subset_size

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, D) of real or of generated samples; see `KeptSamples.keep`."""
        self.keep(features, real)

    def settings(self) -> dict[str, Any]:
        """Kernel and subsets."""
        return {
            "kernel": "(x·y / D + 1)³",
            "subsets": self.subsets,
            "subset_size": self.subset_size,
            "subset_seed": _SEED,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What a distance that may be negative says."""
        value, spread = (values[name] for name in self.scores)
        if value <= spread:
            text = "within its spread over subsets: the two can hardly be told apart"
        else:
            text = f"more than its spread over subsets ({spread:.2g}): the two differ"
        return {
            "kernel_distance": f"Generated features are at {value:.2g} from real ones, {text}. "
            "0 is the mean for equal distributions, so a small one may be negative."
        }

    def compute(self) -> dict[str, Tensor]:
        """Mean and population standard deviation of the estimates."""
        real, fake = self.kept("real"), self.kept("fake")
        random = np.random.RandomState(_SEED)
        estimates = []
        for _ in range(self.subsets):
            x, y = (
                as_double(kind[torch.from_numpy(chosen).to(kind.device)])
                for kind, chosen in (
                    (kind, random.choice(len(kind), self.subset_size, replace=False))
                    for kind in (fake, real)
                )
            )
            estimates.append(squared_mmd(x, y))
        found = torch.stack(estimates)
        return dict(zip(self.scores, (found.mean(), found.std(correction=0)), strict=True))


def squared_mmd(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased estimate of the squared MMD of (n, D) and (n, D) under (x·y / D + 1)³, a scalar.

    Gretton et al. 2012 (Journal of Machine Learning Research 13), the unbiased estimate of lemma 6.
    """
    within = _off_diagonal_mean(_cubic(x, x)) + _off_diagonal_mean(_cubic(y, y))
    return within - 2 * _cubic(x, y).mean()


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T).div_(x.shape[1]).add_(1).pow_(3)


def _off_diagonal_mean(kernel: Tensor) -> Tensor:
    n = len(kernel)
    return (kernel.sum() - kernel.trace()) / (n * (n - 1))
