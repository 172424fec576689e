"""A score, and how it was taken: numbers of unlike protocols are not comparable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError

Track = Callable[[Iterable[int], str], Iterable[int]]


@dataclass(frozen=True)
class Score:
    """One number and everything that it depends on.

    Args:
        value: the score.
        protocol: metric, extractor and hash of its weights, samples, split, EMA or raw, …
        explanation: what the number means, for a newcomer; empty where another score says it.
        higher_is_better: None where neither is better.
    """

    value: float
    protocol: dict[str, Any] = field(default_factory=dict)
    explanation: str = ""
    higher_is_better: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, as scores.json has them: the explanation is called "words" there."""
        return {
            "value": self.value,
            "protocol": self.protocol,
            "words": self.explanation,
            "higher_is_better": self.higher_is_better,
        }

    @classmethod
    def from_dict(cls, score: dict[str, Any]) -> Score:
        """What `as_dict` has made."""
        names = {"words": "explanation"}
        return cls(**{names.get(key, key): value for key, value in score.items()})


class Protocol:
    """What scores of a model on a data set depend on.

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

    def evaluate(
        self,
        module: AdversarialModule,
        data: Any,
        rank: int = 0,
        ranks: int = 1,
        track: Track | None = None,
    ) -> dict[str, Score]:
        """The scores of `module` on the data module `data`, by name.

        Args:
            module: the trained model.
            data: the data module.
            rank: this process among `ranks`, which all call it together.
            ranks: processes that share the work.
            track: wraps loops over samples, with what they are, to show progress.
        """
        raise NotImplementedError


def check_samples(samples: int, key: str = "samples") -> None:
    """Raise a ConfigError unless there are enough samples for any score."""
    if samples < 2:
        raise ConfigError(f"protocol.{key}: received {samples}; needs 2 or more.")


def check_split(data: Any, split: str) -> None:
    """Raise a ConfigError where a data module has no such split."""
    if split not in data.splits:
        raise ConfigError(
            f"evaluation: {type(data).__name__} has no {split} split; it has "
            f"{', '.join(data.splits)}. Choose other data or another protocol, or protocol=none "
            "in a training."
        )
