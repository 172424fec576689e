"""Scores that compare each generated image with its target image (paired data)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)
from torchmetrics.utilities import dim_zero_cat

from ganlab.errors import ConfigError, one_of
from ganlab.metrics.base import SampleMetric
from ganlab.metrics.memory import map_in_parts, rows_within
from ganlab.metrics.pairs.perceptual import Backbone, LPIPSDistance
from ganlab.modalities import IMAGE
from ganlab.modalities.pixels import normalise

# smallest side in pixels for which the network's last feature map is not empty
SMALLEST: dict[str, int] = {"alex": 31, "vgg": 16, "squeeze": 17}


_RADIUS = 5  # of the window of SSIM, in pixels
_SSIM_BYTES = 250  # memory that SSIM takes for each value of an image

# (image, image to compare with): (prefix of the score's name, subject of its explanation)
COMPARISONS = {
    ("samples", "targets"): ("", "Compared with their targets, generated images"),
    ("reconstructions", "sources"): (
        "cycle_",
        "Compared with the originals, images translated to the other domain and back",
    ),
    ("sources", "targets"): ("source_", "Compared with their targets, untranslated sources"),
}
Compared = Literal["samples", "sources", "reconstructions"]


class PairedMetric(SampleMetric):
    """Mean of a comparison over pairs of images, such as a generated image and its target.

    A subclass implements the comparison, `compared`.

    Args:
        of: "samples", or for translations also "reconstructions" (sources translated to the
            other domain and back) or "sources" (not translated).
        against: "targets" for samples and sources, "sources" for reconstructions. Score names
            begin with "cycle_" for reconstructions and with "source_" for sources.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: these images cannot be compared.
    """

    inputs = ("samples", "targets")
    uses_real = False
    min_samples = 1
    smallest = 1  # pixels along a side

    def __init__(
        self,
        of: Compared = "samples",
        against: Literal["targets", "sources"] = "targets",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if (of, against) not in COMPARISONS:
            allowed = ", ".join(f"{first} against {second}" for first, second in COMPARISONS)
            raise ConfigError(f"{self.title}: received {of} against {against}; allowed {allowed}.")
        self.inputs = (of, against)
        prefix, self.subject = COMPARISONS[of, against]
        self.scores = tuple(prefix + name for name in type(self).scores)
        self.add_state("values", [], dist_reduce_fx="cat")

    def is_higher_better(self, score: str) -> bool | None:
        """Whether a higher score is better; None for sources, which no model has changed."""
        return None if self.inputs[0] == "sources" else super().is_higher_better(score)

    def compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        """Return a value (N,) for each pair of float32 images (N, C, H, W) in [0, 255]."""
        raise NotImplementedError

    def update(self, samples: Tensor, targets: Tensor) -> None:
        """Add images and their partners in the same order, both uint8 (N, C, H, W) in [0, 255].

        Raises:
            ConfigError: the images have another type, unequal shapes, or are too small.
        """
        for name, images in (("samples", samples), ("targets", targets)):
            IMAGE.check(images, f"{self.title}: {name}")
        if samples.shape != targets.shape:
            raise ConfigError(
                f"{self.title}: received samples of shape {tuple(samples.shape)} and targets of "
                f"shape {tuple(targets.shape)}; needs equal shapes. Resize one of them."
            )
        if min(samples.shape[2:]) < self.smallest:
            raise ConfigError(
                f"{self.title}: received images of {samples.shape[2]} × {samples.shape[3]}; needs "
                f"{self.smallest} × {self.smallest} or more. Use larger images, or another metric."
            )
        what = f"{self.title} of one pair of images"
        values = map_in_parts(self._compared, samples, targets, memory=self.memory, what=what)
        self.values.append(values)

    def _compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        return self.compared(samples.float(), targets.float()).cpu()

    def compute(self) -> Tensor:
        """Return the mean over all pairs, float64."""
        return dim_zero_cat(self.values).double().cpu().mean()


class PSNR(PairedMetric):
    """Peak signal-to-noise ratio, 10 log₁₀(255² / mean squared error), in dB.

    The ratio is computed for each image, then averaged over images, as in the literature on image
    restoration. A single pair of equal images makes the mean infinite.
    """

    higher_is_better = True
    scores = ("psnr",)
    title = "PSNR"

    def compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        """Return the ratio (N,) of each pair."""
        return peak_signal_noise_ratio(
            samples, targets, data_range=255.0, reduction="none", dim=(1, 2, 3)
        )

    def settings(self) -> dict[str, Any]:
        """Return the peak, and what the mean is taken over."""
        return {"peak": 255, "mean_over": "images"}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the score."""
        (name,) = self.scores
        return {
            name: f"{self.subject} have a peak signal-to-noise ratio of {values[name]:.1f} dB "
            "(20: poor, 40: errors hardly visible; higher is better)."
        }


