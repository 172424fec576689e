"""How evenly a generator's samples change along paths through its latents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.utilities import dim_zero_cat

from ganlab.core import AdversarialModule
from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, ModelMetric

_BATCH = 128  # pairs generated at once


class SquaredPixels:
    """Mean squared difference of two samples, over all their values."""

    name = "pixels"

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Two batches (N, …), images in [−1, 1], to (N,)."""
        return (first - second).square().flatten(1).mean(1)


class PerceptualPathLength(ModelMetric):
    """Mean of d(G(z(t)), G(z(t + ε))) / ε² over random paths z and places t on them.

    Karras et al. 2019 (arXiv:1812.04948), section 4.1: a path leads from one latent to another,
    along the sphere (`slerp`) for normal latents, straight for uniform ones; t is uniform in
    [0, 1]. Their distance is LPIPS over VGG; give `distance` for it. As in the authors' code, the
    lowest and highest `trim` of the values are left out of the mean. In a conditional model both
    ends of a path have one label. The score is named by its distance: path_length_pixels, ….

    ε = 10⁻⁴ leaves three digits of a float32 difference: on an untrained DCGAN the mean is off
    by less than 10⁻⁴ of itself. In bfloat16 it is hundreds of times too large, so samples are made
    without autocast or TF32.

    Args:
        distance: two batches of samples (N, …), images in [−1, 1], to (N,), quadratic for small
            differences, with a `name`; None for `SquaredPixels`.
        pairs: paths (the paper takes 100,000).
        epsilon: step along a path of length 1.
        trim: share left out at either end, in [0, 0.5).
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: an argument is out of its range.
    """

    asks_generator = True
    higher_is_better = False
    instead = "more pairs (pairs=2000)"

    def __init__(
        self,
        distance: Callable[[Tensor, Tensor], Tensor] | None = None,
        pairs: int = 2000,
        epsilon: float = 1e-4,
        trim: float = 0.01,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.distance = SquaredPixels() if distance is None else distance
        if not isinstance(getattr(self.distance, "name", None), str):
            raise ConfigError(
                f"PerceptualPathLength: distance {type(self.distance).__name__} has no name; give "
                "it an attribute `name`, which ends the score's."
            )
        if pairs < self.fewest:
            raise ConfigError(
                f"PerceptualPathLength: received pairs={pairs}; needs {self.fewest} or more."
            )
        if not 0 < epsilon <= 1 or not 0 <= trim < 0.5:
            raise ConfigError(
                f"PerceptualPathLength: received epsilon={epsilon} and trim={trim}; needs epsilon "
                "in (0, 1] and trim in [0, 0.5)."
            )
        self.pairs, self.epsilon, self.trim = pairs, epsilon, trim
        self.scores = (f"path_length_{self.distance.name}",)
        self.title = f"path length by {self.distance.name}"
        self.add_state("lengths", [], dist_reduce_fx="cat")

    def check_model(self, module: AdversarialModule, data: Any) -> None:
        """Only a model that draws latents has paths between them."""
        if not hasattr(module, "draw_inputs") or not hasattr(module, "latents"):
            raise ConfigError(
                f"{self.title}: follows paths through latents, and {type(module).__name__} draws "
                "none. Leave this metric out (null)."
            )

    def measure(
        self,
        module: AdversarialModule,
        data: Any,
        extractor: Extractor | None,
        *,
        seed: int,
        ema: bool,
        truncation: float | None = None,
    ) -> None:
        """Sample pairs of near latents and take their distance; see `ModelMetric.measure`."""
        if isinstance(self.distance, nn.Module):
            self.distance.to(module.device)
        latents, labels = module.draw_inputs(2 * self.pairs, seed=seed, truncation=truncation)
        start, end = latents.double().chunk(2)
        t = torch.rand(
            (self.pairs, *[1] * (start.dim() - 1)),
            generator=torch.Generator().manual_seed(mix(seed, self.pairs)),
            dtype=torch.float64,
        )
        path = lerp if module.latents == "uniform" else slerp
        near, far = (path(start, end, at).to(latents.dtype) for at in (t, t + self.epsilon))
        with torch.no_grad(), _full_float32(module.device):
            for first in range(0, self.pairs, _BATCH):
                part = slice(first, min(first + _BATCH, self.pairs))
                inputs = {"latents": torch.cat([near[part], far[part]])}  # one batch, one rounding
                if labels is not None:
                    inputs["labels"] = labels[: self.pairs][part].repeat(2)
                samples = module.sample(**inputs, ema=ema, batch_size=2 * _BATCH)
                self.update(self.distance(*samples.chunk(2)))

    def update(self, distances: Tensor) -> None:
        """Add distances (N,) of samples `epsilon` apart.

        Raises:
            ConfigError: of another shape, or not finite.
        """
        finite = torch.isfinite(distances)
        if distances.dim() != 1 or not finite.all():
            raise ConfigError(
                f"{type(self).__name__}: received distances of shape {tuple(distances.shape)}, "
                f"{int((~finite).sum())} of them not finite; needs finite ones (N,). Look at the "
                "samples: the generator may diverge."
            )
        self.lengths.append(distances.detach().cpu().double() / self.epsilon**2)

    def settings(self) -> dict[str, Any]:
        """The distance, pairs, ε and what is left out."""
        weights = getattr(self.distance, "hash", None)
        return {
            "distance": self.distance.name,
            **({} if weights is None else {"distance_weights_hash": weights}),
            "pairs": self.pairs,
            "epsilon": self.epsilon,
            "left_out_at_either_end": self.trim,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the number means."""
        (name,) = self.scores
        return {
            name: f"Along a path from one latent to another the samples change at a squared speed "
            f"of {values[name]:.3g} (by {self.distance.name}); lower is smoother, but a generator "
            "that always makes the same sample has 0."
        }

    def compute(self) -> Tensor:
        """The mean, float64."""
        if not len(self.lengths):
            self.check_counts(0, 0)
        lengths = dim_zero_cat(self.lengths)
        self.check_counts(len(lengths), len(lengths))
        drop = int(self.trim * len(lengths))
        return lengths.sort().values[drop : len(lengths) - drop].mean()


def lerp(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Points (N, …) on straight lines, for t (N, 1, …) from 0 at `start` to 1 at `end`."""
    return start + t * (end - start)


def slerp(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Points on the arc between two vectors (N, D); White 2016 (arXiv:1609.04468).

    Lengths between those of the ends; along the straight line where they are parallel.
    """
    cosine = nn.functional.cosine_similarity(start, end, dim=-1)[..., None].clamp(-1, 1)
    angle = cosine.arccos()
    sine = angle.sin()
    arc = ((1 - t) * angle).sin() / sine * start + (t * angle).sin() / sine * end
    return torch.where(sine > 1e-6, arc, lerp(start, end, t))


@contextmanager
def _full_float32(device: torch.device) -> Iterator[None]:
    """No autocast and no TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with (
            torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, allow_tf32=False),
            torch.autocast(device.type, enabled=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
