"""Whether generated samples lie where real ones do, and the other way round."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.metrics.kept import KeptSamples
from ganlab.metrics.neighbours import closed_ball, distance_tiles, kth_neighbour, open_ball


class _Neighbourhoods(KeptSamples):
    """Takes as a set's support the balls around its points up to their k-th neighbours."""

    higher_is_better = True

    neighbour: int  # k, unless it is given

    def __init__(self, k: int | None = None, memory_mib: int = 2048, **options: Any) -> None:
        super().__init__(most=None, **options)
        k = self.neighbour if k is None else k
        if k < 1:
            raise ConfigError(f"{type(self).__name__}: received k={k}; needs 1 or more.")
        self.k, self.memory_mib, self.fewest = k, memory_mib, k + 1
        self.instead = "a smaller k, or kernel_distance, which is unbiased for few samples"

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, D) of real or of generated samples; see `KeptSamples.keep`."""
        self.keep(features, real)

    def settings(self) -> dict[str, Any]:
        """The neighbour that bounds a ball."""
        return {"k": self.k}

    def radii(self, features: Tensor, kind: str) -> Tensor:
        """Distance (N,) of each point to its k-th neighbour in its own set."""
        what = f"{self.title}: neighbours of {kind} samples"
        return kth_neighbour(features, self.k, memory_mib=self.memory_mib, what=what)


class PrecisionRecall(_Neighbourhoods):
    """Improved precision and recall: Kynkäänniemi et al. 2019 (arXiv:1904.06991).

    Precision is the share of generated samples that lie in a ball around some real one, which
    reaches to its k-th real neighbour; recall the share of real samples in such a ball of the
    generated ones. A point on the border of a ball is in it.

    Args:
        k: which neighbour bounds a ball; 3 for None.
        memory_mib: MiB for the temporaries of the search.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: k below 1.
    """

    others_higher = {"recall": True}
    scores = ("precision", "recall")
    title = "precision and recall"
    neighbour = 3

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Fidelity and variety."""
        return {
            "precision": f"{values['precision']:.0%} of the generated samples look like real ones: "
            "they lie among real samples. It falls when samples are bad.",
            "recall": f"{values['recall']:.0%} of the real samples lie among generated ones: the "
            "model can make their like. It falls when variety is missing.",
        }

    def compute(self) -> dict[str, Tensor]:
        """`precision` and `recall` in [0, 1]."""
        real, fake = self.kept("real"), self.kept("fake")
        real_balls = closed_ball(self.radii(real, "real"))
        fake_balls = closed_ball(self.radii(fake, "generated"))
        precise = torch.zeros_like(fake_balls, dtype=torch.bool)
        recalled = torch.zeros_like(real_balls, dtype=torch.bool)
        what = f"{self.title}: real and generated samples"
        for rows, columns, squared in distance_tiles(
            real, fake, memory_mib=self.memory_mib, what=what
        ):
            precise[columns] |= (squared <= real_balls[rows, None]).any(0)
            recalled[rows] |= (squared <= fake_balls[columns]).any(1)
        return {"precision": precise.double().mean(), "recall": recalled.double().mean()}


class DensityCoverage(_Neighbourhoods):
    """Density and coverage: Naeem et al. 2020 (arXiv:2002.09797).

    Density counts in how many balls of real samples, which reach to their k-th real neighbours, a
    generated one lies, divided by k: 1 on average for equal distributions, and more where samples
    crowd where real ones are dense. Coverage is the share of real samples whose ball holds a
    generated one; unlike recall it does not grow with outliers among the generated ones. A point on
    the border of a ball is outside, as in the authors' code.

    Args:
        k: which neighbour bounds a ball; 5 for None.
        memory_mib: MiB for the temporaries of the search.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: k below 1.
    """

    others_higher = {"coverage": True}
    scores = ("density", "coverage")
    title = "density and coverage"
    neighbour = 5

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Fidelity and variety."""
        return {
            "density": f"Generated samples have {values['density']:.2f} times as many real ones "
            "around them as real samples have. Below 1 samples are bad; above it they crowd.",
            "coverage": f"{values['coverage']:.0%} of the real samples have a generated one "
            "nearby. It falls when variety is missing.",
        }

    def compute(self) -> dict[str, Tensor]:
        """`density` ≥ 0 and `coverage` in [0, 1]."""
        real, fake = self.kept("real"), self.kept("fake")
        balls = open_ball(self.radii(real, "real"))
        inside = torch.zeros((), dtype=torch.long, device=balls.device)
        covered = torch.zeros_like(balls, dtype=torch.bool)
        what = f"{self.title}: real and generated samples"
        for rows, _, squared in distance_tiles(real, fake, memory_mib=self.memory_mib, what=what):
            found = squared < balls[rows, None]
            inside += torch.count_nonzero(found)
            covered[rows] |= found.any(1)
        density = inside.double() / (self.k * len(fake))
        return {"density": density, "coverage": covered.double().mean()}
