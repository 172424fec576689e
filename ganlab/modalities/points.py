"""Points: float32 vectors, which networks receive without normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.files import atomic
from ganlab.modalities.base import NO_OPTIONS, Modality, PictureOptions


class Points(Modality):
    """Points (D,) float32; feature vectors are points too."""

    name = "points"
    raw = "float points (N, D)"
    files = "a file x.npz, or x.png for points with two coordinates"

    def fits(self, shape: Sequence[int]) -> bool:
        return len(shape) == 1

    def is_raw(self, examples: Tensor) -> bool:
        return examples.is_floating_point() and examples.dim() == 2

    def draw(self, samples: Tensor, path: Path, options: PictureOptions = NO_OPTIONS) -> None:
        """Plot generated points of the plane, and what `options` has: real points, D's scores."""
        if samples.shape[1] != 2:
            raise ConfigError(
                f"out: received {path} for points with {samples.shape[1]} coordinates; allowed "
                f"{self.files}."
            )
        from matplotlib.figure import Figure

        real = samples[:0] if options.real is None else options.real
        real, fake = real.detach().cpu(), samples.detach().cpu()
        reach = float((real if len(real) else fake).abs().max()) * 1.3
        figure = Figure(figsize=(4.5, 4.7), layout="constrained")
        axes = figure.add_subplot(aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
        if options.score is not None:
            axis = torch.linspace(-reach, reach, 60)
            points = torch.cartesian_prod(axis, axis)
            scores = options.score(points).detach().cpu().reshape(60, 60).T
            axes.contourf(axis, axis, scores, levels=20, cmap="RdBu", alpha=0.5)
            how = "Background: the discriminator's scores, from red (low) to blue (high)"
            figure.supxlabel(how, fontsize=8)
        if len(real):
            axes.plot(*real.T, ".", color="black", markersize=2, alpha=0.4, label="real")
        axes.plot(*fake.T, ".", color="tab:orange", markersize=2, alpha=0.6, label="generated")
        beside = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 2, "frameon": False}
        axes.legend(markerscale=4, fontsize=8, **beside)
        with atomic(path) as temporary:
            figure.savefig(temporary, format="png", dpi=100)

    def save(self, sample: Tensor, path: Path) -> None:
        raise ConfigError(
            f"out: received the folder {path.parent}; points allow only {self.files}."
        )

    def arrays(self, samples: Tensor) -> dict[str, np.ndarray]:
        return {"points": samples.detach().float().numpy()}

    def example(self, shape: Sequence[int], n: int = 2) -> Tensor:
        return torch.randn(n, *shape, generator=torch.Generator().manual_seed(0))


POINTS = Points()
