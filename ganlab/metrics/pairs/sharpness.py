"""How sharp generated images are, relative to their targets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from ganlab.errors import ConfigError
from ganlab.metrics.pairs.paired import PairedMetric


class EdgeSharpness(PairedMetric):
    """Ratio of the mean gradient magnitudes of generated images and of their targets.

    With forward differences ∂ₓ and ∂ᵧ the ratio is ⟨√(∂ₓG² + ∂ᵧG²)⟩ / ⟨√(∂ₓT² + ∂ᵧT²)⟩. Each mean
    is over all images, channels, and pixels with neighbours to the right and below. At 1, images
    are as sharp as the targets; below 1 they are blurred, above 1 rougher. The score ignores where
    the edges are.
    """

    higher_is_better = None
    scores = ("edge_sharpness",)
    title = "edge sharpness"
    smallest = 2

    def compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        """Return both mean magnitudes of each pair: (N, 2)."""
        return torch.stack([gradient_magnitude(samples), gradient_magnitude(targets)], 1)

    def compute(self) -> Tensor:
        """Return the ratio of the means over all pairs.

        Raises:
            ConfigError: the targets have no edges at all.
        """
        generated, target = dim_zero_cat(self.values).double().cpu().mean(0)
        if target == 0:
            raise ConfigError(
                f"{self.title}: every target has a single colour, without any edge; there is "
                "nothing to compare with. Leave this score out."
            )
        return generated / target

    def settings(self) -> dict[str, Any]:
        """Return how gradients are computed, and what the means are taken over."""
        return {"gradient": "forward differences", "ratio_of": "means over all images"}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the score."""
        (name,) = self.scores
        return {
            name: f"{self.subject} have edges {values[name]:.2f} times as strong (1: as sharp, "
            "less: blurred, more: rougher)."
        }


def gradient_magnitude(images: Tensor) -> Tensor:
    """Return the mean gradient magnitude (N,) of float images (N, C, H, W)."""
    corner = images[..., :-1, :-1]
    across, down = images[..., :-1, 1:] - corner, images[..., 1:, :-1] - corner
    return torch.hypot(across, down).mean((1, 2, 3))
