"""A bounded random subset of samples, for metrics that need samples at the end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError, one_of
from ganlab.metrics.base import Extractor, SampleMetric, check_features
from ganlab.modalities import POINTS, of_raw


class KeptSamples(SampleMetric):
    """Keeps samples of both kinds, at most `most` of each, for a metric that needs them at the end.

    Up to `most` all are kept, so that several processes have what one has. Of more, each process
    keeps a uniformly random subset as they come, and so does the union of the processes.

    Args:
        most: samples kept of either kind, which bounds the memory; None for all.
        seed: of everything random.
        **options: of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: `most` below 2.
    """

    def __init__(self, most: int | None, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        if most is not None and most < 2:
            raise ConfigError(f"{type(self).__name__}: received most={most}; needs 2 or more.")
        self.most, self.seed = most, seed
        for kind in ("real", "fake"):
            for state in ("kept", "labels", "keys"):
                self.add_state(f"{kind}_{state}", [], dist_reduce_fx="cat")
            self.add_state(f"{kind}_count", torch.tensor(0), dist_reduce_fx="sum")

    def keep(self, samples: Tensor, real: bool, labels: Tensor | None = None) -> None:
        """Add a batch: images uint8 (N, C, H, W), or points or features (N, D); labels (N,).

        Raises:
            ConfigError: of another type or shape, or not finite.
        """
        kind = "real" if real else "fake"
        self._check(samples, [*self.real_kept[:1], *self.fake_kept[:1]])
        count = getattr(self, f"{kind}_count")
        rng = torch.Generator().manual_seed(mix(self.seed, _rank(), int(real), int(count)))
        columns = {"kept": samples.detach(), "keys": torch.rand(len(samples), generator=rng)}
        if labels is not None:
            columns["labels"] = labels
        for state, values in columns.items():
            getattr(self, f"{kind}_{state}").append(values)
        setattr(self, f"{kind}_count", count + len(samples))
        if self.most and sum(map(len, getattr(self, f"{kind}_keys"))) > 2 * self.most:
            for state, values in self._cut(kind).items():
                setattr(self, f"{kind}_{state}", [values])

    def kept(self, kind: str) -> Tensor:
        """The kept "real" or "fake" samples, in the order in which they came.

        Raises:
            ConfigError: there are fewer than the metric needs.
        """
        self.check_counts(*(int(getattr(self, f"{k}_count")) for k in ("real", "fake")))
        return self._cut(kind)["kept"]

    def kept_labels(self, kind: str) -> Tensor:
        """The labels (N,) of `kept`."""
        return self._cut(kind)["labels"]

    def _cut(self, kind: str) -> dict[str, Tensor]:
        columns = {s: getattr(self, f"{kind}_{s}") for s in ("kept", "keys", "labels")}
        joined = {s: dim_zero_cat(values) for s, values in columns.items() if len(values)}
        keys = joined["keys"]
        if self.most is None or len(keys) <= self.most:
            return joined
        chosen = keys.argsort()[: self.most].sort().values
        return {s: values[chosen.to(values.device)] for s, values in joined.items()}

    def _check(self, samples: Tensor, before: list[Tensor]) -> None:
        if of_raw(samples, type(self).__name__) is POINTS:
            check_features(self, samples)
        if before and before[0].shape[1:] != samples.shape[1:]:
            shape, other = tuple(samples.shape[1:]), tuple(before[0].shape[1:])
            raise ConfigError(
                f"{type(self).__name__}: received samples of shape {shape} after ones of "
                f"shape {other}; needs one shape. Resize them first."
            )


class KeptOnEither(KeptSamples):
    """`KeptSamples` of a metric that looks at features or at the samples themselves.

    Args:
        on: "features" of the protocol's extractor, or "samples".
        most, seed, **options: as in `KeptSamples`.

    Raises:
        ConfigError: another name.
    """

    def __init__(self, on: str, most: int | None, seed: int = 0, **options: Any) -> None:
        super().__init__(most, seed, **options)
        one_of(f"{type(self).__name__}: on", on, ("features", "samples"))
        self.on, self.inputs = on, (on,)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Raise a ConfigError where features are to be looked at and there is no extractor."""
        if self.on == "features" and extractor is None:
            raise ConfigError(
                f"{type(self).__name__}: the protocol has no extractor. Give it one, or set "
                "on=samples."
            )

    def update(self, samples: Tensor, real: bool) -> None:
        """Add features (N, D), images uint8 (N, C, H, W) or points (N, D); see `keep`."""
        self.keep(samples, real)


def _rank() -> int:
    """Of this process, among those that evaluate together."""
    distributed = torch.distributed
    there = distributed.is_available() and distributed.is_initialized()
    return distributed.get_rank() if there else 0
