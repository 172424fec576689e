"""The real examples that generated samples are compared with, and their features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ganlab.errors import DataError
from ganlab.metrics.base import Extractor
from ganlab.metrics.features.cache import cached_features
from ganlab.metrics.memory import DEFAULT_MEMORY, map_in_parts, rows_within
from ganlab.metrics.protocols.protocol import Work

_LONGEST = 512  # most samples of a part, so that progress is shown often enough
_CACHED = 2048  # examples whose features are in one file of the cache


def part_size(data: Any, memory: int) -> int:
    """Return how many samples of the data's shape are generated, or read, and scored at once."""
    values = math.prod(data.shape)
    return min(rows_within(memory // 16, 4 * values), _LONGEST)  # translations have four pictures


class RealSamples:
    """The real examples of a protocol.

    Methods have an argument `split`. None stands for `n` examples of the protocol's split. A name
    stands for all examples of a split that a metric chooses.

    Args:
        data: data module.
        split: the protocol's split.
        n: size of a fixed random subset of the split; None for the whole split.
    """

    def __init__(self, data: Any, split: str, n: int | None) -> None:
        self.data, self.split, self.n = data, split, n

    def count(self, split: str | None) -> int:
        """Return the number of examples."""
        size = len(self.data.split(split or self.split)["example"])
        return self.n if self.n and split is None else size

    def part(self, split: str | None, start: int, stop: int) -> dict[str, Tensor]:
        """Return the examples start … stop − 1 as "samples", and their "labels" if they have any.

        Raises:
            DataError: the protocol needs more examples than the split has.
        """
        n = None if split else self.n
        rows = self.data.reference_rows(split or self.split, n, slice(start, stop))
        names = {"example": "samples", "label": "labels"}
        return {names[key]: x for key, x in rows.items() if key in names}

    def parts(
        self, split: str | None, start: int, stop: int, memory: int
    ) -> Iterator[dict[str, Tensor]]:
        """Yield the examples start … stop − 1 part by part, see `part`."""
        size = part_size(self.data, memory)
        for first in range(start, stop, size):
            yield self.part(split, first, min(first + size, stop))

    def features_and_labels(
        self,
        split: str | None,
        start: int,
        stop: int,
        extractor: Extractor,
        device: torch.device | str,
        work: Work,
    ) -> Iterator[dict[str, Tensor]]:
        """Yield `parts` with "features", and "logits" if the extractor has them.

        The features are cached on disk.
        """
        count = -(-(stop - start) // part_size(self.data, work.memory))
        steps = iter(work.track(range(count), "features of real examples"))

        def extract(first: int, last: int) -> dict[str, Tensor]:
            chunks = []
            for part in self.parts(split, first, last, work.memory):
                next(steps, None)  # shows the progress
                images = part["samples"]
                chunks.append(extract_features(extractor, images, device, work.memory // 2))
            tensors = {key: torch.cat([chunk[key] for chunk in chunks]) for key in chunks[0]}
            if not tensors["features"].isfinite().all():
                raise DataError(
                    f"features: {extractor.title} gives features of real examples that are not "
                    "finite. Give it other weights, or choose other features (features=…)."
                )
            return tensors

        for first in range(start, stop, _CACHED):
            last = min(first + _CACHED, stop)
            key = {
                **self.protocol_entries(split),
                "part": [first, last],
                **extractor.protocol_entries(),
            }
            features, begin = cached_features(key, partial(extract, first, last)), 0
            for part in self.parts(split, first, last, work.memory):
                end = begin + len(part["samples"])
                yield part | {name: x[begin:end] for name, x in features.items()}
                begin = end

    def protocol_entries(self, split: str | None) -> dict[str, Any]:
        """Return the entries of a score's protocol that describe the real examples."""
        return {
            "real_samples": self.count(split),
            "split": split or self.split,
            "data_hash": self.data.content_hash(split or self.split),
        }


def extract_features(
    extractor: Extractor,
    images: Tensor,
    device: torch.device | str,
    memory: int = DEFAULT_MEMORY,
) -> dict[str, Tensor]:
    """Return "features" of uint8 images, and "logits" if the extractor has them, on the CPU.

    Metrics need them on the CPU, as they compute in float64, which not every device supports. The
    images are processed in parts that take up to `memory` bytes.
    """

    def extract(part: Tensor) -> list[Tensor]:
        return [x.cpu() for x in extractor(part.to(device)) if x is not None]

    what = f"{extractor.title} on one image"
    tensors = map_in_parts(extract, images, memory=memory, what=what)
    return dict(zip(("features", "logits"), tensors, strict=False))
