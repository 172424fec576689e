"""Which modes of a known mixture a generator finds, and how well it hits them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError
from ganlab.metrics.protocol import Protocol, Score, check_samples


class ModeCoverage(Metric):
    """Modes found, and share of samples near one.

    A sample is of high quality within `radius` standard deviations of its nearest mean
    (Srivastava et al. 2017, arXiv:1705.07761, section 4.1); a mode is found when at least
    `share` of all samples are of high quality there (20 of 10,000 by default).

    Args:
        means: (modes, D).
        sigma: standard deviation of each mode, > 0.
        radius: in standard deviations.
        share: of all samples, that makes a mode count.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
    """

    full_state_update = False

    def __init__(
        self,
        means: Tensor,
        sigma: float,
        radius: float = 3.0,
        share: float = 0.002,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.register_buffer("means", means.float().clone(), persistent=False)
        self.sigma, self.radius, self.share = sigma, radius, share
        self.add_state("hits", torch.zeros(len(means), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, points: Tensor) -> None:
        """Add generated points (N, D)."""
        distance, mode = torch.cdist(points.float(), self.means).min(dim=1)
        near = mode[distance <= self.radius * self.sigma]
        self.hits += torch.bincount(near, minlength=len(self.means))
        self.total += len(points)

    def compute(self) -> dict[str, Tensor]:
        """`modes` found and `high_quality` share in [0, 1]."""
        shares = self.hits.double() / self.total.clamp(min=1)  # float32 misses 100 of 50,000
        return {
            "modes": (shares >= self.share).sum(),
            "high_quality": self.hits.sum() / self.total.clamp(min=1),
        }


class ModeProtocol(Protocol):
    """`ModeCoverage` of generated points on a mixture whose means the data set knows.

    Args:
        samples: generated points.
        seed: of the latents.
        ema: averaged weights where there are some.
    """

    def __init__(self, samples: int = 10_000, seed: int = 0, ema: bool = True) -> None:
        self.samples, self.seed, self.ema = samples, seed, ema

    names = ("modes", "high_quality")

    def check(self, module: AdversarialModule, data: Any) -> None:
        """Modes can be counted where the data knows them."""
        if not hasattr(data, "means"):
            raise ConfigError(
                f"evaluation: modes are counted where the data knows their means (data=ring, "
                f"data=grid); {type(data).__name__} does not. Set evaluation=none."
            )
        check_samples(self.samples)

    def evaluate(self, module: AdversarialModule, data: Any) -> dict[str, Score]:
        """`modes` and `high_quality`."""
        # one rank evaluates alone, and must not wait for the others
        coverage = ModeCoverage(data.means, data.sigma, sync_on_compute=False)
        coverage.update(module.sample(self.samples, seed=self.seed, ema=self.ema).cpu())
        values = {name: float(value) for name, value in coverage.compute().items()}
        protocol = {
            "metric": "mode coverage",
            "radius_in_sigma": coverage.radius,
            "share_that_counts": coverage.share,
            "samples": self.samples,
            "seed": self.seed,
            "weights": "ema" if self.ema and len(module.averaged) else "raw",
        }
        words = {
            "modes": f"{values['modes']:.0f} of the {len(data.means)} modes found.",
            "high_quality": f"{values['high_quality']:.0%} of the points lie within 3 standard "
            "deviations of a mode.",
        }
        return {name: Score(value, protocol, words[name]) for name, value in values.items()}
