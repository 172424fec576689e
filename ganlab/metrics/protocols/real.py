"""Real samples that generated ones are compared with, and what an extractor sees in them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.errors import DataError
from ganlab.metrics.base import Extractor
from ganlab.metrics.features.cache import cached_features
from ganlab.metrics.protocols.protocol import Track

CHUNK = 512  # samples seen at a time


class RealSamples:
    """The real samples of a protocol.

    Args:
        data: data module.
        split: the protocol's own split.
        n: a fixed random subset of it; None for all.
    """

    def __init__(self, data: Any, split: str, n: int | None) -> None:
        self.data, self.split, self.n = data, split, n

    def count(self, split: str | None) -> int:
        """How many there are: of the protocol's own split for None, else of a whole split."""
        there = len(self.data.split(split or self.split)["example"])
        return self.n if self.n and split is None else there

    def part(self, split: str | None, start: int, stop: int) -> dict[str, Tensor]:
        """Samples start … stop − 1: "samples", and "labels" where there are any; see `count`.

        Raises:
            DataError: the protocol asks for more than there are.
        """
        n = None if split else self.n
        rows = self.data.reference_rows(split or self.split, n)
        names = {"example": "samples", "label": "labels"}
        return {names[key]: x[start:stop] for key, x in rows.items() if key in names}

    def seen(
        self,
        split: str | None,
        start: int,
        stop: int,
        extractor: Extractor,
        device: torch.device | str,
        track: Track | None = None,
    ) -> dict[str, Tensor]:
        """`part` with its "features" and "logits", which are kept in a cache on disk."""
        part = self.part(split, start, stop)

        def extract() -> dict[str, Tensor]:
            steps = range(0, stop - start, CHUNK)
            found = [
                look(extractor, part["samples"][first : first + CHUNK], device)
                for first in (track(steps, "features of real samples") if track else steps)
            ]
            tensors = {key: torch.cat([x[key] for x in found]) for key in found[0]}
            if not tensors["features"].isfinite().all():
                raise DataError(
                    f"features: {extractor.title} gives features of real samples that are not "
                    "finite. Give it other weights, or choose other features (features=…)."
                )
            return tensors

        key = {**self.described(split), "part": [start, stop], **extractor.described()}
        return part | cached_features(key, extract)

    def described(self, split: str | None) -> dict[str, Any]:
        """Its part of a score's protocol."""
        return {
            "real_samples": self.count(split),
            "split": split or self.split,
            "data_hash": self.data.content_hash(split or self.split),
        }


def look(extractor: Extractor, images: Tensor, device: torch.device | str) -> dict[str, Tensor]:
    """The "features" and, where there are any, "logits" of uint8 images, on the CPU.

    Metrics count in float64, which not every device has.
    """
    pairs = [extractor(part.to(device)) for part in images.split(extractor.at_once)]
    seen = {"features": torch.cat([features for features, _ in pairs]).cpu()}
    logits = [logits for _, logits in pairs if logits is not None]
    return seen | ({"logits": torch.cat(logits).cpu()} if logits else {})
