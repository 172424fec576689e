"""How generated samples and real examples spread over the same bins."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.kept import KeptFeaturesOrSamples
from ganlab.metrics.memory import DEFAULT_MEMORY, rows_within
from ganlab.metrics.rows import Rows
from ganlab.modalities import of_raw


class BinnedProportions(KeptFeaturesOrSamples):
    """Number of statistically different bins (NDB), and Jensen-Shannon divergence (JSD).

    Richardson and Weiss 2018 (arXiv:1805.12462). k-means clusters the real examples into `bins`.
    Every example and every generated sample goes to the bin of its nearest centre. A bin is
    statistically different if the shares of examples and of samples in it differ in a two-sided
    two-proportion z-test of level `alpha`. `ndb_share` is the share of such bins: about `alpha` for
    equal distributions. `binned_jsd` is the Jensen-Shannon divergence of the two histograms in
    nats, at most ln 2. More samples make the test more sensitive, so scores are only comparable for
    equal numbers of samples.

    Args:
        bins: K, the number of bins.
        alpha: level of the test, in (0, 1).
        on: "features" of the protocol's extractor, or "samples": pixels in [0, 1], or points.
        iterations: largest number of iterations of k-means, which stops earlier if no example
            changes its bin.
        seed: seed of the initial centres.
        most: largest number of real examples, and of samples, to use.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: an argument is out of its range.
    """

    scores = ("ndb_share", "binned_jsd")
    higher_is_better = False
    other_higher_is_better = {"binned_jsd": False}
    alternative = "precision and recall, or fewer bins"

    def __init__(
        self,
        bins: int = 100,
        alpha: float = 0.05,
        on: Literal["features", "samples"] = "features",
        iterations: int = 50,
        seed: int = 0,
        most: int = 50_000,
        **options: Any,
    ) -> None:
        super().__init__(on, most, seed, **options)
        if bins < 2 or iterations < 1 or not 0 < alpha < 1:
            raise ConfigError(
                f"BinnedProportions: received bins={bins}, iterations={iterations}, alpha={alpha}; "
                "needs 2 bins or more, 1 iteration or more, and alpha in (0, 1)."
            )
        self.bins, self.alpha, self.iterations = bins, alpha, iterations
        self.title = f"bins of {on}"
        self.min_samples = 10 * bins  # the test's normal approximation then holds in most bins

    def settings(self) -> dict[str, Any]:
        """Return the bins, the level of the test and the seed."""
        return {
            "bins": self.bins,
            "alpha": self.alpha,
            "on": self.on,
            "iterations_at_most": self.iterations,
            "metric_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain both scores."""
        return {
            "ndb_share": f"In {values['ndb_share']:.0%} of {self.bins} bins there are too many or "
            f"too few generated samples (by chance alone: about {self.alpha:.0%}). Missing modes "
            "raise this share.",
            "binned_jsd": f"The histograms over these bins differ by {values['binned_jsd']:.3f} "
            f"(0: equal, {math.log(2):.2f}: nothing in common).",
        }

    def compute(self) -> dict[str, Tensor]:
        """Return `ndb_share` in [0, 1] and `binned_jsd` in [0, ln 2], float64."""
        real, fake = self.histograms()
        different = different_proportions(real, fake, self.alpha)
        return {
            "ndb_share": different.double().mean(),
            "binned_jsd": jensen_shannon(real / real.sum(), fake / fake.sum()),
        }

    def histograms(self) -> tuple[Tensor, Tensor]:
        """Return counts (bins,) of real examples and of samples, float64 on the CPU."""
        real, fake = self.kept("real"), self.kept("fake")
        rng = torch.Generator().manual_seed(mix(self.seed))
        centres = k_means(real, self.bins, rng, self.iterations, self.memory)
        counts = (
            torch.bincount(nearest_centre(x, centres, self.memory), minlength=self.bins)
            for x in (real, fake)
        )
        return tuple(count.double().cpu() for count in counts)


