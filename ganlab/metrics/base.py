"""What metrics over samples, and the networks that look at samples for them, have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError


class Extractor(nn.Module):
    """A frozen network that turns images into features, and perhaps logits, for metrics.

    Attributes:
        name: ends the names of scores over it, e.g. "digits" in frechet_distance_digits.
        title: what it is called in a score's protocol.
        hash: 16 hex digits of the SHA-256 of its weights.
        resizer: how images get its size, a name in `ganlab.metrics.features.resizers.RESIZERS`.
        at_once: images that are looked at together, which bounds the memory.
        width: number of features.
        classes: number of logits; None where it gives none.
        published: names of scores that are published names over this network alone, e.g.
            {"frechet_distance": "fid"}; all others end in the extractor's name.
    """

    name: str
    title: str
    hash: str
    resizer: str
    width: int
    classes: int | None = None
    at_once: int = 500
    published: ClassVar[dict[str, str]] = {}

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Images uint8 (N, C, H, W) in [0, 255] to features (N, width) and logits (N, classes).

        The logits are None where there are none. Size and number of channels are adapted.
        """
        raise NotImplementedError

    def train(self, mode: bool = True) -> Extractor:
        """It stays in evaluation mode."""
        return super().train(False)

    def score_name(self, score: str) -> str:
        """What a score over this extractor is called."""
        return self.published.get(score, f"{score}_{self.name}")

    @classmethod
    def score_name_of(cls, score: str, settings: dict[str, Any]) -> str:
        """`score_name` before the extractor is built, from its constructor's arguments."""
        return cls.published.get(score, f"{score}_{settings.get('name') or cls.name}")

    def described(self) -> dict[str, Any]:
        """Its part of a score's protocol, which also identifies cached features."""
        return {"extractor": self.title, "weights_hash": self.hash, "resizer": self.resizer}


class SampleMetric(Metric):
    """A metric that is fed with what is known of batches of samples, real ones and generated ones.

    `update(*inputs, real=…)` adds a batch, where the inputs are those that the class names;
    `update(*inputs)` where it `compares` nothing and is fed with generated samples alone.
    States are summed or concatenated over ranks, in the ranks' order, so that several processes
    get the score of one. Whoever evaluates on one rank alone gives `sync_on_compute=False`.

    Attributes:
        inputs: names among "samples" (uint8 images (N, C, H, W), or float32 points (N, D)),
            "features" (N, width), "logits" (N, classes), "labels" (N,) int64.
        compares: whether real samples are fed too.
        real_split: the split that real samples come from, whatever the protocol says; None leaves
            it to the protocol.
        scores: names of what `compute` gives, a Tensor for one name, else a dict of Tensors; some
            are known only after `bind`.
        each: those among the latter that are "name/…", one for each class or level, by their name.
        title: what the metric is called in a score's protocol.
        higher_is_better: of the first score, and its parts for each class or level; None where
            neither is better.
        others_higher: the same of the other scores; none of those left out is better either way.
        fewest: the fewest samples of either kind that it takes; `bind` may set it.
        instead: what to use with fewer samples, for the error message.
    """

    full_state_update = False
    is_differentiable = False
    inputs: ClassVar[tuple[str, ...]] = ("features",)
    compares: ClassVar[bool] = True
    real_split: ClassVar[str | None] = None
    scores: tuple[str, ...]
    each: ClassVar[tuple[str, ...]] = ()
    others_higher: ClassVar[dict[str, bool]] = {}
    title: str
    fewest: int = 2
    instead: str = "more samples"

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Take what is only known with the extractor and the data module; called once, first."""

    def load(self) -> None:
        """Get what it computes with, such as a network's weights; called once, before it is fed."""

    def settings(self) -> dict[str, Any]:
        """The metric's own parameters, for a score's protocol."""
        return {}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Sentences for a newcomer, by name of a score, from all values of this metric."""
        return {}

    def is_higher_better(self, score: str) -> bool | None:
        """Whether more of one of its scores is better; None where neither is."""
        if score.partition("/")[0] == self.scores[0]:
            return self.higher_is_better
        return self.others_higher.get(score)

    def check_counts(self, real: int, fake: int) -> None:
        """Raise a ConfigError, which proposes another metric, for too few samples."""
        counts = [("real", real), ("generated", fake)] if self.compares else [("generated", fake)]
        for kind, count in counts:
            if count < self.fewest:
                more = "protocol.samples" if kind == "generated" else "protocol.real_samples"
                raise ConfigError(
                    f"{self.title}: {count:,} {kind} samples are too few; it needs "
                    f"{self.fewest:,} or more. Give more ({more}), or use {self.instead}."
                )


class ModelMetric(SampleMetric):
    """A metric that asks a trained model itself, beyond its samples: its latents or its networks.

    It is fed with no samples; `measure` calls `update` with what it found, and is called once.

    Attributes:
        asks_generator: whether truncation and batch-norm mode matter to it.
    """

    asks_generator: ClassVar[bool] = False

    inputs: ClassVar[tuple[str, ...]] = ()
    compares: ClassVar[bool] = False

    def check_model(self, module: AdversarialModule, data: Any) -> None:
        """Raise a ConfigError where model or data do not suit; neither may be loaded yet."""

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
        """Feed the metric.

        Args:
            module: the trained model; left as it was, in its training mode too.
            data: the data module, whose splits `data.split(name)` loads.
            extractor: the protocol's, on the module's device; None where it has none.
            seed: of everything random.
            ema: averaged weights where there are some.
            truncation: of the latents; None for none.
        """
        raise NotImplementedError


def check_features(metric: Metric, features: Tensor, width: int | None = None) -> None:
    """Raise a ConfigError for features that are not (N, width), or not finite."""
    name = type(metric).__name__
    if features.dim() != 2 or (width is not None and features.shape[1] != width):
        raise ConfigError(
            f"{name}: received features of shape {tuple(features.shape)}; needs "
            f"(N, {width or 'D'})."
        )
    finite = torch.isfinite(features).all(1)
    if not finite.all():
        raise ConfigError(
            f"{name}: received {int((~finite).sum())} of {len(features)} samples whose features "
            "are not finite; needs finite ones. Look at the samples: a generator may diverge, and "
            "an extractor be of other weights."
        )
