"""Sliced Wasserstein distances, between points and between image patches at several scales."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor
from ganlab.metrics.distances.projections import random_directions, sliced_wasserstein
from ganlab.metrics.distances.pyramid import laplacian_pyramid
from ganlab.metrics.kept import KeptSamples
from ganlab.metrics.memory import in_parts, rows_within
from ganlab.metrics.rows import Rows, Store
from ganlab.modalities import IMAGE, POINTS

_PATCH = 7  # side of a patch, in pixels


class _Sliced(KeptSamples):
    higher_is_better = False
    alternative = "kernel_distance, which is unbiased for few samples"

    def __init__(self, most: int, directions: int, seed: int, **options: Any) -> None:
        super().__init__(most, seed, **options)
        if directions < 1:
            raise ConfigError(
                f"{type(self).__name__}: received directions={directions}; needs 1 or more."
            )
        self.directions = directions

    def update(self, samples: Tensor, real: bool) -> None:
        """Add real examples or generated samples; see `KeptSamples.keep`."""
        self.keep(samples, real)

    def pairs(self, most: int) -> tuple[Rows, Rows]:
        """Return equally large random subsets, up to `most`, of real examples and of samples."""
        real, fake = self.kept("real"), self.kept("fake")
        n = min(len(real), len(fake), most)
        return tuple(self._subset(samples, n) for samples in (real, fake))

    def _subset(self, samples: Rows, n: int) -> Rows:
        rng = torch.Generator().manual_seed(mix(self.seed, n))
        chosen = torch.randperm(len(samples), generator=rng)[:n].sort().values
        return samples.select(chosen)


class PointSlicedWasserstein(_Sliced):
    """Sliced 1-Wasserstein distance of two sets of points (N, D), in the unit of the points.

    If the sets have different sizes, a random subset of the larger set is used.

    Args:
        most: largest number of real points, and of generated points, to compare.
        directions: number of random directions; in one dimension a single direction is exact.
        seed: seed of the directions and subsets.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.
    """

    inputs = ("samples",)
    scores = ("sliced_wasserstein",)
    title = "sliced Wasserstein distance of points"

    def __init__(
        self, most: int = 50_000, directions: int = 512, seed: int = 0, **options: Any
    ) -> None:
        super().__init__(most, directions, seed, **options)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Raise a ConfigError unless the data are points."""
        if data.modality is not POINTS:
            raise ConfigError(
                f"{self.title}: the data have shape {tuple(data.shape)}; needs points (D,). "
                "Use sliced_wasserstein of images (SlicedWasserstein)."
            )

    def settings(self) -> dict[str, Any]:
        """Return the directions, the number of points and the seed."""
        return {
            "directions": self.directions,
            "points_at_most": self.most,
            "metric_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the distance."""
        return {
            "sliced_wasserstein": "Projected onto a random direction, a generated point must move "
            f"by {values['sliced_wasserstein']:.3g} on average to make the generated points equal "
            "the real points (0 is perfect, lower is better)."
        }

    def compute(self) -> Tensor:
        """Return the distance, float64."""
        real, fake = self.pairs(self.most)
        directions = random_directions(real.shape[1], self.directions, self.seed)
        return sliced_wasserstein(real, fake, directions, self.memory)


class SlicedWasserstein(_Sliced):
    """Sliced Wasserstein distances of local patches, at each level of a Laplacian pyramid.

    Karras et al. 2018 (arXiv:1710.10196), section 5. Random 7×7 patches are taken from each level
    of every image. The patches of real images and those of generated images are normalised
    separately: per level and channel, by mean and standard deviation over all patches. So the
    scores do not see a change of brightness or contrast that is common to all images. Distances
    are multiplied by 1,000. The largest level shows differences in details and noise; the smallest
    level shows differences in overall structure.

    Levels are added as long as both sides of a level have at least `smallest` pixels. The paper's
    smallest level has 16 pixels. The default of 14 gives the same levels for powers of two, and a
    second level for images of 28 pixels. If there are unequal numbers of real and generated images,
    a random subset of the larger set is used.

    Args:
        images: largest number of real, and of generated, images to compare; 16,384 in the paper.
        patches: patches per image and level; 128 in the paper. Raising `images` improves
            precision more than raising `patches` does. With eight times the default number of
            patches, a score takes minutes on a CPU.
        directions: number of random directions.
        smallest: smallest side of the last level, in pixels; 7 or more.
        seed: seed of patches, directions and subsets.
        most: largest number of real, and of generated, images to use.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: an argument is out of its range.
    """

    inputs = ("samples",)
    scores = ("sliced_wasserstein",)
    each = ("sliced_wasserstein",)
    title = "sliced Wasserstein distance"
    min_samples = 100

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
        """Set the score names of the levels.

        Raises:
            ConfigError: the data are not images, or have a side below 7 pixels.
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
        """Return height and width of each level of the pyramid, the full size first."""
        sizes = [(height, width)]
        while min(half := tuple((side + 1) // 2 for side in sizes[-1])) >= self.smallest:
            sizes.append(half)
        return sizes

    def settings(self) -> dict[str, Any]:
        """Return patches, levels, directions and seed."""
        return {
            "images_compared": self.images,
            "patches_per_image": self.patches,
            "patch_size": _PATCH,
            "directions": self.directions,
            "smallest_level": self.smallest,
            "metric_seed": self.seed,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the mean, and name the level with the largest distance."""
        explanations = {
            "sliced_wasserstein": f"Small patches of generated and of real images differ by "
            f"{values['sliced_wasserstein']:.1f} on average over all scales (0 is perfect, lower "
            "is better; two sets of real images differ a little, too)."
        }
        levels = [name for name in values if "/" in name]
        if len(levels) > 1:
            worst = max(levels, key=lambda name: values[name])
            scale = "fine detail" if worst == levels[0] else "coarser structure"
            size = worst.split("/")[1]
            explanations[worst] = f"Patches differ most in {scale}, at {size} pixels."
        return explanations

    def compute(self) -> dict[str, Tensor]:
        """Return the mean over levels, and the distance at each level, × 1,000, float64."""
        real, fake = self.pairs(self.images)
        if not IMAGE.is_raw(real[:1]) or min(real.shape[-2:]) < _PATCH:
            raise ConfigError(
                f"SlicedWasserstein: received samples of shape {tuple(real.shape[1:])}; needs "
                f"images of at least {_PATCH}×{_PATCH} pixels."
            )
        directions = random_directions(real.shape[1] * _PATCH**2, self.directions, self.seed)
        sizes, scores = self.sizes(*real.shape[-2:]), {}
        for level, size in enumerate(sizes):
            x, y = (self.descriptors(images, level, len(sizes)) for images in (real, fake))
            distance = sliced_wasserstein(x, y, directions, self.memory)
            scores[f"sliced_wasserstein/{_name(size)}"] = 1e3 * distance
        return {"sliced_wasserstein": torch.stack(list(scores.values())).mean(), **scores}

    def descriptors(self, images: Tensor | Rows, level: int, levels: int) -> Rows:
        """Return normalised patches (N · patches, C · 49), float32, of a pyramid's level.

        Args:
            images: uint8 (N, C, H, W).
            level: index of the level, 0 for the full size.
            levels: number of levels; the last level is a smaller image, not a difference.
        """
        rng = torch.Generator().manual_seed(mix(self.seed, level))

        def patches_of(rows: Tensor) -> Tensor:
            details = laplacian_pyramid(images[rows].float(), min(level + 2, levels))[level]
            return self._patches(details, rng)

        store, what = Store(self.memory // 4), "the pyramid of one image"
        rows = torch.arange(len(images))
        patches = Rows(
            store.put(part)
            for part in in_parts(patches_of, rows, memory=self.memory // 2, what=what)
        )  # (M, C, 49)
        size = rows_within(self.memory // 4, 3 * 8 * patches.shape[1:].numel())
        values, mean = len(patches) * patches.shape[2], 0.0
        for part in patches.split(size):
            mean += part.double().sum((0, 2), keepdim=True) / values
        variance = torch.zeros_like(mean)
        for part in patches.split(size):
            variance += (part.double() - mean).square_().sum((0, 2), keepdim=True) / values
        scale = variance.sqrt().clamp(min=1e-6)
        return Rows(
            store.put(((part - mean.float()) / scale.float()).flatten(1))
            for part in patches.split(size)
        )

    def _patches(self, images: Tensor, rng: torch.Generator) -> Tensor:
        n, channels, height, width = images.shape
        last = torch.tensor([height - _PATCH + 1, width - _PATCH + 1])
        corner = (torch.rand(n, self.patches, 2, generator=rng) * last).long()
        offset = torch.cartesian_prod(torch.arange(_PATCH), torch.arange(_PATCH))
        pixel = (corner[:, :, None] + offset) @ torch.tensor([width, 1])  # (n, patches, 49)
        pixel = pixel.view(n, 1, -1).expand(-1, channels, -1).to(images.device)
        patches = images.flatten(2).gather(2, pixel).view(n, channels, self.patches, -1)
        return patches.transpose(1, 2).flatten(0, 1)


def _name(size: tuple[int, int]) -> str:
    height, width = size
    return str(height) if height == width else f"{height}x{width}"
