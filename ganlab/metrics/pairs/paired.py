"""Scores of generated images against the very images that they should be: paired data."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)
from torchmetrics.utilities import dim_zero_cat

from ganlab.data.base import hash_tensors
from ganlab.errors import ConfigError, DataError, one_of
from ganlab.metrics.base import SampleMetric
from ganlab.metrics.pairs.perceptual import Backbone, PerceptualNetwork
from ganlab.modalities import IMAGE
from ganlab.modalities.pixels import normalise

SMALLEST: dict[str, int] = {"alex": 31, "vgg": 16, "squeeze": 17}  # pixels that leave a map


# what is compared with what: how the score's name begins, and its sentence
COMPARISONS = {
    ("samples", "targets"): ("", "Generated images"),
    ("reconstructions", "sources"): ("cycle_", "Images translated there and back"),
    ("sources", "targets"): ("source_", "Sources as they are, compared with their targets,"),
}
Compared = Literal["samples", "sources", "reconstructions"]


class PairedMetric(SampleMetric):
    """Mean over pairs of a comparison of two images, such as the generated one and its target.

    `update(samples, targets)` takes both as uint8 (N, C, H, W) in [0, 255], in the same order. A
    subclass compares them.

    Args:
        of: "samples", or what a translation has besides: "reconstructions", which have been
            translated back (scores begin with "cycle_"), or "sources" ("source_").
        against: "targets", or "sources".

    Raises:
        ConfigError: another comparison.
    """

    inputs = ("samples", "targets")
    compares = False
    fewest = 1
    smallest = 1  # pixels along a side

    def __init__(
        self,
        of: Compared = "samples",
        against: Literal["targets", "sources"] = "targets",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if (of, against) not in COMPARISONS:
            allowed = ", ".join(f"{one} against {other}" for one, other in COMPARISONS)
            raise ConfigError(f"{self.title}: received {of} against {against}; allowed {allowed}.")
        self.inputs = (of, against)
        prefix, self.subject = COMPARISONS[of, against]
        self.scores = tuple(prefix + name for name in type(self).scores)
        self.add_state("values", [], dist_reduce_fx="cat")

    def is_higher_better(self, score: str) -> bool | None:
        """See `SampleMetric`; of sources against targets neither, since no model takes part."""
        return None if self.inputs[0] == "sources" else super().is_higher_better(score)

    def compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        """One value (N,) for each pair of float32 images (N, C, H, W) in [0, 255]."""
        raise NotImplementedError

    def update(self, samples: Tensor, targets: Tensor) -> None:
        """Add generated images and their targets, both uint8 (N, C, H, W) in [0, 255].

        Raises:
            ConfigError: images of another type or of unlike shapes, or too small ones.
        """
        for name, images in (("samples", samples), ("targets", targets)):
            IMAGE.check(images, f"{self.title}: {name}")
        if samples.shape != targets.shape:
            raise ConfigError(
                f"{self.title}: received samples of shape {tuple(samples.shape)} and targets of "
                f"shape {tuple(targets.shape)}; needs the same. Resize one of them."
            )
        if min(samples.shape[2:]) < self.smallest:
            raise ConfigError(
                f"{self.title}: received images of {samples.shape[2]} × {samples.shape[3]}; needs "
                f"{self.smallest} × {self.smallest} or more. Use larger images, or another metric."
            )
        self.values.append(self.compared(samples.float(), targets.float()))

    def compute(self) -> Tensor:
        """The mean over all pairs."""
        return dim_zero_cat(self.values).double().cpu().mean()


class PSNR(PairedMetric):
    """Peak signal-to-noise ratio, 10 log₁₀(255² / mean squared error), in dB.

    It is the mean over the images of each one's own ratio, as the literature on restoration gives
    it; a pair of equal images makes it infinite.
    """

    higher_is_better = True
    scores = ("psnr",)
    title = "PSNR"

    def compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        """The ratio of each pair."""
        return peak_signal_noise_ratio(
            samples, targets, data_range=255.0, reduction="none", dim=(1, 2, 3)
        )

    def settings(self) -> dict[str, Any]:
        """The peak, and what the mean is over."""
        return {"peak": 255, "mean_over": "images"}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the number says."""
        (name,) = self.scores
        return {
            name: f"{self.subject} are {values[name]:.1f} dB above their errors, pixel by pixel "
            "(20 is poor, 40 hardly visible; higher is better)."
        }


