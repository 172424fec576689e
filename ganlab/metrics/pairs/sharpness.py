"""How sharp generated images are, against the images that they should be."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from ganlab.errors import ConfigError
from ganlab.metrics.pairs.paired import PairedMetric


class EdgeSharpness(PairedMetric):
    """Mean gradient magnitude of generated images over that of their targets.

    With forward differences ∂ₓ and ∂ᵧ it is ⟨√(∂ₓG² + ∂ᵧG²)⟩ / ⟨√(∂ₓT² + ∂ᵧT²)⟩, where each mean is
    over all images, channels, and pixels with a neighbour on the right and one below. 1 is as sharp
    as the targets are, less is blurred, more is rougher. It asks for edges, not for the right ones.
    """

    higher_is_better = None
    scores = ("edge_sharpness",)
    title = "edge sharpness"
    smallest = 2

    def compared(self, samples: Tensor, targets: Tensor) -> Tensor:
        """The two mean magnitudes of each pair: (N, 2)."""
        return torch.stack([gradient_magnitude(samples), gradient_magnitude(targets)], 1)

    def compute(self) -> Tensor:
        """The ratio of the means over all pairs.

        Raises:
            ConfigError: the targets have no edges at all.
        """
        generated, target = dim_zero_cat(self.values).double().cpu().mean(0)
        if target == 0:
            raise ConfigError(
                f"{self.title}: every target is of one colour, without any edge; there is nothing "
                "to compare with. Leave this score out."
            )
        return generated / target

    def settings(self) -> dict[str, Any]:
        """What a gradient is, and what is divided by what."""
        return {"gradient": "forward differences", "ratio_of": "means over all images"}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the number says."""
        (name,) = self.scores
        return {
            name: f"{self.subject} have {values[name]:.2f} times the edges of what they are "
            "compared with (1 is as sharp, less is blurred, more is rougher)."
        }


def gradient_magnitude(images: Tensor) -> Tensor:
    """Mean length of the gradient of images, float (N, C, H, W), by forward differences: (N,)."""
    corner = images[..., :-1, :-1]
    across, down = images[..., :-1, 1:] - corner, images[..., 1:, :-1] - corner
    return torch.hypot(across, down).mean((1, 2, 3))
