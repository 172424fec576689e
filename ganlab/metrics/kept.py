"""Metrics that keep samples until `compute`, all of them or a bounded random subset."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from ganlab.core.randomness import mix
from ganlab.errors import ConfigError, one_of
from ganlab.metrics.base import Extractor, SampleMetric, check_features
from ganlab.metrics.rows import Rows
from ganlab.modalities import POINTS, of_raw

_BLOCK = 512  # samples whose keys are drawn at once


class KeptSamples(SampleMetric):
    """Base of metrics that keep real examples and generated samples until `compute`.

    Up to `most` real examples and `most` samples are kept, in the same order for any number of
    processes. If more are added, each process keeps a uniformly random subset, and `compute` uses a
    uniformly random subset of all.

    Args:
        most: largest number of real examples, and of samples, to use; None for all.
        seed: seed of everything random.
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: `most` is below 2.
    """

    def __init__(self, most: int | None, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        if most is not None and most < 2:
            raise ConfigError(f"{type(self).__name__}: received most={most}; needs 2 or more.")
        self.most, self.seed = most, seed
        self.keeps("real_rows", "fake_rows")
        for kind in ("real", "fake"):
            for state in ("keys", "labels"):
                self.add_state(f"{kind}_{state}", [], dist_reduce_fx="cat")
            self.add_state(f"{kind}_count", torch.tensor(0), dist_reduce_fx="sum")

    def keep(self, samples: Tensor, real: bool, labels: Tensor | None = None) -> None:
        """Add uint8 images (N, C, H, W), or points or features (N, D), perhaps with labels (N,).

        Raises:
            ConfigError: the batch has another type or shape, or is not finite.
        """
        kind = "real" if real else "fake"
        self._check_batch(samples)
        count = getattr(self, f"{kind}_count")
        keys = self._keys(int(count), len(samples), real)
        setattr(self, f"{kind}_count", count + len(samples))
        if self.most is not None:
            known = getattr(self, f"{kind}_keys")
            joined = torch.cat([keys, *(x.cpu() for x in known)])
            if len(joined) > self.most:  # a larger key is not among the smallest of all
                chosen = keys <= joined.kthvalue(self.most).values
                keys, samples = keys[chosen], samples[chosen.to(samples.device)]
                labels = None if labels is None else labels[chosen.to(labels.device)]
        getattr(self, f"{kind}_keys").append(keys)
        getattr(self, f"{kind}_rows").append(self.store.put(samples))
        if labels is not None:
            getattr(self, f"{kind}_labels").append(labels)

    def kept(self, kind: str) -> Rows:
        """Return the kept real examples ("real") or samples ("fake"), in the order of `keep`.

        Raises:
            ConfigError: there are fewer real examples or samples than the metric needs.
        """
        self.check_counts(*(int(getattr(self, f"{k}_count")) for k in ("real", "fake")))
        rows, chosen = getattr(self, f"{kind}_rows"), self._chosen_rows(kind)
        return rows if chosen is None else rows.select(chosen)

    def kept_labels(self, kind: str) -> Tensor:
        """Return the labels (N,) that belong to `kept(kind)`, on the CPU."""
        labels = dim_zero_cat(getattr(self, f"{kind}_labels")).cpu()
        chosen = self._chosen_rows(kind)
        return labels if chosen is None else labels[chosen]

    def _keys(self, first: int, number: int, real: bool) -> Tensor:
        """Return the random keys of samples first … first + number − 1, drawn block by block.

        They do not depend on the batches in which the samples are added.
        """
        blocks = []
        for block in range(first // _BLOCK, -(-(first + number) // _BLOCK)):
            rng = torch.Generator().manual_seed(mix(self.seed, _rank(), int(real), block * _BLOCK))
            blocks.append(torch.rand(_BLOCK, generator=rng))
        offset = first % _BLOCK
        return torch.cat(blocks)[offset : offset + number] if blocks else torch.empty(0)

    def _chosen_rows(self, kind: str) -> Tensor | None:
        """Return the indices of the `most` rows with the smallest keys; None for all rows."""
        keys = dim_zero_cat(getattr(self, f"{kind}_keys")).cpu()
        if self.most is None or len(keys) <= self.most:
            return None
        return keys.argsort()[: self.most].sort().values

    def _check_batch(self, samples: Tensor) -> None:
        if of_raw(samples, type(self).__name__) is POINTS:
            check_features(self, samples)
        earlier = self.real_rows if len(self.real_rows) else self.fake_rows
        if len(earlier) and earlier.shape[1:] != samples.shape[1:]:
            shape, other = tuple(samples.shape[1:]), tuple(earlier.shape[1:])
            raise ConfigError(
                f"{type(self).__name__}: received samples of shape {shape} after samples of "
                f"shape {other}; needs equal shapes. Resize the samples first."
            )


class KeptFeaturesOrSamples(KeptSamples):
    """Base of metrics that compare either features or the images or points themselves.

    Args:
        on: "features" of the protocol's extractor, or "samples".
        most, seed, **options: as in `KeptSamples`.

    Raises:
        ConfigError: `on` has another value, or `most` is below 2.
    """

    def __init__(self, on: str, most: int | None, seed: int = 0, **options: Any) -> None:
        super().__init__(most, seed, **options)
        one_of(f"{type(self).__name__}: on", on, ("features", "samples"))
        self.on, self.inputs = on, (on,)

    def bind(self, extractor: Extractor | None, data: Any) -> None:
        """Raise a ConfigError if `on` is "features" and there is no extractor."""
        if self.on == "features" and extractor is None:
            raise ConfigError(
                f"{type(self).__name__}: on=features needs an extractor, but the protocol has "
                "none. Choose features (features=…), or set on=samples."
            )

    def update(self, samples: Tensor, real: bool) -> None:
        """Add features (N, D), images uint8 (N, C, H, W) or points (N, D); see `keep`."""
        self.keep(samples, real)


def _rank() -> int:
    """Return this process's rank, 0 without torch.distributed."""
    distributed = torch.distributed
    is_ready = distributed.is_available() and distributed.is_initialized()
    return distributed.get_rank() if is_ready else 0
