"""Kernel distance between two sets of features."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.metrics.kept import KeptSamples
from ganlab.metrics.memory import DEFAULT_MEMORY
from ganlab.metrics.neighbours import product_tiles
from ganlab.metrics.rows import Rows

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
        # one tensor: small tensors that stay between large ones would keep memory from being reused
        values = torch.empty(self.subsets, dtype=torch.float64)
        for number in range(self.subsets):
            x, y = (
                features.select(
                    torch.from_numpy(random.choice(len(features), self.subset_size, replace=False))
                ).loaded(self.memory // 8)
                for features in (fake, real)
            )
            values[number] = squared_mmd(x, y, self.memory // 2)
        return dict(zip(self.scores, (values.mean(), values.std(correction=0)), strict=True))


def squared_mmd(x: Tensor | Rows, y: Tensor | Rows, memory: int = DEFAULT_MEMORY) -> Tensor:
    """Return an unbiased estimate of the squared MMD of x (n, D) and y (n, D), a float64 scalar.

    The kernel is (x·y / D + 1)³. The estimate is that of lemma 6 in Gretton et al. 2012 (Journal of
    Machine Learning Research 13).

    Args:
        x: features.
        y: as many features.
        memory: bytes for the temporaries.
    """
    n = len(x)
    within, between = _kernel_sum(x, x, memory) + _kernel_sum(y, y, memory), len(x) * len(y)
    return within / (n * (n - 1)) - 2 * _kernel_sum(x, y, memory) / between


def _kernel_sum(x: Tensor | Rows, y: Tensor | Rows, memory: int) -> Tensor:
    """Return the sum of the kernel over all pairs, or over pairs of different rows if x is y."""
    total = torch.zeros((), dtype=torch.float64)
    for rows, columns, tile in product_tiles(x, y, memory=memory, what="kernel distance"):
        tile.div_(x.shape[1]).add_(1).pow_(3)
        total += tile.sum().cpu()
        if x is y and rows == columns:
            total -= tile.trace().cpu()
    return total
