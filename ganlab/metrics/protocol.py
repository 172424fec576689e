"""A score, and how it was taken: numbers of unlike protocols are not comparable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ganlab.core import AdversarialModule


@dataclass(frozen=True)
class Score:
    """One number and everything that it depends on.

    Args:
        value: the score.
        protocol: metric, extractor and hash of its weights, samples, split, EMA or raw, …
        words: what the number means, for a newcomer; empty where another score says it.
    """

    value: float
    protocol: dict[str, Any] = field(default_factory=dict)
    words: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, for JSON."""
        return {"value": self.value, "protocol": self.protocol, "words": self.words}


class Protocol:
    """A complete recipe for scores of a model on a data set."""

    def check(self, shape: tuple[int, ...], provides: tuple[str, ...]) -> None:
        """Raise a ConfigError where the data does not suit; called before anything is built."""

    def evaluate(self, module: AdversarialModule, data: Any) -> dict[str, Score]:
        """The scores of `module` on the data module `data`, by name."""
        raise NotImplementedError
