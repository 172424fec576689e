"""Points: float32 vectors, the same in sets and in networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.modalities.base import NOTHING, Beside, Modality
from ganlab.modalities.drawing import save_scatter

ALLOWED = "out: points go to x.npz, or of the plane to x.png; received {}."


class Points(Modality):
    """Points (D,) float32; feature vectors are points too."""

    name = "points"
    raw = "float points (N, D)"

    def fits(self, shape: Sequence[int]) -> bool:
        return len(shape) == 1

    def is_raw(self, examples: Tensor) -> bool:
        return examples.is_floating_point() and examples.dim() == 2

    def draw(self, samples: Tensor, path: Path, beside: Beside = NOTHING) -> None:
        if samples.shape[1] != 2:
            raise ConfigError(ALLOWED.format(path))
        real = samples[:0] if beside.real is None else beside.real
        save_scatter(real, samples, path, beside.score)

    def save(self, sample: Tensor, path: Path) -> None:
        raise ConfigError(ALLOWED.format(path.parent))

    def arrays(self, samples: Tensor) -> dict[str, np.ndarray]:
        return {"points": samples.float().numpy()}

    def example(self, shape: Sequence[int], n: int = 2) -> Tensor:
        return torch.randn(n, *shape, generator=torch.Generator().manual_seed(0))


POINTS = Points()
