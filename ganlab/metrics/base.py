"""Base classes of the metrics and of the networks that extract features for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError
from ganlab.metrics.memory import DEFAULT_MEMORY, rows_within
from ganlab.metrics.rows import Rows, Store, gathered, joined
from ganlab.private import is_synced


class Extractor(nn.Module):
    """A frozen network that turns images into features, and perhaps logits, for metrics.

    Attributes:
        name: suffix of the score names, e.g. "digits" in frechet_distance_digits.
        title: the extractor's name in a score's protocol.
        hash: first 16 hex digits of the SHA-256 of its weights.
        resizer: how images are resized, a name in `ganlab.metrics.features.resizers.RESIZERS`.
        width: number of features.
        classes: number of logits; None if the network has no logits.
        published: established names of scores that use this network, e.g.
            {"frechet_distance": "fid"}. All other score names end in the extractor's name.
    """

    name: str
    title: str
    hash: str
    resizer: str
    width: int
    classes: int | None = None
    published: ClassVar[dict[str, str]] = {}

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return features (N, width) and logits (N, classes) of uint8 images (N, C, H, W).

        The logits are None if the network has none. Subclasses resize the images and adapt the
        number of channels.
        """
        raise NotImplementedError

    def train(self, mode: bool = True) -> Extractor:
        """Stay in evaluation mode, whatever `mode` is."""
        return super().train(False)

    def score_name(self, score: str) -> str:
        """Return the name of a score that uses this extractor."""
        return self.published.get(score, f"{score}_{self.name}")

    @classmethod
    def score_name_of(cls, score: str, settings: dict[str, Any]) -> str:
        """Return `score_name` for constructor arguments `settings`, without an extractor."""
        return cls.published.get(score, f"{score}_{settings.get('name') or cls.name}")

    def protocol_entries(self) -> dict[str, Any]:
        """Return the extractor's entries of a score's protocol, also part of the cache key."""
        return {"extractor": self.title, "weights_hash": self.hash, "resizer": self.resizer}


