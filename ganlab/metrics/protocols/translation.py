"""A protocol for models that translate pictures, with scores for each direction."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.core import AdversarialModule, Direction, Translates
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, ModelMetric, SampleMetric
from ganlab.metrics.memory import DEFAULT_MEMORY, map_in_parts
from ganlab.metrics.protocols.protocol import ALONE, Protocol, Score, Scores, Work, check_split
from ganlab.metrics.protocols.samples import SampleProtocol
from ganlab.metrics.protocols.sources import check_finite
from ganlab.modalities.pixels import denormalise, normalise

_SEEDS_APART = 1_000_003  # above the number of pictures, so that seeds do not overlap


class TranslationProtocol(Protocol):
    """Scores translations of a split's pictures by any metrics.

    Metrics of samples or features compare the translations with real pictures of the target
    domain. Metrics of "targets" or "segments" compare each translation with its target picture or
    its true classes; they need data with pairs or segments. Metrics of "reconstructions" use
    pictures that are translated there and back. Each score is taken in every direction of the
    model. With several directions, a score's name is "<score>/<direction>".

    Args:
        name: name of the protocol, which states metrics, number of pictures and split.
        metrics: maps names of your choice to metrics; null leaves a metric out.
        features: as in `SampleProtocol`.
        samples: size of a fixed random subset of pictures to translate; null for the whole split.
        real_samples: number of real pictures of the target domain; null for the whole split.
        split: split of sources and real pictures, "train" or "test".
        seed: seed of everything random in a translation.
        ema: whether to use the EMA weights, if the model has them.

    Raises:
        ConfigError: as in `SampleProtocol`, or a metric is a `ModelMetric`.
    """

    def __init__(
        self,
        name: str,
        metrics: Mapping[str, SampleMetric | None],
        features: Callable[[], Extractor] | None = None,
        samples: int | None = None,
        real_samples: int | None = None,
        split: Literal["train", "test"] = "test",
        seed: int = 0,
        ema: bool = True,
    ) -> None:
        self.name, self.split, self.seed, self.ema = name, split, seed, ema
        self.samples, self.features = samples, features
        self._extractor: Extractor | None = None
        self._make_protocol = lambda: _OfTranslations(
            name, copy.deepcopy(metrics), features and self._built, samples, real_samples, split
        )
        self._template = self._make_protocol()  # for names and checks only, never updated
        for key, metric in self._template.metrics.items():
            if isinstance(metric, ModelMetric):
                raise ConfigError(
                    f"protocol.metrics.{key}: does not support models that translate pictures. "
                    f"Leave the metric out: protocol.metrics.{key}=null."
                )
        self._protocols: dict[str, SampleProtocol] = {}  # maps target domains to prepared protocols
        self._directions: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scores; they contain the directions only after `check`."""
        with_features = copy.copy(self._template)
        with_features.features = self.features
        if len(self._directions) < 2:
            return with_features.names
        return tuple(f"{name}/{way}" for name in with_features.names for way in self._directions)

    def check(self, module: AdversarialModule, data: Any) -> None:
        """Raise a ConfigError if the protocol does not support the model or the data."""
        if not isinstance(module, Translates):
            raise ConfigError(
                f"evaluation: a {type(module).__name__} translates no pictures. Choose a protocol "
                "for samples (fd5k_train_mnist_5k, modes10k, …), or protocol=none when training."
            )
        check_split(data, self.split)
        self._directions = tuple(module.directions)
        inputs_of = {name: set(metric.inputs) for name, metric in self._template.metrics.items()}
        available = {
            "targets": data.has_pairs and (self.split == "test" or not data.independent),
            "segments": getattr(data, "has_segments", False),
            "labels": data.label_classes is not None,
            "reconstructions": all(_reverse_of(module, way) for way in module.directions.values()),
        }
        reasons = {
            "targets": f"{data.title} has no pairs in its {self.split} split",
            "segments": f"{data.title} has no classes of pixels",
            "labels": f"{data.title} has none",
            "reconstructions": f"a {type(module).__name__} does not translate back",
        }
        for name, inputs in inputs_of.items():
            for missing in (x for x in available if x in inputs and not available[x]):
                raise ConfigError(
                    f"protocol.metrics.{name}: needs {missing}, but {reasons[missing]}. Leave the "
                    f"metric out (protocol.metrics.{name}=null), or choose another protocol."
                )
        for way in module.directions.values():
            self._template.check_metrics(module, data.domain(way.target), available["labels"])

    def prepare(self, data: Any) -> None:
        """Build the extractor and load the pictures of both domains, so that errors occur early.

        Use a protocol only with the data that it was first prepared with.
        """
        for key in data.shapes:
            size = len(data.domain(key).split(self.split)["example"])
            if self.samples is not None and self.samples > size:
                raise ConfigError(
                    f"protocol.samples: received {self.samples:,}, but the {self.split} split of "
                    f"{data.domain(key).title} has {size:,} pictures to translate. Set it to "
                    f"{size} or less, or to null for all."
                )
            if key not in self._protocols:
                protocol = self._make_protocol()
                protocol.prepare(data.domain(key))
                self._protocols[key] = protocol

    def evaluate(self, module: AdversarialModule, data: Any, work: Work = ALONE) -> Scores:
        """Return the scores of a trained translator. All ranks must call this."""
        self.prepare(data)
        scores: Scores = {}
        for name, way in module.directions.items():
            source = TranslatedSamples(
                module, data, name, self.split, self.seed, self.ema, self._inputs()
            )
            way_scores = self._protocols[way.target].score(
                source, data.domain(way.target), module.device, work
            )
            if len(module.directions) > 1:
                way_scores = {
                    f"{key}/{name}": _in_direction(name, score) for key, score in way_scores.items()
                }
            scores |= way_scores
        return scores

    def _inputs(self) -> set[str]:
        return {key for metric in self._template.metrics.values() for key in metric.inputs}

    def _built(self) -> Extractor:
        """Return the extractor, which is built once for all directions."""
        if self._extractor is None:
            self._extractor = self.features()
        return self._extractor


