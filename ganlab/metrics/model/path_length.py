"""How fast a generator's samples change along paths through its latents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.utilities import dim_zero_cat

from ganlab.core import AdversarialModule, Generates
from ganlab.core.randomness import mix
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, ModelMetric
from ganlab.metrics.memory import in_parts


class SquaredPixels:
    """Mean squared difference of two samples, over all their values."""

    name = "pixels"

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Return distances (N,) of two batches (N, …), images in [−1, 1]."""
        return (first - second).square().flatten(1).mean(1)


class PerceptualPathLength(ModelMetric):
    """Mean of d(G(z(t)), G(z(t + ε))) / ε² over random paths z and random t.

    Karras et al. 2019 (arXiv:1812.04948), section 4.1: a path connects two latents, along the
    sphere (`slerp`) for normal latents and along a straight line for uniform latents; t is uniform
    in [0, 1]. The paper's distance d is LPIPS over VGG; pass it as `distance`. As in the authors'
    code, the mean leaves out the lowest and highest values. In a conditional model both ends of a
    path have the same label. The score's name ends in the name of the distance:
    path_length_pixels.

    With ε = 10⁻⁴, the difference of two float32 samples has three correct digits. For an untrained
    DCGAN, the relative error of the mean is below 10⁻⁴. In bfloat16 the score would be hundreds
    of times too large, so samples are generated without autocast or TF32.

    Args:
        distance: function with a `name` that maps two batches of samples (N, …), images in
            [−1, 1], to distances (N,), quadratic for small differences; None for `SquaredPixels`.
        pairs: number of paths (100,000 in the paper).
        epsilon: ε, the step along a path of length 1.
        trim: share of lowest values, and of highest values, that the mean leaves out; in [0, 0.5).
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: an argument is out of its range.
    """

    depends_on_sampling = True
    higher_is_better = False
    alternative = "more pairs (pairs=2000)"

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
                "it an attribute `name`, the last part of the score's name."
            )
        if pairs < self.min_samples:
            raise ConfigError(
                f"PerceptualPathLength: received pairs={pairs}; needs {self.min_samples} or more."
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
        """Raise a ConfigError if the model has no latents."""
        if not isinstance(module, Generates):
            raise ConfigError(
                f"{self.title}: needs a model with latents; {type(module).__name__} has none. "
                "Leave this metric out (protocol.metrics.<name>=null)."
            )

    def measure(self, source: Any, data: Any, extractor: Extractor | None) -> None:
        """Generate pairs of samples at nearby latents and update with their distances.

        For the arguments see `ModelMetric.measure`.
        """
        module = source.module
        if isinstance(self.distance, nn.Module):
            self.distance.to(module.device)
        latents, labels = module.draw_inputs(
            2 * self.pairs, seed=source.seed, truncation=source.truncation
        )
        start, end = latents.double().chunk(2)
        t = torch.rand(
            (self.pairs, *[1] * (start.dim() - 1)),
            generator=torch.Generator().manual_seed(mix(source.seed, self.pairs)),
            dtype=torch.float64,
        )
        path = lerp if module.latents == "uniform" else slerp
        before, after = (path(start, end, x).to(latents.dtype) for x in (t, t + self.epsilon))

        def distances(before: Tensor, after: Tensor, *labels: Tensor) -> Tensor:
            # a pair of latents in one batch, so that both samples are rounded in the same way
            samples = module.sample(
                latents=torch.cat([before, after]),
                labels=labels[0].repeat(2) if labels else None,
                ema=source.ema,
                truncation=source.truncation,
                batch_size=2 * len(before),
            )
            return self.distance(*samples.chunk(2))

        inputs = [before, after] if labels is None else [before, after, labels[: self.pairs]]
        what = f"{self.title} of one pair"
        with torch.no_grad(), _full_float32(module.device):
            for part in in_parts(distances, *inputs, memory=self.memory, what=what):
                self.update(part)

    def update(self, distances: Tensor) -> None:
        """Add distances (N,) of samples whose latents are `epsilon` apart.

        Raises:
            ConfigError: the distances have another shape, or are not finite.
        """
        finite = torch.isfinite(distances)
        if distances.dim() != 1 or not finite.all():
            raise ConfigError(
                f"{type(self).__name__}: received distances of shape {tuple(distances.shape)}, "
                f"{int((~finite).sum())} of them not finite; needs finite distances (N,). Look at "
                "the samples: the generator may have diverged."
            )
        self.lengths.append(distances.detach().cpu().double() / self.epsilon**2)

    def settings(self) -> dict[str, Any]:
        """Return the distance, the number of pairs, ε and the share that is left out."""
        weights = getattr(self.distance, "hash", None)
        return {
            "distance": self.distance.name,
            **({} if weights is None else {"distance_weights_hash": weights}),
            "pairs": self.pairs,
            "epsilon": self.epsilon,
            "left_out_at_either_end": self.trim,
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the path length."""
        (name,) = self.scores
        return {
            name: f"Along a path from one latent to another, the squared speed of the samples is "
            f"{values[name]:.3g} (distance: {self.distance.name}). Lower is smoother, but 0 means "
            "that all samples are equal."
        }

    def compute(self) -> Tensor:
        """Return the trimmed mean, float64."""
        if not len(self.lengths):
            self.check_counts(0, 0)
        lengths = dim_zero_cat(self.lengths)
        self.check_counts(len(lengths), len(lengths))
        drop = int(self.trim * len(lengths))
        return lengths.sort().values[drop : len(lengths) - drop].mean()


def lerp(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return points (N, …) on straight lines from `start` (t = 0) to `end` (t = 1)."""
    return start + t * (end - start)


def slerp(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return points (N, D) on the arcs from `start` to `end`; White 2016 (arXiv:1609.04468).

    The points' length changes from the length of `start` to the length of `end`. If `start` and
    `end` are parallel, the points lie on the straight line between them.
    """
    cosine = nn.functional.cosine_similarity(start, end, dim=-1)[..., None].clamp(-1, 1)
    angle = cosine.arccos()
    sine = angle.sin()
    arc = ((1 - t) * angle).sin() / sine * start + (t * angle).sin() / sine * end
    return torch.where(sine > 1e-6, arc, lerp(start, end, t))


@contextmanager
def _full_float32(device: torch.device) -> Iterator[None]:
    """Turn off autocast and TF32 within the context."""
    previous = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with (
            torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, allow_tf32=False),
            torch.autocast(device.type, enabled=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(previous)
