"""How much generated samples differ from one another, compared with real examples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor
from ganlab.metrics.kept import KeptSamples
from ganlab.metrics.memory import map_in_parts
from ganlab.modalities import IMAGE

BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli and Bovik 2003
_KERNEL = 11  # side of the window, in pixels


def random_pairs(n: int, pairs: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return indices (pairs,) of the first and of the second partners, which differ; n ≥ 2."""
    first = torch.randint(n, (pairs,), generator=rng)
    return first, (first + torch.randint(1, n, (pairs,), generator=rng)) % n


def random_pairs_within(labels: Tensor, pairs: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return indices as `random_pairs` does, where both partners have the same label.

    Args:
        labels: (N,); the pairs have the frequencies of the classes, of which those with a single
            sample are left out.
        pairs: number of pairs.
        rng: random generator on the CPU.

    Raises:
        ConfigError: no class has two samples.
    """
    order = labels.cpu().argsort(stable=True)
    _, group, counts = labels.cpu()[order].unique_consecutive(
        return_inverse=True, return_counts=True
    )
    begins = counts.cumsum(0) - counts
    usable = (counts[group] > 1).nonzero().flatten()  # positions in `order`
    if not len(usable):
        raise ConfigError(
            f"MSSSIMDiversity: no two of {len(labels)} samples share a class. Give more samples, "
            "or take pairs of any classes (within_class=false)."
        )
    first = usable[torch.randint(len(usable), (pairs,), generator=rng)]
    begin, count = begins[group[first]], counts[group[first]]
    steps = 1 + (torch.rand(pairs, generator=rng) * (count - 1)).long()
    return order[first], order[begin + (first - begin + steps) % count]


class MSSSIMDiversity(KeptSamples):
    """Mean MS-SSIM of random pairs of generated images, and of pairs of real images.

    Odena et al. 2017 (arXiv:1610.09585) take pairs of the same class. 1 means that all images are
    equal. If the generated images have a higher mean than the real images, diversity is lost. The
    MS-SSIM of Wang, Simoncelli and Bovik 2003 has five scales. For images below 176 pixels fewer
    scales are used, with weights that are scaled to the sum 1. So values are comparable only for
    equal image sizes.

    Args:
        pairs: number of pairs of generated images, and of pairs of real images.
        within_class: whether both images of a pair share a label; needs labels.
        seed: seed of the pairs.
        most: largest number of real, and of generated, images to use.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: `pairs` is below 1.
    """

    inputs = ("samples",)
    scores = ("ms_ssim", "ms_ssim_real")
    title = "MS-SSIM of pairs"
    higher_is_better = False
    min_samples = 100
    alternative = "pairwise_distance_ratio"

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
            ConfigError: the data are not images, or have a side below 11 pixels.
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
                f"{len(samples)} images; needs a label for each image, or within_class=false."
            )
        self.keep(samples, real, labels)

    def settings(self) -> dict[str, Any]:
        """Return the pairs, the weights of the scales and the seed."""
        return {
            "pairs": self.pairs,
            "pairs_within_class": self.within_class,
            "scales": len(self.betas),
            "scale_weights": [round(beta, 4) for beta in self.betas],
            "metric_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain both means."""
        fake, real = values["ms_ssim"], values["ms_ssim_real"]
        verdict = (
            "the generated images are more alike: diversity is lost."
            if fake > real + 0.05
            else "the generated images are about as diverse, or more diverse."
        )
        return {
            "ms_ssim": f"Two generated images have a similarity of {fake:.2f} (1 means equal), two "
            f"real images have a similarity of {real:.2f}: {verdict}"
        }

    def compute(self) -> dict[str, Tensor]:
        """Return `ms_ssim` and `ms_ssim_real`, in [0, 1], float64."""
        return {"ms_ssim": self._similarity("fake"), "ms_ssim_real": self._similarity("real")}

    def _similarity(self, kind: str) -> Tensor:
        images, rng = self.kept(kind), torch.Generator().manual_seed(mix(self.seed))
        betas = self.betas or scale_weights(min(images.shape[-2:]))
        if self.within_class:
            first, second = random_pairs_within(self.kept_labels(kind), self.pairs, rng)
        else:
            first, second = random_pairs(len(images), self.pairs, rng)

        def similarity(first: Tensor, second: Tensor) -> Tensor:
            a, b = images[first].float(), images[second].float()
            values = multiscale_structural_similarity_index_measure(
                a, b, data_range=255.0, betas=betas, kernel_size=_KERNEL, reduction="none"
            )
            return values.double().view(-1)

        what = "MS-SSIM of one pair of images"
        return map_in_parts(similarity, first, second, memory=self.memory, what=what).mean()


def scale_weights(side: int) -> tuple[float, ...]:
    """Return the weights of the MS-SSIM scales, with sum 1.

    There are as many scales as possible, up to five. The window of 11 pixels must fit the smallest
    scale, and torchmetrics must support the number of scales.

    Args:
        side: smaller side of the images, in pixels.

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
            f"MSSSIMDiversity: images have a side of {side} pixels; needs {_KERNEL} or more. Use "
            "pairwise_distance_ratio."
        )
    betas = BETAS[: max(fits)]
    return tuple(beta / sum(betas) for beta in betas)


class PairwiseDistance(KeptSamples):
    """Mean L2 distance of pairs of generated samples, divided by that of pairs of real examples.

    1 means as diverse as the data, 0 that all samples are equal, far above 1 that they are noise.

    Args:
        pairs: number of random pairs of samples, and of pairs of examples.
        seed: seed of the pairs.
        most: largest number of real examples, and of samples, to use.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: `pairs` is below 1.
    """

    inputs = ("samples",)
    scores = ("pairwise_distance_ratio",)
    title = "pairwise distance of generated samples relative to real ones"
    alternative = "pictures of the samples: a distance needs two samples"

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
        """Return pairs and seed."""
        return {"pairs": self.pairs, "metric_seed": self.seed}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the ratio."""
        return {
            "pairwise_distance_ratio": "The distance between two generated samples is "
            f"{values['pairwise_distance_ratio']:.0%} of the distance between two real examples "
            "(100%: as diverse as the data, near 0%: all samples are equal)."
        }

    def compute(self) -> Tensor:
        """Return the ratio, float64.

        Raises:
            ConfigError: all real examples are equal.
        """
        real, fake = self._distance("real"), self._distance("fake")
        if real == 0:
            raise ConfigError(
                "PairwiseDistance: the real examples do not differ from one another, so their "
                "distance is 0 and cannot be divided by. Look at the data set."
            )
        return fake / real

    def _distance(self, kind: str) -> Tensor:
        samples, rng = self.kept(kind), torch.Generator().manual_seed(mix(self.seed))

        def distance(first: Tensor, second: Tensor) -> Tensor:
            a, b = (samples[index].flatten(1).float() for index in (first, second))
            return (a - b).norm(dim=1).double()

        pairs, what = random_pairs(len(samples), self.pairs, rng), "the distance of one pair"
        return map_in_parts(distance, *pairs, memory=self.memory, what=what).mean()


def _check_pairs(metric: KeptSamples, pairs: int) -> None:
    if pairs < 1:
        raise ConfigError(f"{type(metric).__name__}: received pairs={pairs}; needs 1 or more.")
