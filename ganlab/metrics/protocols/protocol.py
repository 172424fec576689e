"""A score and its protocol; scores of different protocols are not comparable."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError
from ganlab.metrics.memory import DEFAULT_MEMORY


def _untracked(steps: Iterable[int], what: str) -> Iterable[int]:
    return steps


@dataclass(frozen=True)
class Work:
    """A process's part of the work, and how its progress is shown.

    Args:
        rank: rank of this process, 0 … ranks − 1.
        ranks: number of processes that share the work.
        track: wraps a loop over samples to show its progress; its second argument describes the
            loop.
        memory: bytes that the scores may take, beyond the data and the networks' weights, in
            memory and again on an accelerator (`metrics_memory`). It does not change the scores.
    """

    rank: int = 0
    ranks: int = 1
    track: Callable[[Iterable[int], str], Iterable[int]] = _untracked
    memory: int = DEFAULT_MEMORY

    def share(self, n: int) -> tuple[int, int]:
        """Return start and stop of this process's part of n samples.

        Parts are contiguous, so that gathering them in the order of the ranks keeps the samples'
        order.
        """
        return self.rank * n // self.ranks, (self.rank + 1) * n // self.ranks


ALONE = Work()


@dataclass(frozen=True)
class Score:
    """A number and everything that it depends on.

    Args:
        value: the number.
        protocol: metric, extractor and hash of its weights, number of samples, split, EMA or raw
            weights, …
        explanation: what the number means, for a newcomer; empty if the explanation of
            another score of the same metric suffices.
        higher_is_better: whether a higher value is better; None if neither a higher nor a
            lower value is better.
    """

    value: float
    protocol: dict[str, Any] = field(default_factory=dict)
    explanation: str = ""
    higher_is_better: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return a dict as in scores.json, where the key of the explanation is "words"."""
        return {
            "value": self.value,
            "protocol": self.protocol,
            "words": self.explanation,
            "higher_is_better": self.higher_is_better,
        }

    @classmethod
    def from_dict(cls, score: dict[str, Any]) -> Score:
        """Return the score of a dict that `as_dict` made."""
        names = {"words": "explanation"}
        return cls(**{names.get(key, key): value for key, value in score.items()})


Scores = dict[str, Score]


def in_words(name: str, metric: str = "") -> str:
    """Return a score's name for people, e.g. "Fréchet distance (digits)".

    Args:
        name: the score's name, e.g. "frechet_distance_digits".
        metric: the title of its metric, e.g. "Fréchet distance".
    """
    words = name.replace("_", " ")
    ascii_title = unicodedata.normalize("NFKD", metric).encode("ascii", "ignore").decode()
    title = ascii_title.lower().replace("-", " ")
    if title and words.startswith(title):
        rest = words.removeprefix(title).strip()
        return f"{metric} ({rest})" if rest else metric
    return words.upper() if len(words) <= 3 else words  # such as FID


class Protocol:
    """The recipe by which scores of a model on a data set are taken.

    Attributes:
        names: names of the scores.
    """

    names: tuple[str, ...] = ()

    def check(self, module: AdversarialModule, data: Any) -> None:
        """Raise a ConfigError if the protocol does not support the model or the data.

        This is called before training, when neither the model nor the data is loaded: the module
        may be on the meta device, and the files of the data may be missing.
        """

    def prepare(self, data: Any) -> None:
        """Load what the scores need of the real data, so that errors occur early."""

    def evaluate(self, module: AdversarialModule, data: Any, work: Work = ALONE) -> Scores:
        """Return the scores of `module` on the data module `data`, by name. All ranks call this.

        Args:
            module: the trained model.
            data: the data module.
            work: this process's part of the work.
        """
        raise NotImplementedError


def check_samples(samples: int, key: str = "samples") -> None:
    """Raise a ConfigError if there are fewer than two samples, the fewest for any score."""
    if samples < 2:
        raise ConfigError(f"protocol.{key}: received {samples}; needs 2 or more.")


def check_split(data: Any, split: str) -> None:
    """Raise a ConfigError if a data module has no such split."""
    if split not in data.splits:
        raise ConfigError(
            f"evaluation: {type(data).__name__} has no {split} split; it has "
            f"{', '.join(data.splits)}. Choose other data or another protocol, or protocol=none "
            "when training."
        )
