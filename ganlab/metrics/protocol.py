"""A score, and how it was taken: numbers of unlike protocols are not comparable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError


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
    """A complete recipe for scores of a model on a data set.

    Attributes:
        names: of the scores.
    """

    names: tuple[str, ...] = ()

    def check(self, module: AdversarialModule, data: Any) -> None:
        """Raise a ConfigError where model or data do not suit; called before training.

        Neither is loaded yet: the module may be on the meta device, the data without files.
        """

    def prepare(self, data: Any) -> None:
        """Load what the scores need of the real data, so that it fails early where it fails."""

    def evaluate(self, module: AdversarialModule, data: Any) -> dict[str, Score]:
        """The scores of `module` on the data module `data`, by name."""
        raise NotImplementedError


def check_samples(samples: int) -> None:
    """Raise a ConfigError unless there are enough generated samples for any score."""
    if samples < 2:
        raise ConfigError(f"evaluation.protocol.samples: received {samples}; needs 2 or more.")


def check_split(data: Any, split: str) -> None:
    """Raise a ConfigError where a data module has no such split."""
    if split not in data.splits:
        raise ConfigError(
            f"evaluation: {type(data).__name__} has no {split} split; it has "
            f"{', '.join(data.splits)}. Choose other data, or evaluation=none."
        )