class SSIM(PairedMetric):
    """Structural similarity: Wang et al. 2004, with a Gaussian window of 11 pixels and σ 1.5.

    Torchmetrics' own, over images in [0, 255] with K₁ = 0.01 and K₂ = 0.03; the mean over images.
    """

    higher_is_better = True
    scores = ("ssim",)
    title = "SSIM"
    smallest = 11

    def compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        """The similarity of each pair, at most 1."""
        found = structural_similarity_index_measure(
            samples, targets, data_range=255.0, reduction="none"
        )
        return found.view(len(samples))

    def settings(self) -> dict[str, Any]:
        """The window."""
        return {"window": "Gaussian, 11 pixels, sigma 1.5", "data_range": 255}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the number says."""
        (name,) = self.scores
        return {
            name: f"{self.subject} have the local structure that they should have by "
            f"{values[name]:.2f} (1 for equal images; higher is better)."
        }


class LPIPSDistance(nn.Module):
    """Learned perceptual distance of images: Zhang et al. 2018 (arXiv:1801.03924), version 0.1.

    Weighted squared differences of a classifier's normalised maps. The weights of the maps come
    with torchmetrics, those of the classifier from torchvision by a download, or from a file.

    Args:
        network: the classifier, "alex", "vgg" (16) or "squeeze" (1.1).
        weights: a file with torchvision's weights of it, such as alexnet-owt-7be5be79.pth; None
            downloads them once.

    Attributes:
        name: "lpips".
        hash: 16 hex digits of the SHA-256 of all weights.

    Raises:
        ConfigError: another name for the network.
        DataError: the weights are neither there nor to be had, or are of another network.
    """

    name = "lpips"

    def __init__(self, network: Backbone = "alex", weights: str | Path | None = None) -> None:
        super().__init__()
        one_of("lpips.network", network, get_args(Backbone))
        self.network = network
        with torch.random.fork_rng(devices=[]):  # torchvision initialises before it loads
            self.net = _downloaded(network) if weights is None else _loaded(network, Path(weights))
        self.hash = hash_tensors(self.net.named_tensors())[:16]

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Distances (N,) of pairs of images, both float (N, 3, H, W) in [−1, 1]."""
        return self.net(one, other)


class LPIPS(PairedMetric):
    """Mean perceptual distance of generated images to their targets; see `LPIPSDistance`.

    Args:
        network: "alex", "vgg" or "squeeze"; the authors report scores with "alex".
        weights: see `LPIPSDistance`.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
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
        """Read the network, which is downloaded once."""
        if self.distance is None:
            self.distance = LPIPSDistance(self.network, self.weights).to(self.device)

    def compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        """The distance of each pair; one channel is taken for three equal ones."""
        if samples.shape[1] not in (1, 3):
            raise ConfigError(
                f"LPIPS: received images of {samples.shape[1]} channels; needs 1 or 3."
            )
        self.load()
        pair = (normalise(images).expand(-1, 3, -1, -1) for images in (samples, targets))
        return self.distance(*pair)

    def settings(self) -> dict[str, Any]:
        """The network and the hash of its weights."""
        return {"network": self.distance.network, "weights_hash": self.distance.hash}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the number says."""
        (name,) = self.scores
        return {
            name: f"{self.subject} differ to a network's eye by {values[name]:.3f} (0 for equal "
            "images; lower is better)."
        }


def _downloaded(network: str) -> PerceptualNetwork:
    try:
        return PerceptualNetwork(network)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(
            f"lpips.weights: torchvision's weights of {network!r} can neither be found under "
            f"{torch.hub.get_dir()}/checkpoints nor be downloaded ({error}). Download the file "
            "elsewhere and set lpips.weights=PATH."
        ) from error


def _loaded(network: str, path: Path) -> PerceptualNetwork:
    """The network with the weights of a file that holds a state dict of the torchvision model."""
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(
            f"lpips.weights: {path} cannot be read ({str(error).splitlines()[0]}). Give the file "
            "that torchvision downloads, or leave it out to download it."
        ) from error
    made = PerceptualNetwork(network, pretrained=False)
    own = {f"features.{key}": tensor for key, tensor in made.features.state_dict().items()}
    there = tensors if isinstance(tensors, dict) else {}
    wrong = [
        name
        for name, tensor in own.items()
        if not isinstance(there.get(name), Tensor) or there[name].shape != tensor.shape
    ]
    if wrong:
        raise DataError(
            f"lpips.weights: {path} does not hold torchvision's weights of {network!r}: "
            f"{wrong[0]} is missing or has another shape. Give the file of that network."
        )
    for name, tensor in own.items():
        tensor.copy_(there[name])
    return made
