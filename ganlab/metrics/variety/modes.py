"""How many modes of a known distribution a generator covers, and how well it hits them."""

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
from ganlab.metrics.memory import in_parts, rows_within
from ganlab.modalities import IMAGE


class ModeCoverage(SampleMetric):
    """Number of modes found, and share of samples near a mode.

    A sample has high quality if it lies within `radius` standard deviations of its nearest mode
    (Srivastava et al. 2017, arXiv:1705.07761, section 4.1). A mode is found if at least `share` of
    all samples have high quality and are nearest to it (20 of 10,000 by default).

    Args:
        means: centres of the modes (modes, D); None if `bind` will take them from the data.
        sigma: standard deviation of each mode, > 0; None if and only if `means` is None.
        radius: largest distance of a high-quality sample from its mode, in standard deviations.
        share: smallest share of all samples at which a mode counts as found.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: only one of `means` and `sigma` is given.
    """

    inputs = ("samples",)
    uses_real = False
    higher_is_better = True
    other_higher_is_better = {"high_quality": True}
    scores = ("modes", "high_quality")
    title = "mode coverage"
    alternative = "data with fewer modes"

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
                "ModeCoverage: received only one of means and sigma. Give both, or give neither "
                "to take the means and sigma of the data."
            )
        self.is_given = means is not None
        if means is not None:
            self._allocate(means, sigma)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take means and sigma from the data, unless the constructor got them.

        Raises:
            ConfigError: neither the constructor nor the data has means.
        """
        if self.is_given:
            return
        if not hasattr(data, "means"):
            raise ConfigError(
                f"{self.title}: needs data with known means of its modes (data=ring, data=grid); "
                f"{data.title} has none. Choose such data."
            )
        self._allocate(data.means, data.sigma)

    def _allocate(self, means: Tensor, sigma: float) -> None:
        self.register_buffer("means", means.float().clone(), persistent=False)
        self.sigma, self.min_samples = sigma, max(2, len(means))
        self.add_state("hits", torch.zeros(len(means), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, points: Tensor) -> None:
        """Add generated points (N, D)."""
        # two copies of the distances of a point to all means
        for part in points.split(rows_within(self.memory, 8 * len(self.means))):
            distance, mode = torch.cdist(part.float(), self.means).min(dim=1)
            near = mode[distance <= self.radius * self.sigma]
            self.hits += torch.bincount(near, minlength=len(self.means))
        self.total += len(points)

    def compute(self) -> dict[str, Tensor]:
        """Return `modes`, the number found, and `high_quality`, a share in [0, 1]."""
        hits, total = self.hits.double().cpu(), self.total.clamp(min=1).cpu()
        # in float32, 100 of 50,000 would be below a share of 0.002
        return {"modes": (hits / total >= self.share).sum(), "high_quality": hits.sum() / total}

    def settings(self) -> dict[str, Any]:
        """Return the modes, and the limits for high quality and for a found mode."""
        return {
            "modes": len(self.means),
            "means_hash": hash_tensors({"means": self.means})[:16],
            "sigma": self.sigma,
            "radius_in_sigma": self.radius,
            "share_that_counts": self.share,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain how many modes are found, and how many points lie near a mode."""
        return {
            "modes": f"{values['modes']:.0f} of the {len(self.means)} modes found.",
            "high_quality": f"{values['high_quality']:.0%} of the points lie within "
            f"{self.radius:g} standard deviations of a mode.",
        }


class StackedModes(SampleMetric):
    """Modes of Stacked MNIST: a digit in each of three channels, so 1,000 classes.

    Metz et al. 2017 (arXiv:1611.02163) classify each channel, and count the classes that appear
    among the generated samples. `stacked_kl` is the Kullback-Leibler divergence, in nats, of the
    samples' class distribution from that of the data, here the uniform distribution. PacGAN (Lin
    et al. 2018, arXiv:1712.04086) and later papers generate 26,000 samples. Both scores depend on
    the number of samples: even a perfect generator has a divergence of about 999 / (2 · samples).

    Args:
        weights: file with other weights of the digit classifier; None as in `DigitFeatures`.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.
    """

    inputs = ("samples",)
    uses_real = False
    higher_is_better = True
    other_higher_is_better = {"stacked_kl": False}
    scores = ("stacked_modes", "stacked_kl")
    title = "modes of Stacked MNIST"
    min_samples = 10_000
    alternative = "mode coverage on data=grid, which has 25 modes"

    def __init__(self, weights: str | Path | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.digits = DigitFeatures(weights)
        self.add_state("counts", torch.zeros(1000, dtype=torch.long), dist_reduce_fx="sum")

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Raise a ConfigError unless the data are images of three channels."""
        if data.modality is not IMAGE or data.shape[0] != 3:
            raise ConfigError(
                f"{self.title}: needs images of three channels, a digit in each; {data.title} has "
                f"examples of shape {tuple(data.shape)}. Choose such data."
            )

    def update(self, samples: Tensor) -> None:
        """Add generated images (N, 3, H, W), uint8 in [0, 255].

        Raises:
            ConfigError: the images have another type or number of channels.
        """
        if not IMAGE.is_raw(samples) or samples.shape[1] != 3:
            raise ConfigError(
                f"{self.title}: received samples of shape {tuple(samples.shape)}; needs "
                "(N, 3, H, W), a digit in each channel."
            )

        def classes_of(images: Tensor) -> Tensor:
            digits = self.digits(images.flatten(0, 1).unsqueeze(1))[1].argmax(1).view(-1, 3)
            return digits[:, 0] * 100 + digits[:, 1] * 10 + digits[:, 2]

        what = "classifying one image"
        for classes in in_parts(classes_of, samples, memory=self.memory, what=what):
            self.counts += torch.bincount(classes, minlength=1000)

    def compute(self) -> dict[str, Tensor]:
        """Return `stacked_modes` in 0 … 1,000 and `stacked_kl` in [0, log 1,000] nats."""
        counts = self.counts.double().cpu()
        shares = counts / counts.sum().clamp(min=1)
        divergence = torch.special.xlogy(shares, shares * len(shares)).sum()
        return {"stacked_modes": (counts > 0).sum(), "stacked_kl": divergence}

    def settings(self) -> dict[str, Any]:
        """Return the digit classifier, and the reference of the divergence."""
        return self.digits.protocol_entries() | {"reference": "uniform over 1,000 classes"}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain how many classes appear, and how evenly."""
        return {
            "stacked_modes": f"{values['stacked_modes']:,.0f} of the 1,000 triples of digits "
            "appear.",
            "stacked_kl": f"The triples are {values['stacked_kl']:.2f} nats away from being "
            f"equally frequent (0 is best; a single triple would have {math.log(1000):.1f}).",
        }
