"""Sets of random points in the plane, for GANs whose training is watched in plots.

The points have the batch key "example". The test split is sampled independently of the training
split.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.data.base import SPLITS, TensorDataModule
from ganlab.data.checks import check_classes, check_integer, check_positive
from ganlab.errors import one_of
from ganlab.modalities import POINTS


class Points(TensorDataModule):
    """Points of the plane: float32 of shape (samples, 2). A subclass samples them.

    Args:
        samples: points in each of the two splits.
        batch_size, seed: as in `TensorDataModule`; the seed also decides the training points.
        dimensions: coordinates of a point; only 2 is allowed.
        classes: the number of classes that a config declares, checked; None for no check.

    Attributes:
        truth: the set's number of classes; None for a set without labels.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    modality = POINTS
    truth: int | None = None

    def __init__(
        self,
        *,
        samples: int = 100_000,
        batch_size: int = 256,
        seed: int = 0,
        dimensions: int = 2,
        classes: int | None = None,
    ) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        self.samples = check_integer("samples", samples, 1)
        one_of("data.dimensions", dimensions, (2,))
        check_classes(classes, self.classes, self.title)

    @property
    def shape(self) -> tuple[int, ...]:
        """(2,)."""
        return (2,)

    @property
    def classes(self) -> int | None:
        """The number of modes or moons; None for a set without labels."""
        return self.truth

    def draw(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return `n` random points, "example" float32 (n, 2); with classes, "label" int64 (n,)."""
        raise NotImplementedError

    def load(self, split: str) -> dict[str, Tensor]:
        """Return `samples` points; the test split's points do not depend on `seed`."""
        seed = mix(self.seed if split == "train" else 0, SPLITS.index(split), 0x706F696E7473)
        return self.draw(self.samples, torch.Generator().manual_seed(seed))


class Mixture(Points):
    """Equally likely Gaussians of the same standard deviation; the label is the mode's index.

    A subclass defines `means`.

    Attributes:
        means: the modes' centres, float32 of shape (modes, 2), all distinct.
        sigma: standard deviation of each coordinate about its mode's centre.
    """

    sigma: float

    @property
    def means(self) -> Tensor:
        """The modes' centres, float32 of shape (modes, 2)."""
        raise NotImplementedError

    def draw(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return points of random modes: a mode's centre plus Gaussian noise."""
        means = self.means
        label = torch.randint(len(means), (n,), generator=generator)
        noise = torch.randn(n, 2, generator=generator)
        return {"example": means[label] + self.sigma * noise, "label": label}


class Ring(Mixture):
    """Gaussians evenly spaced on a circle about 0, a common test for mode collapse.

    Mode k sits at the angle 2πk/modes. With 8 modes, radius 2 and sigma 0.02 it is the mixture of
    Metz et al. 2017, "Unrolled generative adversarial networks" (arXiv:1611.02163), section 3.1.

    Args:
        modes: the number of modes, at least 1.
        radius: the circle's radius, above 0.
        sigma: the standard deviation of each mode, at least 0.
        samples, batch_size, seed, dimensions, classes: as in `Points`.
    """

    def __init__(
        self, modes: int = 8, radius: float = 2.0, sigma: float = 0.02, **common: Any
    ) -> None:
        self.modes = self.truth = check_integer("modes", modes, 1)
        self.radius = check_positive("radius", radius)
        self.sigma = check_positive("sigma", sigma, zero=True)
        super().__init__(**common)

    @property
    def means(self) -> Tensor:
        """The modes' centres, float32 of shape (modes, 2), counter-clockwise from (radius, 0)."""
        angles = torch.arange(self.modes, dtype=torch.float64) * (2 * math.pi / self.modes)
        return (self.radius * torch.stack([angles.cos(), angles.sin()], dim=1)).float()


class Grid(Mixture):
    """Gaussians on a square grid about 0; the label is row · side + column.

    With side 5, spacing 2 and sigma 0.05 it is the mixture of Lin et al. 2018,
    "PacGAN" (arXiv:1712.04086), section 4.1.

    Args:
        side: modes along each side of the grid, at least 1; the grid has side² modes.
        spacing: the distance between neighbours, above 0.
        sigma: the standard deviation of each mode, at least 0.
        samples, batch_size, seed, dimensions, classes: as in `Points`.
    """

    def __init__(
        self, side: int = 5, spacing: float = 2.0, sigma: float = 0.05, **common: Any
    ) -> None:
        self.side = check_integer("side", side, 1)
        self.modes = self.truth = side * side
        self.spacing = check_positive("spacing", spacing)
        self.sigma = check_positive("sigma", sigma, zero=True)
        super().__init__(**common)

    @property
    def means(self) -> Tensor:
        """The modes' centres, float32 of shape (side², 2), row by row from the lower left."""
        line = (torch.arange(self.side) - (self.side - 1) / 2) * self.spacing
        rows, columns = torch.meshgrid(line, line, indexing="ij")
        return torch.stack([columns.flatten(), rows.flatten()], dim=1)


class SwissRoll(Points):
    """A spiral of one and a half turns: t (cos t, sin t) for t uniform in [1.5π, 4.5π], scaled.

    This is the planar section of the Swiss roll of Marsland 2009, "Machine learning: an algorithmic
    perspective", chapter 10. The set has no labels.

    Args:
        radius: the distance of the spiral's outer end from 0, above 0.
        noise: the standard deviation of the noise that is added to each coordinate after scaling,
            at least 0.
        samples, batch_size, seed, dimensions, classes: as in `Points`; `classes` must be None.
    """

    provides = ("example",)

    def __init__(self, radius: float = 2.0, noise: float = 0.05, **common: Any) -> None:
        self.radius = check_positive("radius", radius)
        self.noise = check_positive("noise", noise, zero=True)
        super().__init__(**common)

    def draw(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return points on the spiral, with noise."""
        t = 1.5 * math.pi * (1 + 2 * torch.rand(n, generator=generator))
        spiral = torch.stack([t * t.cos(), t * t.sin()], dim=1) * (self.radius / (4.5 * math.pi))
        return {"example": spiral + self.noise * torch.randn(n, 2, generator=generator)}


class TwoMoons(Points):
    """Two interleaved half circles of radius 1; the label is the moon's index.

    Moon 0 is (cos a, sin a) and moon 1 is (1 - cos a, 0.5 - sin a), with the angle a uniform in
    [0, π].

    Args:
        noise: the standard deviation of each coordinate, at least 0.
        samples, batch_size, seed, dimensions, classes: as in `Points`.
    """

    truth = 2

    def __init__(self, noise: float = 0.05, **common: Any) -> None:
        self.noise = check_positive("noise", noise, zero=True)
        super().__init__(**common)

    def draw(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return points of random moons, with noise."""
        label = torch.randint(2, (n,), generator=generator)
        a = math.pi * torch.rand(n, generator=generator)
        upper = torch.stack([a.cos(), a.sin()], dim=1)
        lower = torch.stack([1 - a.cos(), 0.5 - a.sin()], dim=1)
        moon = torch.where((label == 0)[:, None], upper, lower)
        return {
            "example": moon + self.noise * torch.randn(n, 2, generator=generator),
            "label": label,
        }
