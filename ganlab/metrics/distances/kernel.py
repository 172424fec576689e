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
    """Squared maximum mean discrepancy under a cubic kernel, over random subsets.

    The scores are the mean and the standard deviation over subsets. With the features of the FID
    Inception it is the KID: Bińkowski et al. 2018 (arXiv:1801.01401). The kernel is
    (x·y / D + 1)³. The estimate is unbiased: it is 0 on average for equal distributions, and may
    be negative. The subsets equal those of torch-fidelity with the generated samples as its first
    input: RandomState(2020) chooses the samples of a subset before its real examples.

    Args:
        subsets: number of subsets.
        subset_size: number of samples, and of examples, in a subset; chosen without replacement.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: `subsets` is below 1, or `subset_size` is below 2.
    """

    higher_is_better = False
    scores = ("kernel_distance", "kernel_distance_std")
    title = "kernel distance"
    alternative = "a smaller subset_size"

    def __init__(self, subsets: int = 100, subset_size: int = 1000, **options: Any) -> None:
        super().__init__(most=None, **options)
        if subsets < 1 or subset_size < 2:
            raise ConfigError(
                f"KernelDistance: received subsets={subsets}, subset_size={subset_size}; needs "
                "subsets ≥ 1 and subset_size ≥ 2."
            )
        self.subsets, self.subset_size, self.min_samples = subsets, subset_size, subset_size

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, D) of real examples or generated samples; see `KeptSamples.keep`."""
        self.keep(features, real)

    def settings(self) -> dict[str, Any]:
        """Return the kernel and the subsets."""
        return {
            "kernel": "(x·y / D + 1)³",
            "subsets": self.subsets,
            "subset_size": self.subset_size,
            "subset_seed": _SEED,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the distance, and why it may be negative."""
        value, spread = (values[name] for name in self.scores)
        if value <= spread:
            text = "within the spread over subsets: they can hardly be distinguished"
        else:
            text = f"more than the spread over subsets ({spread:.2g}): they differ"
        return {
            "kernel_distance": f"Generated and real features are {value:.2g} apart, {text}. For "
            "equal distributions the mean is 0, so small values may be negative."
        }

    def compute(self) -> dict[str, Tensor]:
        """Return the mean and the population standard deviation of the estimates."""
        real, fake = self.kept("real"), self.kept("fake")
        random = np.random.RandomState(_SEED)
        estimates = []
        for _ in range(self.subsets):
            x, y = (
                as_double(features[torch.from_numpy(rows).to(features.device)])
                for features, rows in (
                    (features, random.choice(len(features), self.subset_size, replace=False))
                    for features in (fake, real)
                )
            )
            estimates.append(squared_mmd(x, y))
        values = torch.stack(estimates)
        return dict(zip(self.scores, (values.mean(), values.std(correction=0)), strict=True))


def squared_mmd(x: Tensor, y: Tensor) -> Tensor:
    """Return an unbiased estimate of the squared MMD of x (n, D) and y (n, D), a scalar.

    The kernel is (x·y / D + 1)³. The estimate is that of lemma 6 in Gretton et al. 2012 (Journal of
    Machine Learning Research 13).
    """
    within = _off_diagonal_mean(_cubic(x, x)) + _off_diagonal_mean(_cubic(y, y))
    return within - 2 * _cubic(x, y).mean()


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T).div_(x.shape[1]).add_(1).pow_(3)


def _off_diagonal_mean(kernel: Tensor) -> Tensor:
    n = len(kernel)
    return (kernel.sum() - kernel.trace()) / (n * (n - 1))
