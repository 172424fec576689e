"""The real examples that generated samples are compared with, and their features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.errors import DataError
from ganlab.metrics.base import Extractor
from ganlab.metrics.features.cache import cached_features
from ganlab.metrics.protocols.protocol import Work

CHUNK = 512  # samples or examples that are processed at once


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
        rows = self.data.reference_rows(split or self.split, n)
        names = {"example": "samples", "label": "labels"}
        return {names[key]: x[start:stop] for key, x in rows.items() if key in names}

    def features_and_labels(
        self,
        split: str | None,
        start: int,
        stop: int,
        extractor: Extractor,
        device: torch.device | str,
        work: Work,
    ) -> dict[str, Tensor]:
        """Return `part` with "features", and "logits" if the extractor has them; cached on disk."""
        part = self.part(split, start, stop)

        def extract() -> dict[str, Tensor]:
            steps = range(0, stop - start, CHUNK)
            chunks = [
                extract_features(extractor, part["samples"][first : first + CHUNK], device)
                for first in work.track(steps, "features of real examples")
            ]
            tensors = {key: torch.cat([chunk[key] for chunk in chunks]) for key in chunks[0]}
            if not tensors["features"].isfinite().all():
                raise DataError(
                    f"features: {extractor.title} gives features of real examples that are not "
                    "finite. Give it other weights, or choose other features (features=…)."
                )
            return tensors

        key = {
            **self.protocol_entries(split),
            "part": [start, stop],
            **extractor.protocol_entries(),
        }
        return part | cached_features(key, extract)

    def protocol_entries(self, split: str | None) -> dict[str, Any]:
        """Return the entries of a score's protocol that describe the real examples."""
        return {
            "real_samples": self.count(split),
            "split": split or self.split,
            "data_hash": self.data.content_hash(split or self.split),
        }


def extract_features(
    extractor: Extractor, images: Tensor, device: torch.device | str
) -> dict[str, Tensor]:
    """Return "features" of uint8 images, and "logits" if the extractor has them, on the CPU.

    Metrics need them on the CPU, as they compute in float64, which not every device supports.
    """
    pairs = [extractor(part.to(device)) for part in images.split(extractor.batch_size)]
    tensors = {"features": torch.cat([features for features, _ in pairs]).cpu()}
    logits = [logits for _, logits in pairs if logits is not None]
    return tensors | ({"logits": torch.cat(logits).cpu()} if logits else {})