class SSIM(PairedMetric):
    """Structural similarity: Wang et al. 2004, with a Gaussian window of 11 pixels and σ 1.5.

    Torchmetrics computes it, for images in [0, 255] with K₁ = 0.01 and K₂ = 0.03. The score is the
    mean over images.
    """

    higher_is_better = True
    scores = ("ssim",)
    title = "SSIM"
    smallest = 11

    def compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        """Return the similarity (N,) of each pair, at most 1.

        Images that would take too much memory are compared in strips of rows, which overlap so
        that the windows see the neighbouring rows.
        """
        width, height = samples.shape[1] * samples.shape[3], samples.shape[2]
        rows = max(rows_within(self.memory // 2, _SSIM_BYTES * width) - 2 * _RADIUS, 2 * _RADIUS)
        total = samples.new_zeros(len(samples), dtype=torch.float64)
        for first in range(0, height, rows):
            stop = min(first + rows, height)
            strip = slice(max(first - _RADIUS, 0), stop + _RADIUS)
            _, similarity = structural_similarity_index_measure(
                samples[:, :, strip],
                targets[:, :, strip],
                data_range=255.0,
                reduction="none",
                return_full_image=True,
            )
            total += (
                similarity[:, :, first - strip.start : stop - strip.start].double().sum((1, 2, 3))
            )
        return total / samples[0].numel()

    def settings(self) -> dict[str, Any]:
        """Return the window and the range of the pixels."""
        return {"window": "Gaussian, 11 pixels, sigma 1.5", "data_range": 255}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the score."""
        (name,) = self.scores
        return {
            name: f"{self.subject} have a structural similarity of {values[name]:.2f} (1 for "
            "equal images; higher is better)."
        }


class LPIPS(PairedMetric):
    """Mean perceptual distance of generated images to their targets; see `LPIPSDistance`.

    Args:
        network: "alex", "vgg" or "squeeze"; the authors report scores with "alex".
        weights: see `LPIPSDistance`.
        **options: options of `PairedMetric`.
    """

    higher_is_better = False
    scores = ("lpips",)
    title = "LPIPS"

    def __init__(
        self,
        network: Backbone = "alex",
        weights: str | Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.network, self.weights = one_of("network", network, SMALLEST), weights
        self.smallest = SMALLEST[network]
        self.distance: LPIPSDistance | None = None

    def load(self) -> None:
        """Load the network; its weights are downloaded once."""
        if self.distance is None:
            self.distance = LPIPSDistance(self.network, self.weights).to(self.device)

    def compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        """Return the distance (N,) of each pair; a grey channel is repeated to three channels."""
        if samples.shape[1] not in (1, 3):
            raise ConfigError(
                f"LPIPS: received images of {samples.shape[1]} channels; needs 1 or 3 channels."
            )
        self.load()
        pair = (normalise(images).expand(-1, 3, -1, -1) for images in (samples, targets))
        return self.distance(*pair)

    def settings(self) -> dict[str, Any]:
        """Return the network and the hash of its weights."""
        return {"network": self.distance.network, "weights_hash": self.distance.hash}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the score."""
        (name,) = self.scores
        return {
            name: f"{self.subject} have a perceptual distance of {values[name]:.3f} by a "
            "network's features (0 for equal images; lower is better)."
        }
