"""Whether generated samples fall into the bins of the real ones in the same proportions."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.kept import KeptOnEither
from ganlab.modalities import of_raw

_CHUNK = 4096  # samples compared with all centres at once


class BinnedProportions(KeptOnEither):
    """NDB and JSD of Richardson and Weiss 2018 (arXiv:1805.12462).

    The real samples are clustered by k-means into `bins`, and every sample goes to its nearest
    centre. A bin is statistically different where the shares of real and of generated samples
    differ in a two-sided two-proportion z-test of level `alpha`. `ndb_share` is the share of such
    bins: about `alpha` for samples of the same distribution. `binned_jsd` is the Jensen-Shannon
    divergence of the two histograms in nats, at most ln 2. More samples find smaller differences,
    so only scores with the same numbers of samples can be compared.

    Args:
        bins: K.
        alpha: of the test, in (0, 1).
        on: "features" of the protocol's extractor, or "samples": pixels in [0, 1], or points.
        iterations: of k-means at most; it ends earlier when no sample changes its bin.
        seed: of the first centres.
        most: samples of either kind that are kept.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: an argument is out of its range.
    """

    scores = ("ndb_share", "binned_jsd")
    higher_is_better = False
    others_higher = {"binned_jsd": False}
    instead = "precision and recall, or fewer bins"

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
        self.fewest = 10 * bins  # so that the test's normal approximation holds in most bins

    def settings(self) -> dict[str, Any]:
        """Bins, level of the test and seed."""
        return {
            "bins": self.bins,
            "alpha": self.alpha,
            "on": self.on,
            "iterations_at_most": self.iterations,
            "metric_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the numbers mean."""
        return {
            "ndb_share": f"In {values['ndb_share']:.0%} of {self.bins} kinds of samples the "
            "generated ones are too many or too few; chance alone gives about "
            f"{self.alpha:.0%}, and missing modes show here.",
            "binned_jsd": f"The histograms over these kinds differ by {values['binned_jsd']:.3f} "
            f"(0 is equal, {math.log(2):.2f} is nothing in common).",
        }

    def compute(self) -> dict[str, Tensor]:
        """`ndb_share` in [0, 1] and `binned_jsd` in [0, ln 2], float64."""
        real, fake = self.histograms()
        different = different_proportions(real, fake, self.alpha)
        return {
            "ndb_share": different.double().mean(),
            "binned_jsd": jensen_shannon(real / real.sum(), fake / fake.sum()),
        }

    def histograms(self) -> tuple[Tensor, Tensor]:
        """Counts (bins,) of real and of generated samples, float64 on the CPU."""
        real, fake = self.kept("real"), self.kept("fake")
        rng = torch.Generator().manual_seed(mix(self.seed))
        centres = k_means(real, self.bins, rng, self.iterations)
        counts = (
            torch.bincount(nearest_centre(x, centres), minlength=self.bins) for x in (real, fake)
        )
        return tuple(count.double().cpu() for count in counts)


def different_proportions(first: Tensor, second: Tensor, alpha: float) -> Tensor:
    """Bins (K,) bool in which two histograms of counts (K,) differ, by a two-proportion z-test."""
    n, m = first.sum(), second.sum()
    pooled = (first + second) / (n + m)
    error = (pooled * (1 - pooled) * (1 / n + 1 / m)).sqrt()
    critical = math.sqrt(2) * torch.special.erfinv(torch.tensor(1 - alpha, dtype=torch.float64))
    return (first / n - second / m).abs() > critical * error


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two distributions (K,), in nats."""
    middle = (p + q) / 2
    return (torch.xlogy(p, p) + torch.xlogy(q, q)).sum() / 2 - torch.xlogy(middle, middle).sum()


def k_means(samples: Tensor, bins: int, rng: torch.Generator, iterations: int) -> Tensor:
    """Centres (bins, D), float32, by Lloyd's algorithm from k-means++ (Arthur, Vassilvitskii 2007).

    A centre that loses all its samples stays where it is.

    Args:
        samples: (N, …), bytes scaled to [0, 1], or float.
        bins: how many centres.
        rng: on the CPU.
        iterations: at most.

    Raises:
        ConfigError: fewer distinct samples than bins.
    """
    centres = _first_centres(samples, bins, rng)
    before = None
    for _ in range(iterations):
        bin_of = nearest_centre(samples, centres)
        if before is not None and torch.equal(bin_of, before):
            break
        before, sums = bin_of, torch.zeros_like(centres)
        for part, chosen in zip(samples.split(_CHUNK), bin_of.split(_CHUNK), strict=True):
            sums.index_add_(0, chosen, _rows(part))
        counts = torch.bincount(bin_of, minlength=bins)[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres


def nearest_centre(samples: Tensor, centres: Tensor) -> Tensor:
    """Index (N,) of the nearest of centres (K, D), for samples (N, …)."""
    shift = centres.mean(0)  # keeps products small where all samples lie far from 0
    centres = centres - shift
    half = centres.square().sum(1) / 2  # ‖x‖² is the same for all centres
    parts = [((_rows(x) - shift) @ centres.T - half).argmax(1) for x in samples.split(_CHUNK)]
    return torch.cat(parts)


def _first_centres(samples: Tensor, bins: int, rng: torch.Generator) -> Tensor:
    chosen = [int(torch.randint(len(samples), (), generator=rng))]
    squared = torch.full((len(samples),), torch.inf)
    while len(chosen) < bins:
        centre = _rows(samples[chosen[-1]][None])
        parts = [(_rows(part) - centre).square().sum(1) for part in samples.split(_CHUNK)]
        squared = torch.minimum(squared, torch.cat(parts).cpu())
        total = squared.double().cumsum(0)
        if total[-1] == 0:
            raise ConfigError(
                f"BinnedProportions: {len(chosen)} distinct real samples for {bins} bins; needs as "
                "many as bins. Choose fewer bins."
            )
        at = torch.rand((), generator=rng, dtype=torch.float64) * total[-1]
        chosen.append(int(torch.searchsorted(total, at, right=True).clamp(max=len(total) - 1)))
    return _rows(samples[torch.tensor(chosen, device=samples.device)])


def _rows(samples: Tensor) -> Tensor:
    return samples.flatten(1).float() / of_raw(samples).span