def different_proportions(first: Tensor, second: Tensor, alpha: float) -> Tensor:
    """Return bool (K,): in which bins two histograms (K,) differ, by a two-proportion z-test."""
    n, m = first.sum(), second.sum()
    pooled = (first + second) / (n + m)
    error = (pooled * (1 - pooled) * (1 / n + 1 / m)).sqrt()
    critical = math.sqrt(2) * torch.special.erfinv(torch.tensor(1 - alpha, dtype=torch.float64))
    return (first / n - second / m).abs() > critical * error


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of two distributions (K,), in nats."""
    middle = (p + q) / 2
    return (torch.xlogy(p, p) + torch.xlogy(q, q)).sum() / 2 - torch.xlogy(middle, middle).sum()


def k_means(
    samples: Tensor | Rows,
    bins: int,
    rng: torch.Generator,
    iterations: int,
    memory: int = DEFAULT_MEMORY,
) -> Tensor:
    """Return the centres (bins, D), float32, of the clusters of the samples.

    Lloyd's algorithm, initialised by k-means++ (Arthur and Vassilvitskii 2007). A centre that
    loses all its samples stays where it is.

    Args:
        samples: uint8 (N, …), which is scaled to [0, 1], or float (N, …).
        bins: number of centres.
        rng: random generator on the CPU.
        iterations: largest number of iterations.
        memory: bytes for the temporaries.

    Raises:
        ConfigError: there are fewer distinct samples than bins.
    """
    size = _rows_at_once(samples, bins, memory)
    centres = _first_centres(samples, bins, rng, size)
    previous = None
    for _ in range(iterations):
        bin_of = nearest_centre(samples, centres, memory)
        if previous is not None and torch.equal(bin_of, previous):
            break
        previous, sums = bin_of, torch.zeros_like(centres)
        for part, chosen in zip(samples.split(size), bin_of.split(size), strict=True):
            sums.index_add_(0, chosen, _rows(part))
        counts = torch.bincount(bin_of, minlength=bins)[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres


def nearest_centre(samples: Tensor | Rows, centres: Tensor, memory: int = DEFAULT_MEMORY) -> Tensor:
    """Return the index (N,) of the centre (K, D) nearest to each sample (N, …).

    The temporaries take up to `memory` bytes.
    """
    shift = centres.mean(0)  # keeps products small if all samples lie far from 0
    centres = centres - shift
    half = centres.square().sum(1) / 2  # argmin ‖x − c‖² = argmax x·c − ‖c‖² / 2
    parts = samples.split(_rows_at_once(samples, len(centres), memory))
    return torch.cat([((_rows(x) - shift) @ centres.T - half).argmax(1) for x in parts])


def _rows_at_once(samples: Tensor | Rows, bins: int, memory: int) -> int:
    """Return how many rows are compared with all centres at once."""
    width = samples.shape[1:].numel()
    # three copies of a row, of which one may be read from disk, and its products with the centres
    return rows_within(memory - 16 * bins * width, 4 * (4 * width + 3 * bins))


def _first_centres(samples: Tensor | Rows, bins: int, rng: torch.Generator, size: int) -> Tensor:
    """Return the initial centres (bins, D) of k-means++; `size` samples are compared at once."""
    chosen = [int(torch.randint(len(samples), (), generator=rng))]
    squared = torch.full((len(samples),), torch.inf)
    while len(chosen) < bins:
        centre = _rows(samples[torch.tensor(chosen[-1:])])
        parts = [(_rows(part) - centre).square_().sum(1) for part in samples.split(size)]
        squared = torch.minimum(squared, torch.cat(parts).cpu())
        total = squared.double().cumsum(0)
        if total[-1] == 0:
            raise ConfigError(
                f"BinnedProportions: received {len(chosen)} distinct real examples for {bins} "
                f"bins; needs {bins} or more. Choose fewer bins."
            )
        level = torch.rand((), generator=rng, dtype=torch.float64) * total[-1]
        chosen.append(int(torch.searchsorted(total, level, right=True).clamp(max=len(total) - 1)))
    return _rows(samples[torch.tensor(chosen, device=samples.device)])


def _rows(samples: Tensor) -> Tensor:
    return samples.flatten(1).float() / of_raw(samples).span
