"""Which modes of a known distribution a generator finds, and how well it hits them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganlab.data.base import hash_tensors
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, SampleMetric
from ganlab.metrics.features.digits import DigitFeatures
from ganlab.modalities import IMAGE


class ModeCoverage(SampleMetric):
    """Modes found, and share of samples near one.

    A sample is of high quality within `radius` standard deviations of its nearest mean
    (Srivastava et al. 2017, arXiv:1705.07761, section 4.1); a mode is found when at least
    `share` of all samples are of high quality there (20 of 10,000 by default).

    Args:
        means: (modes, D); `bind` takes them from the data unless given.
        sigma: standard deviation of each mode, > 0; as `means`.
        radius: in standard deviations.
        share: of all samples, that makes a mode count.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
    """

    inputs = ("samples",)
    compares = False
    higher_is_better = True
    others_higher = {"high_quality": True}
    scores = ("modes", "high_quality")
    title = "mode coverage"
    instead = "data with fewer modes"

    def __init__(
        self,
        means: Tensor | None = None,
        sigma: float | None = None,
        radius: float = 3.0,
        share: float = 0.002,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.radius, self.share = radius, share
        if (means is None) != (sigma is None):
            raise ConfigError(
                "ModeCoverage: means and sigma belong together; received one alone. Give both, or "
                "neither to take the data's."
            )
        self.is_given = means is not None
        if means is not None:
            self._allocate(means, sigma)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take means and sigma from the data.

        Raises:
            ConfigError: the data has none, and none were given.
        """
        if self.is_given:
            return
        if not hasattr(data, "means"):
            raise ConfigError(
                f"{self.title}: modes are counted where the data knows their means (data=ring, "
                f"data=grid); {data.title} does not. Choose such data."
            )
        self._allocate(data.means, data.sigma)

    def _allocate(self, means: Tensor, sigma: float) -> None:
        self.register_buffer("means", means.float().clone(), persistent=False)
        self.sigma, self.fewest = sigma, max(2, len(means))
        self.add_state("hits", torch.zeros(len(means), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, points: Tensor) -> None:
        """Add generated points (N, D)."""
        distance, mode = torch.cdist(points.float(), self.means).min(dim=1)
        near = mode[distance <= self.radius * self.sigma]
        self.hits += torch.bincount(near, minlength=len(self.means))
        self.total += len(points)

    def compute(self) -> dict[str, Tensor]:
        """`modes` found and `high_quality` share in [0, 1]."""
        hits, total = self.hits.double().cpu(), self.total.clamp(min=1).cpu()
        # float32 misses 100 of 50,000
        return {"modes": (hits / total >= self.share).sum(), "high_quality": hits.sum() / total}

    def settings(self) -> dict[str, Any]:
        """What makes a sample good and a mode found."""
        return {
            "modes": len(self.means),
            "means_hash": hash_tensors({"means": self.means})[:16],
            "sigma": self.sigma,
            "radius_in_sigma": self.radius,
            "share_that_counts": self.share,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """How many of the modes, and how many of the points."""
        return {
            "modes": f"{values['modes']:.0f} of the {len(self.means)} modes found.",
            "high_quality": f"{values['high_quality']:.0%} of the points lie within "
            f"{self.radius:g} standard deviations of a mode.",
        }


class StackedModes(SampleMetric):
    """Modes of Stacked MNIST: three digits in the three channels, 1,000 classes in all.

    Metz et al. 2017 (arXiv:1611.02163) classify each channel, count the classes that appear among
    the generated samples, and take the Kullback-Leibler divergence of their distribution to that
    of the data, here the uniform one, in nats. PacGAN (Lin et al. 2018, arXiv:1712.04086) and
    others after it generate 26,000 samples. Both scores depend on that number: even a perfect
    generator is at about 999 / (2 · samples).

    Args:
        weights: of another digit classifier, see `DigitFeatures`.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
    """

    inputs = ("samples",)
    compares = False
    higher_is_better = True
    others_higher = {"stacked_kl": False}
    scores = ("stacked_modes", "stacked_kl")
    title = "modes of Stacked MNIST"
    fewest = 10_000
    instead = "mode coverage on data=grid, which has 25 modes"

    def __init__(self, weights: str | Path | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.digits = DigitFeatures(weights)
        self.add_state("counts", torch.zeros(1000, dtype=torch.long), dist_reduce_fx="sum")

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Raise a ConfigError for data that has no three channels."""
        if data.modality is not IMAGE or data.shape[0] != 3:
            raise ConfigError(
                f"{self.title}: needs images of three channels, a digit in each; {data.title} has "
                f"samples of shape {tuple(data.shape)}. Choose such data."
            )

    def update(self, samples: Tensor) -> None:
        """Add generated images (N, 3, H, W), uint8 in [0, 255].

        Raises:
            ConfigError: images of another number of channels.
        """
        if not IMAGE.is_raw(samples) or samples.shape[1] != 3:
            raise ConfigError(
                f"{self.title}: received samples of shape {tuple(samples.shape)}; needs "
                "(N, 3, H, W), a digit in each channel."
            )
        for images in samples.split(1000):
            found = self.digits(images.flatten(0, 1).unsqueeze(1))[1].argmax(1).view(-1, 3)
            classes = found[:, 0] * 100 + found[:, 1] * 10 + found[:, 2]
            self.counts += torch.bincount(classes, minlength=1000)

    def compute(self) -> dict[str, Tensor]:
        """`stacked_modes` in 0 … 1,000, and `stacked_kl` in [0, log 1,000] nats."""
        counts = self.counts.double().cpu()
        shares = counts / counts.sum().clamp(min=1)
        divergence = torch.special.xlogy(shares, shares * len(shares)).sum()
        return {"stacked_modes": (counts > 0).sum(), "stacked_kl": divergence}

    def settings(self) -> dict[str, Any]:
        """What classifies the digits, and what the divergence is to."""
        return self.digits.described() | {"reference": "uniform over 1,000 classes"}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """How many of the classes, and how evenly."""
        return {
            "stacked_modes": f"{values['stacked_modes']:,.0f} of the 1,000 triples of digits "
            "appear.",
            "stacked_kl": f"The triples are {values['stacked_kl']:.2f} nats away from being "
            f"equally frequent (0 is best; a single one would be at {math.log(1000):.1f}).",
        }
