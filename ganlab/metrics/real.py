"""Real samples that generated ones are compared with, and what an extractor sees in them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganlab.metrics.base import Extractor
from ganlab.metrics.cache import cached_features
from ganlab.metrics.protocol import Track

CHUNK = 500  # samples seen at a time


class RealSamples:
    """The real samples of a protocol.

    Args:
        data: data module.
        split: the protocol's own split.
        n: a fixed random subset of that split; None for all. Other splits are taken whole.
    """

    def __init__(self, data: Any, split: str, n: int | None) -> None:
        self.data, self.split, self.n = data, split, n

    def count(self, split: str) -> int:
        """How many there are."""
        return self.n if self.n and split == self.split else len(self.data.split(split)["image"])

    def part(self, split: str, start: int, stop: int) -> dict[str, Tensor]:
        """Samples start … stop − 1: "samples", and "labels" where there are any."""
        rows = self.data.reference_rows(split, self.n if split == self.split else None)
        names = {"image": "samples", "label": "labels"}
        return {names[key]: x[start:stop] for key, x in rows.items() if key in names}

    def seen(
        self,
        split: str,
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
            return {key: torch.cat([x[key] for x in found]) for key in found[0]}

        key = {**self.described(split), "part": [start, stop], **extractor.described()}
        return part | cached_features(key, extract)

    def described(self, split: str) -> dict[str, Any]:
        """Its part of a score's protocol."""
        return {
            "real_samples": self.count(split),
            "split": split,
            "data_hash": self.data.content_hash(split),
        }


def look(extractor: Extractor, images: Tensor, device: torch.device | str) -> dict[str, Tensor]:
    """The "features" and, where there are any, "logits" of uint8 images, on the CPU.

    Metrics count in float64, which not every device has.
    """
    features, logits = extractor(images.to(device))
    seen = {"features": features.cpu()}
    return seen if logits is None else seen | {"logits": logits.cpu()}