class SampleMetric(Metric):
    """A metric that is updated with batches of generated samples, and perhaps of real examples.

    If `uses_real` is true, `update(*inputs, real=…)` adds a batch of real examples or of generated
    samples. Otherwise `update(*inputs)` adds a batch of generated samples. The class attribute
    `inputs` names the arguments. States are summed over ranks, or concatenated in the order of the
    ranks, so the score does not depend on the number of processes. To evaluate on a single rank of
    several, pass `sync_on_compute=False`.

    Attributes:
        inputs: names among "samples" (uint8 images (N, C, H, W), or float32 points (N, D)),
            "features" (N, width), "logits" (N, classes), "labels" (N,) int64. Translations offer
            more, see `TranslatedSamples`.
        uses_real: whether the metric also takes real examples.
        real_split: the split of the real examples; None for the protocol's split.
        scores: names of the scores. `compute` returns a Tensor for one name, else a dict of
            Tensors. Some names are known only after `bind`.
        each: base names of the scores that exist for each class or level as "<name>/…".
        title: the metric's name in a score's protocol.
        higher_is_better: whether a higher value is better, for the first score and its parts
            "<name>/…"; None if neither a higher nor a lower value is better.
        other_higher_is_better: maps the names of the other scores to their `higher_is_better`; a
            missing name means None.
        min_samples: smallest number of real examples, and of samples, that the metric accepts;
            `bind` may set it.
        alternative: what to use if there are fewer samples, for the error message.
        memory: bytes that the metric may take beyond its states and the rows that it keeps.
        store: where the metric keeps rows of samples or features, see `keeps`.
    """

    full_state_update = False
    is_differentiable = False
    inputs: ClassVar[tuple[str, ...]] = ("features",)
    uses_real: ClassVar[bool] = True
    real_split: ClassVar[str | None] = None
    scores: tuple[str, ...]
    each: ClassVar[tuple[str, ...]] = ()
    other_higher_is_better: ClassVar[dict[str, bool]] = {}
    title: str
    min_samples: int = 2
    alternative: str = "more samples"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.memory, self.store = DEFAULT_MEMORY, Store()
        self._kept: tuple[str, ...] = ()

    def keeps(self, *names: str) -> None:
        """Declare attributes that hold `Rows`, which are joined over ranks as states are."""
        self._kept += names
        for name in names:
            setattr(self, name, Rows())

    def reset(self) -> None:
        """Forget all samples."""
        super().reset()
        for name in self._kept:
            setattr(self, name, Rows())

    def sync(self, dist_sync_fn: Callable | None = None, *args: Any, **options: Any) -> None:
        """Join states and rows over ranks; see `torchmetrics.Metric.sync`."""
        super().sync(dist_sync_fn, *args, **options)
        if not is_synced(self):
            return
        self._own = {name: getattr(self, name) for name in self._kept}

        def gather(part: Tensor) -> list[Tensor]:
            return (dist_sync_fn or gather_all_tensors)(part.to(self.device))

        for name, rows in self._own.items():
            size = rows_within(self.memory // 16, rows.row_bytes)
            setattr(self, name, gathered(rows, gather, self.store, size))

    def unsync(self, should_unsync: bool = True) -> None:
        """Return to the states and rows of this rank."""
        super().unsync(should_unsync)
        if should_unsync:
            for name, rows in self._own.items():
                setattr(self, name, rows)

    def merge_state(self, incoming_state: SampleMetric) -> None:
        """Add the states and rows of another metric of this class, before its own."""
        super().merge_state(incoming_state)
        for name in self._kept:
            setattr(self, name, joined([getattr(incoming_state, name), getattr(self, name)]))

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Set what depends on the extractor and the data module; called once, before `update`."""

    def load(self) -> None:
        """Load what the metric needs, such as a network's weights; called once, before `update`."""

    def settings(self) -> dict[str, Any]:
        """Return the metric's own parameters, for a score's protocol."""
        return {}

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Return a dict from score names to explanations; `values` maps all names to scores."""
        return {}

    def is_higher_better(self, score: str) -> bool | None:
        """Whether a higher value is better; None if neither a higher nor a lower value is."""
        if score.partition("/")[0] == self.scores[0]:
            return self.higher_is_better
        return self.other_higher_is_better.get(score)

    def check_counts(self, real: int, fake: int) -> None:
        """Raise a ConfigError if there are fewer real examples or samples than `min_samples`."""
        counts = [("generated samples", "protocol.samples", fake)]
        if self.uses_real:
            counts.insert(0, ("real examples", "protocol.real_samples", real))
        for name, setting, count in counts:
            if count < self.min_samples:
                raise ConfigError(
                    f"{self.title}: {count:,} {name} are too few; it needs {self.min_samples:,} or "
                    f"more. Take more ({setting}; null takes all), or use {self.alternative}."
                )


class ModelMetric(SampleMetric):
    """A metric of the trained model itself: of its latents or of its networks.

    The protocol passes no samples to it. It calls `measure` once, which calls `update`.

    Attributes:
        depends_on_sampling: whether the score depends on truncation and batch-norm mode.
    """

    depends_on_sampling: ClassVar[bool] = False

    inputs: ClassVar[tuple[str, ...]] = ()
    uses_real: ClassVar[bool] = False

    def check_model(self, module: AdversarialModule, data: Any) -> None:
        """Raise a ConfigError if the metric does not support the model or the data.

        This is called before weights and files are loaded.
        """

    def measure(self, source: Any, data: Any, extractor: Extractor | None) -> None:
        """Measure the model and call `update` with the result.

        Args:
            source: the protocol's `ModelSamples`: its `module`, whose state, including train or
                eval mode, is left unchanged; its `seed` of everything random; its `ema` and
                `truncation`.
            data: the data module, whose splits `data.split(name)` loads.
            extractor: the protocol's extractor, on the module's device; None if it has none.
        """
        raise NotImplementedError


def check_features(metric: Metric, features: Tensor, width: int | None = None) -> None:
    """Raise a ConfigError unless the features are finite and of shape (N, width)."""
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
            "are not finite; needs finite features. Look at the samples: the generator may have "
            "diverged, or the extractor may have the wrong weights."
        )
