"""Whether generated samples lie where real examples lie, and vice versa."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.metrics.kept import KeptSamples
from ganlab.metrics.neighbours import closed_ball, distance_tiles, kth_neighbour, open_ball
from ganlab.metrics.rows import Rows


class _Neighbourhoods(KeptSamples):
    """Base of metrics that estimate the support of a set by a ball around each of its points.

    The radius of a ball is the distance to the point's k-th nearest neighbour in the set.
    """

    higher_is_better = True

    neighbour: int  # default of k

    def __init__(self, k: int | None = None, **options: Any) -> None:
        super().__init__(most=None, **options)
        k = self.neighbour if k is None else k
        if k < 1:
            raise ConfigError(f"{type(self).__name__}: received k={k}; needs 1 or more.")
        self.k, self.min_samples = k, k + 1
        self.alternative = "a smaller k, or kernel_distance, which is unbiased for few samples"

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, D) of real examples or generated samples; see `KeptSamples.keep`."""
        self.keep(features, real)

    def settings(self) -> dict[str, Any]:
        """Return k."""
        return {"k": self.k}

    def radii(self, features: Rows, kind: str) -> Tensor:
        """Return the distance (N,) of each point to its k-th nearest neighbour in the set."""
        what = f"{self.title}: neighbours of {kind} features"
        return kth_neighbour(features, self.k, memory=self.memory, what=what)


class PrecisionRecall(_Neighbourhoods):
    """Improved precision and recall: Kynkäänniemi et al. 2019 (arXiv:1904.06991).

    Each real example has a ball that reaches to its k-th nearest real example. Each generated
    sample has a ball that reaches to its k-th nearest generated sample. Precision is the share of
    samples that lie in the ball of an example. Recall is the share of examples that lie in the ball
    of a sample. A point on the border of a ball is inside.

    Args:
        k: a ball reaches to the k-th nearest neighbour; None for 3.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: k is below 1.
    """

    other_higher_is_better = {"recall": True}
    scores = ("precision", "recall")
    title = "precision and recall"
    neighbour = 3

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain fidelity and variety."""
        return {
            "precision": f"{values['precision']:.0%} of the generated samples look real: they lie "
            "among real examples. Precision falls if samples are bad.",
            "recall": f"{values['recall']:.0%} of the real examples lie among generated samples: "
            "the model can make similar samples. Recall falls if variety is missing.",
        }

    def compute(self) -> dict[str, Tensor]:
        """Return `precision` and `recall` in [0, 1]."""
        real, fake = self.kept("real"), self.kept("fake")
        real_balls = closed_ball(self.radii(real, "real"))
        fake_balls = closed_ball(self.radii(fake, "generated"))
        precise = torch.zeros_like(fake_balls, dtype=torch.bool)
        recalled = torch.zeros_like(real_balls, dtype=torch.bool)
        what = f"{self.title}: real and generated features"
        for rows, columns, squared in distance_tiles(real, fake, memory=self.memory, what=what):
            precise[columns] |= (squared <= real_balls[rows, None]).any(0)
            recalled[rows] |= (squared <= fake_balls[columns]).any(1)
        return {"precision": precise.double().mean(), "recall": recalled.double().mean()}


class DensityCoverage(_Neighbourhoods):
    """Density and coverage: Naeem et al. 2020 (arXiv:2002.09797).

    Each real example has a ball that reaches to its k-th nearest real example. Density is the
    number of balls that contain a generated sample, divided by k, averaged over samples. For equal
    distributions it is 1 on average; it is higher if samples concentrate where real examples are
    dense. Coverage is the share of real examples whose ball contains a sample. Unlike recall,
    coverage does not grow with outliers among the samples. A point on the border of a ball is
    outside, as in the authors' code.

    Args:
        k: a ball reaches to the k-th nearest neighbour; None for 5.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: k is below 1.
    """

    other_higher_is_better = {"coverage": True}
    scores = ("density", "coverage")
    title = "density and coverage"
    neighbour = 5

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain fidelity and variety."""
        return {
            "density": f"Generated samples have {values['density']:.2f} times as many real "
            "examples around them as real examples have. Below 1, samples are bad; above 1, they "
            "crowd where real examples are dense.",
            "coverage": f"{values['coverage']:.0%} of the real examples have a generated sample "
            "nearby. Coverage falls if variety is missing.",
        }

    def compute(self) -> dict[str, Tensor]:
        """Return `density` ≥ 0 and `coverage` in [0, 1]."""
        real, fake = self.kept("real"), self.kept("fake")
        balls = open_ball(self.radii(real, "real"))
        inside = torch.zeros((), dtype=torch.long, device=balls.device)
        covered = torch.zeros_like(balls, dtype=torch.bool)
        what = f"{self.title}: real and generated features"
        for rows, _, squared in distance_tiles(real, fake, memory=self.memory, what=what):
            is_inside = squared < balls[rows, None]
            inside += torch.count_nonzero(is_inside)
            covered[rows] |= is_inside.any(1)
        density = inside.double() / (self.k * len(fake))
        return {"density": density, "coverage": covered.double().mean()}
