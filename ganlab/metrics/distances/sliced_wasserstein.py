"""Sliced Wasserstein distances, of points and of patches of images at several scales."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor
from ganlab.metrics.distances.pyramid import laplacian_pyramid
from ganlab.metrics.kept import KeptSamples
from ganlab.modalities import IMAGE, POINTS

_BATCH = 256  # images decomposed at once
_VALUES = 2**22  # projected values sorted at once
_PATCH = 7


def random_directions(dimensions: int, number: int, seed: int) -> Tensor:
    """Directions (dimensions, number), uniform on the unit sphere, float32 on the CPU."""
    rng = torch.Generator().manual_seed(seed)
    directions = torch.randn(dimensions, number, generator=rng, dtype=torch.float64)
    return (directions / directions.norm(dim=0, keepdim=True)).float()


def sliced_wasserstein(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    """Mean over directions of the 1-Wasserstein distance of two projected sets.

    In one dimension that distance is the mean difference of the sorted values (Rabin et al. 2011,
    "Wasserstein barycenter and its application to texture mixing").

    Args:
        x: points (N, D), float32.
        y: points (N, D), as many as x.
        directions: (D, M), of length 1.

    Returns:
        A scalar, float64 on the CPU.
    """
    step = max(1, _VALUES // max(len(x), 1))
    total = torch.zeros((), dtype=torch.float64)
    for part in directions.to(x.device).split(step, dim=1):
        gap = _sorted(part.T @ x.T) - _sorted(part.T @ y.T)
        total += gap.abs().mean(1).cpu().double().sum()
    return total / directions.shape[1]


def _sorted(values: Tensor) -> Tensor:
    """Each row (M, N) sorted; NumPy's sort is about ten times as fast as torch's on a CPU."""
    if values.device.type != "cpu":
        return values.sort(dim=1).values
    values.numpy().sort(axis=1)
    return values


class _Sliced(KeptSamples):
    higher_is_better = False
    instead = "kernel_distance, which is unbiased for few samples"

    def __init__(self, most: int, directions: int, seed: int, **options: Any) -> None:
        super().__init__(most, seed, **options)
        if directions < 1:
            raise ConfigError(
                f"{type(self).__name__}: received directions={directions}; needs 1 or more."
            )
        self.directions = directions

    def update(self, samples: Tensor, real: bool) -> None:
        """Add samples; see `KeptSamples.keep`."""
        self.keep(samples, real)

    def pairs(self, most: int) -> tuple[Tensor, Tensor]:
        """As many real as generated samples, at most `most`: of more, a random subset."""
        real, fake = self.kept("real"), self.kept("fake")
        n = min(len(real), len(fake), most)
        return tuple(self._subset(samples, n) for samples in (real, fake))

    def _subset(self, samples: Tensor, n: int) -> Tensor:
        rng = torch.Generator().manual_seed(mix(self.seed, n))
        chosen = torch.randperm(len(samples), generator=rng)[:n].sort().values
        return samples[chosen.to(samples.device)]


class PointSlicedWasserstein(_Sliced):
    """Sliced 1-Wasserstein distance of two sets of points (N, D), in the points' own unit.

    Of unlike numbers of points the larger set is thinned out at random.

    Args:
        most: points of either kind that are kept and compared.
        directions: random directions that are averaged over; in one dimension any is exact.
        seed: of the directions and subsets.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
    """

    inputs = ("samples",)
    scores = ("sliced_wasserstein",)
    title = "sliced Wasserstein distance of points"

    def __init__(
        self, most: int = 50_000, directions: int = 512, seed: int = 0, **options: Any
    ) -> None:
        super().__init__(most, directions, seed, **options)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Only points are compared as they are.

        Raises:
            ConfigError: the data are images.
        """
        if data.modality is not POINTS:
            raise ConfigError(
                f"{self.title}: the data have shape {tuple(data.shape)}; needs points (D,). "
                "Use sliced_wasserstein of images (SlicedWasserstein)."
            )

    def settings(self) -> dict[str, Any]:
        """Directions, points and seed."""
        return {
            "directions": self.directions,
            "points_at_most": self.most,
            "metric_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the number means."""
        return {
            "sliced_wasserstein": "Seen from a random direction, a generated point must move by "
            f"{values['sliced_wasserstein']:.3g} on average to make the generated points lie as "
            "the real ones do (0 is perfect, lower is better)."
        }

    def compute(self) -> Tensor:
        """The distance, float64."""
        real, fake = (points.float() for points in self.pairs(self.most))
        directions = random_directions(real.shape[1], self.directions, self.seed)
        return sliced_wasserstein(real, fake, directions)


class SlicedWasserstein(_Sliced):
    """Sliced Wasserstein distances of local patches, at each level of a Laplacian pyramid.

    Karras et al. 2018 (arXiv:1710.10196), section 5: from every image random 7×7 patches of each
    level, normalised per channel by mean and standard deviation over all patches of that level and
    kind; distances are given × 1,000. The level named by the full size tells of sharp details and
    noise, the smallest of the whole arrangement. As each kind is normalised by itself, a change of
    brightness or contrast of all images at once is not seen.

    A level is halved while the next one has `smallest` pixels or more on both sides. The paper
    stops at 16; with 14 that is the same for powers of two, and images of 28 get a second level.
    Of unlike numbers of images the larger set is thinned out at random.

    Args:
        images: of either kind that are compared; the paper takes 16,384.
        patches: per image and level; the paper takes 128. The same number of patches from more
            images is more precise, and eight times as many take minutes on a CPU.
        directions: random directions that are averaged over.
        smallest: sides of the last level, in pixels; 7 or more.
        seed: of patches, directions and subsets.
        most: images of either kind that are kept, as bytes, to choose from.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: an argument is out of its range.
    """

    inputs = ("samples",)
    scores = ("sliced_wasserstein",)
    each = ("sliced_wasserstein",)
    title = "sliced Wasserstein distance"
    fewest = 100

    def __init__(
        self,
        images: int = 2048,
        patches: int = 64,
        directions: int = 512,
        smallest: int = 14,
        seed: int = 0,
        most: int = 16_384,
        **options: Any,
    ) -> None:
        super().__init__(most, directions, seed, **options)
        ranges = {"images": (images, 2), "patches": (patches, 1), "smallest": (smallest, _PATCH)}
        for argument, (value, least) in ranges.items():
            if value < least:
                raise ConfigError(
                    f"SlicedWasserstein: received {argument}={value}; needs {least} or more."
                )
        self.images, self.patches, self.smallest = images, patches, smallest

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Name the levels' scores.

        Raises:
            ConfigError: the data are points, or images below 7 pixels.
        """
        shape = tuple(data.shape)
        if data.modality is not IMAGE or min(shape[1:]) < _PATCH:
            raise ConfigError(
                f"{self.title}: the data have shape {shape}; needs images (C, H, W) of at least "
                f"{_PATCH}×{_PATCH} pixels. For points use PointSlicedWasserstein."
            )
        names = (f"sliced_wasserstein/{_name(size)}" for size in self.sizes(*shape[1:]))
        self.scores = ("sliced_wasserstein", *names)

    def sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Height and width of each level of the pyramid, the full size first."""
        sizes = [(height, width)]
        while min(half := tuple((side + 1) // 2 for side in sizes[-1])) >= self.smallest:
            sizes.append(half)
        return sizes

    def settings(self) -> dict[str, Any]:
        """Patches, levels, directions and seed."""
        return {
            "images_compared": self.images,
            "patches_per_image": self.patches,
            "patch_size": _PATCH,
            "directions": self.directions,
            "smallest_level": self.smallest,
            "metric_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the numbers mean."""
        explanations = {
            "sliced_wasserstein": f"Small patches of generated and of real images differ by "
            f"{values['sliced_wasserstein']:.1f} on average over all scales (0 is perfect, lower "
            "is better; real images among themselves are not quite at 0)."
        }
        levels = [name for name in values if "/" in name]
        if len(levels) > 1:
            worst = max(levels, key=lambda name: values[name])
            kind = "fine detail" if worst == levels[0] else "coarser structure"
            explanations[worst] = f"They differ most in {kind}, at {worst.split('/')[1]} pixels."
        return explanations

    def compute(self) -> dict[str, Tensor]:
        """The mean over levels, and the distance at each, × 1,000, float64."""
        real, fake = self.pairs(self.images)
        if not IMAGE.is_raw(real) or min(real.shape[-2:]) < _PATCH:
            raise ConfigError(
                f"SlicedWasserstein: received samples of shape {tuple(real.shape[1:])}; needs "
                f"images of at least {_PATCH}×{_PATCH} pixels."
            )
        directions = random_directions(real.shape[1] * _PATCH**2, self.directions, self.seed)
        sizes, scores = self.sizes(*real.shape[-2:]), {}
        for level, size in enumerate(sizes):
            x, y = (self.descriptors(images, level, len(sizes)) for images in (real, fake))
            scores[f"sliced_wasserstein/{_name(size)}"] = 1e3 * sliced_wasserstein(x, y, directions)
        return {"sliced_wasserstein": torch.stack(list(scores.values())).mean(), **scores}

    def descriptors(self, images: Tensor, level: int, levels: int) -> Tensor:
        """Normalised patches (N · patches, C · 49), float32, of one level of a pyramid.

        Args:
            images: uint8 (N, C, H, W).
            level: 0 for the full size.
            levels: of the whole pyramid, the last of which is not a difference.
        """
        rng = torch.Generator().manual_seed(mix(self.seed, level))
        parts = []
        for part in images.split(_BATCH):
            details = laplacian_pyramid(part.float(), min(level + 2, levels))[level]
            parts.append(self._patches(details, rng))
        patches = torch.cat(parts)  # (M, C, 49)
        variance, mean = torch.var_mean(patches, dim=(0, 2), keepdim=True, correction=0)
        return ((patches - mean) / variance.sqrt().clamp(min=1e-6)).flatten(1)

    def _patches(self, images: Tensor, rng: torch.Generator) -> Tensor:
        n, channels, height, width = images.shape
        last = torch.tensor([height - _PATCH + 1, width - _PATCH + 1])
        corner = (torch.rand(n, self.patches, 2, generator=rng) * last).long()
        offset = torch.cartesian_prod(torch.arange(_PATCH), torch.arange(_PATCH))
        place = (corner[:, :, None] + offset) @ torch.tensor([width, 1])  # (n, patches, 49)
        place = place.view(n, 1, -1).expand(-1, channels, -1).to(images.device)
        chosen = images.flatten(2).gather(2, place).view(n, channels, self.patches, -1)
        return chosen.transpose(1, 2).flatten(0, 1)


def _name(size: tuple[int, int]) -> str:
    height, width = size
    return str(height) if height == width else f"{height}x{width}"
