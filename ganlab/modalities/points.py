"""Points: float32 vectors, the same in sets and in networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.modalities.base import Modality
from ganlab.modalities.drawing import save_scatter

if TYPE_CHECKING:
    import numpy as np

ALLOWED = "out: points go to x.npz, or of the plane to x.png; received {}."


class Points(Modality):
    """Points (D,) float32; feature vectors are points too."""

    name = "points"
    raw = "float points (N, D)"

    def fits(self, shape: Sequence[int]) -> bool:
        return len(shape) == 1

    def is_raw(self, examples: Tensor) -> bool:
        return examples.is_floating_point() and examples.dim() == 2

    def normalise(self, raw: Tensor) -> Tensor:
        return raw

    def denormalise(self, samples: Tensor) -> Tensor:
        return samples.float()

    def shrink(self, examples: Tensor) -> Tensor:
        return examples

    def rescale(self, samples: Tensor) -> Tensor:
        return samples

    def draw(
        self,
        samples: Tensor,
        path: Path,
        *,
        columns: int | None = None,
        real: Tensor | None = None,
        score: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        if samples.shape[1] != 2:
            raise ConfigError(ALLOWED.format(path))
        save_scatter(samples[:0] if real is None else real, samples, path, score)

    def save(self, sample: Tensor, path: Path) -> None:
        raise ConfigError(ALLOWED.format(path.parent))

    def arrays(self, samples: Tensor) -> dict[str, np.ndarray]:
        return {"points": samples.float().numpy()}

    def picture(self, sample: Tensor) -> None:
        return None

    def example(self, shape: Sequence[int], n: int = 2) -> Tensor:
        return torch.randn(n, *shape, generator=torch.Generator().manual_seed(0))


POINTS = Points()