class _OfTranslations(SampleProtocol):
    takes_translations = True


class TranslatedSamples:
    """Translations of a split's pictures, and other inputs of metrics that belong to them.

    Args:
        module: the translator.
        data: data of both domains, see `ganlab.data.TranslationData`.
        direction: name of a direction of the translator.
        split: split of the pictures to translate.
        seed: seed of everything random in a translation.
        ema: whether to use the EMA weights, if the model has them.
        wanted: what `part` returns besides "samples" and "sources": names among "targets",
            "reconstructions", "segments", and "labels" (of the sources).
    """

    class_names = ()

    def __init__(
        self,
        module: Translates,
        data: Any,
        direction: str,
        split: str,
        seed: int = 0,
        ema: bool = True,
        wanted: set[str] | frozenset[str] = frozenset(),
    ) -> None:
        self.module, self.data, self.name, self.split = module, data, direction, split
        self.seed, self.ema, self.wanted = seed, ema, wanted
        self.way = module.direction(direction)
        self.has_labels = data.label_classes is not None

    def count(self, wanted: int | None) -> int:
        """Return `wanted`, or the size of the split for None."""
        return wanted or len(self.data.domain(self.way.source).split(self.split)["example"])

    def open(self, n: int, memory: int = DEFAULT_MEMORY) -> AbstractContextManager[None]:
        """Choose the pictures, and return a context that does nothing."""
        self._memory, self._chosen = memory, None if n == self.count(None) else n
        return nullcontext()

    def part(self, start: int, stop: int) -> dict[str, Tensor]:
        """Return translations start … stop − 1, rounded to 8 bits, and the `wanted` inputs."""
        chosen = self.split, self._chosen, slice(start, stop)
        rows = self.data.reference_rows(*chosen)
        sources = rows[self.way.source]
        what = "translating one picture"
        numbers = torch.arange(start, stop)
        finite, *made = map_in_parts(
            self._translated, sources, numbers, memory=self._memory, what=what
        )
        check_finite(finite)
        part = dict(zip(("samples", "reconstructions"), made, strict=False))
        part["sources"] = sources
        if "targets" in self.wanted:
            part["targets"] = rows[self.way.target]
        if "labels" in self.wanted:
            part["labels"] = self.data.domain(self.way.source).reference_rows(*chosen)["label"]
        if "segments" in self.wanted:
            part["segments"] = rows["segments"]
        return part

    def _translated(self, sources: Tensor, numbers: Tensor) -> list[Tensor]:
        """Return what belongs to the pictures with these numbers, in the order of the pictures.

        Returns:
            Whether each translation is finite (N,), the translations, and the reconstructions if
            they are wanted.
        """
        options = {
            "ema": self.ema,
            "seed": self.seed * _SEEDS_APART + int(numbers[0]),  # picture i has this seed + i
            "batch_size": len(sources),
        }
        translated = self.module.translate(normalise(sources), self.name, **options)
        made = [translated.flatten(1).isfinite().all(1), denormalise(translated)]
        if "reconstructions" not in self.wanted:
            return made
        back = _reverse_of(self.module, self.way)
        return [*made, denormalise(self.module.translate(translated, back, **options))]

    def protocol_entries(self) -> dict[str, Any]:
        """Return direction, hash of the sources, weights, batch-norm mode, dropout and seed."""
        return {
            "direction": self.name,
            "source_hash": self.data.domain(self.way.source).content_hash(self.split),
            "weights": "ema" if self.ema and len(self.module.averaged) else "raw",
            "batch_norm": {
                "running": "running statistics",
                "batch": "statistics of each picture",
            }[self.module.norm_at_test],
            "dropout": self.module.dropout_at_test,
            "seed": self.seed,
        }


def _in_direction(name: str, score: Score) -> Score:
    """Return the score with the direction in front of its explanation."""
    return (
        replace(score, explanation=f"{name}: {score.explanation}") if score.explanation else score
    )


def _reverse_of(module: Translates, way: Direction) -> str | None:
    """Return the name of the reverse direction; None if the model has none."""
    for name, other in module.directions.items():
        if (other.source, other.target) == (way.target, way.source):
            return name
    return None
