"""Images: uint8 in sets and files, float32 in [-1, 1] in networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL.Image import Image as Picture
from torch import Tensor

from ganlab.modalities.base import NO_OPTIONS, Modality, PictureOptions
from ganlab.modalities.grid import as_picture, save_grid, save_png
from ganlab.modalities.pixels import denormalise, normalise

SIDE = 32  # pixels along a side, to which `shrink` reduces larger images


class Image(Modality):
    """Images (C, H, W), uint8 in [0, 255] raw and float32 in [-1, 1] normalised."""

    name = "image"
    raw = "images uint8 (N, C, H, W) in [0, 255]"
    files = "x.png for one picture, x.npz for arrays, or a folder (no ending)"
    span = 255.0

    def fits(self, shape: Sequence[int]) -> bool:
        return len(shape) == 3

    def is_raw(self, examples: Tensor) -> bool:
        return examples.dtype == torch.uint8 and examples.dim() == 4

    def normalise(self, raw: Tensor) -> Tensor:
        """Return uint8 in [0, 255] as float32 in [-1, 1]; return floats unchanged."""
        return normalise(raw) if raw.dtype == torch.uint8 else raw

    def denormalise(self, samples: Tensor) -> Tensor:
        return denormalise(samples)

    def shrink(self, examples: Tensor) -> Tensor:
        """Return images averaged to 32 × 32 pixels if a side is longer than 32; the type stays."""
        if max(examples.shape[-2:]) <= SIDE:
            return examples
        small = torch.nn.functional.interpolate(examples.float(), (SIDE, SIDE), mode="area")
        return small if examples.is_floating_point() else small.round().to(examples.dtype)

    def rescale(self, samples: Tensor) -> Tensor:
        return (samples + 1) * 127.5

    def draw(self, samples: Tensor, path: Path, options: PictureOptions = NO_OPTIONS) -> None:
        save_grid(samples, path, options.columns)

    def save(self, sample: Tensor, path: Path) -> None:
        save_png(denormalise(sample), path.with_name(f"{path.name}.png"))

    def arrays(self, samples: Tensor) -> dict[str, np.ndarray]:
        return {"images": denormalise(samples).permute(0, 2, 3, 1).numpy()}

    def picture(self, sample: Tensor) -> Picture:
        return as_picture(denormalise(sample.cpu()))

    def example(self, shape: Sequence[int], n: int = 2) -> Tensor:
        rng = torch.Generator().manual_seed(0)
        return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=rng)


IMAGE = Image()
