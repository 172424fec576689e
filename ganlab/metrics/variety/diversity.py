"""How much generated samples differ from one another, beside real ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor
from ganlab.metrics.kept import KeptSamples
from ganlab.modalities import IMAGE

BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli and Bovik 2003
_KERNEL = 11
_BATCH = 250  # pairs compared at once


def random_pairs(n: int, pairs: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Indices (pairs,) of first and second partners, never the same sample; n is 2 or more."""
    first = torch.randint(n, (pairs,), generator=rng)
    return first, (first + torch.randint(1, n, (pairs,), generator=rng)) % n


def random_pairs_within(labels: Tensor, pairs: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """As `random_pairs`, both partners of one class, classes as frequent as in labels (N,).

    Raises:
        ConfigError: no class has two samples.
    """
    order = labels.cpu().argsort(stable=True)
    _, where, counts = labels.cpu()[order].unique_consecutive(
        return_inverse=True, return_counts=True
    )
    begins = counts.cumsum(0) - counts
    usable = (counts[where] > 1).nonzero().flatten()  # positions in `order`
    if not len(usable):
        raise ConfigError(
            f"MSSSIMDiversity: no two of {len(labels)} samples share a class. Give more samples, "
            "or take pairs of any classes (within_class=false)."
        )
    first = usable[torch.randint(len(usable), (pairs,), generator=rng)]
    begin, count = begins[where[first]], counts[where[first]]
    steps = 1 + (torch.rand(pairs, generator=rng) * (count - 1)).long()
    return order[first], order[begin + (first - begin + steps) % count]


class MSSSIMDiversity(KeptSamples):
    """Mean MS-SSIM of random pairs of generated images, and of real ones for comparison.

    Odena et al. 2017 (arXiv:1610.09585): pairs of one class; 1 means that all images are alike.
    Diversity is lost where the generated value lies above the real one. MS-SSIM of Wang, Simoncelli
    and Bovik 2003 has five scales; smaller images (below 176 pixels) take fewer, whose weights are
    divided by their sum, so that values of unlike image sizes cannot be compared.

    Args:
        pairs: of either kind.
        within_class: pairs share a label; needs labels of both kinds of samples.
        seed: of the pairs.
        most: images of either kind that are kept, as bytes, to choose from.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: fewer than one pair.
    """

    inputs = ("samples",)
    scores = ("ms_ssim", "ms_ssim_real")
    title = "MS-SSIM of pairs"
    higher_is_better = False
    fewest = 100
    instead = "pairwise_distance_ratio"

    def __init__(
        self,
        pairs: int = 1000,
        within_class: bool = False,
        seed: int = 0,
        most: int = 16_384,
        **options: Any,
    ) -> None:
        super().__init__(most, seed, **options)
        _check_pairs(self, pairs)
        self.pairs, self.within_class = pairs, within_class
        self.betas: tuple[float, ...] = ()
        if within_class:
            self.inputs = ("samples", "labels")

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Choose the scales by the size of the images.

        Raises:
            ConfigError: the data are points, or images below 11 pixels.
        """
        shape = tuple(data.shape)
        if data.modality is not IMAGE:
            raise ConfigError(
                f"{self.title}: the data have shape {shape}; needs images (C, H, W). For points "
                "use pairwise_distance_ratio."
            )
        self.betas = scale_weights(min(shape[1:]))

    def update(self, samples: Tensor, labels: Tensor | None = None, *, real: bool) -> None:
        """Add images uint8 (N, C, H, W), and labels (N,) if pairs are `within_class`."""
        IMAGE.check(samples, "MSSSIMDiversity")
        if self.within_class and (labels is None or len(labels) != len(samples)):
            raise ConfigError(
                f"MSSSIMDiversity: received {'no' if labels is None else len(labels)} labels for "
                f"{len(samples)} images; needs one each, or within_class=false."
            )
        self.keep(samples, real, labels)

    def settings(self) -> dict[str, Any]:
        """Pairs, and the weights of the scales."""
        return {
            "pairs": self.pairs,
            "pairs_within_class": self.within_class,
            "scales": len(self.betas),
            "scale_weights": [round(beta, 4) for beta in self.betas],
            "metric_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the numbers mean."""
        fake, real = values["ms_ssim"], values["ms_ssim_real"]
        verdict = (
            "the generated images are more alike: diversity is lost."
            if fake > real + 0.05
            else "the generated images are about as diverse, or more."
        )
        return {
            "ms_ssim": f"Two generated images are alike by {fake:.2f} (1 means equal), two real "
            f"ones by {real:.2f}: {verdict}"
        }

    def compute(self) -> dict[str, Tensor]:
        """`ms_ssim` and `ms_ssim_real`, in [0, 1], float64."""
        return {"ms_ssim": self._similarity("fake"), "ms_ssim_real": self._similarity("real")}

    def _similarity(self, kind: str) -> Tensor:
        images, rng = self.kept(kind), torch.Generator().manual_seed(mix(self.seed))
        betas = self.betas or scale_weights(min(images.shape[-2:]))
        if self.within_class:
            first, second = random_pairs_within(self.kept_labels(kind), self.pairs, rng)
        else:
            first, second = random_pairs(len(images), self.pairs, rng)
        total = torch.zeros((), dtype=torch.float64)
        for pair in torch.stack([first, second]).to(images.device).split(_BATCH, dim=1):
            one, other = (images[index].float() for index in pair)
            similarity = multiscale_structural_similarity_index_measure(
                one, other, data_range=255.0, betas=betas, kernel_size=_KERNEL, reduction="none"
            )
            total += similarity.cpu().double().sum()
        return total / self.pairs


def scale_weights(side: int) -> tuple[float, ...]:
    """Weights of the MS-SSIM scales for images whose smaller side has so many pixels, sum 1.

    As many of the five scales as have room for the window of 11 pixels and as torchmetrics takes.

    Raises:
        ConfigError: not even one scale fits.
    """
    fits = [
        scales
        for scales in range(1, len(BETAS) + 1)
        if min(side // 2 ** (scales - 1), side // max(1, scales - 1) ** 2) >= _KERNEL
    ]
    if not fits:
        raise ConfigError(
            f"MSSSIMDiversity: images have {side} pixels; needs {_KERNEL} or more. Use "
            "pairwise_distance_ratio."
        )
    betas = BETAS[: max(fits)]
    return tuple(beta / sum(betas) for beta in betas)


class PairwiseDistance(KeptSamples):
    """Mean L2 distance of two generated samples, relative to that of two real ones.

    1 is as diverse as the data; 0 is one and the same sample always; well above 1 is noise.

    Args:
        pairs: random ones, of either kind.
        seed: of the pairs.
        most: samples of either kind that are kept, to choose from.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: fewer than one pair.
    """

    inputs = ("samples",)
    scores = ("pairwise_distance_ratio",)
    title = "pairwise distance of generated samples relative to real ones"
    instead = "your eyes: two samples are the fewest that can differ"

    def __init__(
        self, pairs: int = 10_000, seed: int = 0, most: int = 16_384, **options: Any
    ) -> None:
        super().__init__(most, seed, **options)
        _check_pairs(self, pairs)
        self.pairs = pairs

    def update(self, samples: Tensor, real: bool) -> None:
        """Add images uint8 (N, C, H, W), or points (N, D)."""
        self.keep(samples, real)

    def settings(self) -> dict[str, Any]:
        """Pairs and seed."""
        return {"pairs": self.pairs, "metric_seed": self.seed}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the number means."""
        return {
            "pairwise_distance_ratio": "Two generated samples lie "
            f"{values['pairwise_distance_ratio']:.0%} as far apart as two real ones (100% is as "
            "diverse as the data, near 0% all samples are the same)."
        }

    def compute(self) -> Tensor:
        """The ratio, float64.

        Raises:
            ConfigError: all real samples are equal.
        """
        real, fake = self._distance("real"), self._distance("fake")
        if real == 0:
            raise ConfigError(
                "PairwiseDistance: the real samples do not differ from one another, so nothing can "
                "be relative to them. Look at the data set."
            )
        return fake / real

    def _distance(self, kind: str) -> Tensor:
        samples, rng = self.kept(kind), torch.Generator().manual_seed(mix(self.seed))
        indices = torch.stack(random_pairs(len(samples), self.pairs, rng)).to(samples.device)
        total = torch.zeros((), dtype=torch.float64)
        for pair in indices.split(_BATCH, dim=1):
            one, other = (samples[index].flatten(1).float() for index in pair)
            total += (one - other).norm(dim=1).cpu().double().sum()
        return total / self.pairs


def _check_pairs(metric: KeptSamples, pairs: int) -> None:
    if pairs < 1:
        raise ConfigError(f"{type(metric).__name__}: received pairs={pairs}; needs 1 or more.")
