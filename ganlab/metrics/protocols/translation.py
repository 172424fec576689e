"""Scores of models that translate pictures, in each of their directions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Literal

from torch import Tensor

from ganlab.core import AdversarialModule, Direction, Translator
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, ModelMetric, SampleMetric
from ganlab.metrics.protocols.protocol import Protocol, Score, Track, check_split
from ganlab.metrics.protocols.samples import SampleProtocol
from ganlab.metrics.protocols.sources import check_finite
from ganlab.modalities.pixels import denormalise, normalise

_SEEDS_APART = 1_000_003  # more than pictures that are translated with one seed


class TranslationProtocol(Protocol):
    """Scores translations of a split's pictures by any metrics.

    Metrics of samples or features compare them with the real pictures of their domain; metrics of
    "targets" or "segments" with what belongs to each, where the data has pairs; metrics of
    "reconstructions" look at what has been translated back. Each score is taken in every direction
    of the model, and is called "<score>/<direction>" where there are several.

    Args:
        name: of the protocol; it states metrics, number of pictures and split.
        metrics: by any name; null leaves one out.
        features: as in `SampleProtocol`.
        samples: pictures that are translated, a fixed random subset; null for the whole split.
        real_samples: real pictures of the target domain; null for the whole split.
        split: "train" or "test".
        seed: of what is random in a translation.
        ema: averaged weights where there are some.

    Raises:
        ConfigError: as `SampleProtocol`.
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
        self._template = self._make_protocol()  # to be asked; those of `_protocols` are fed
        for key, metric in self._template.metrics.items():
            if isinstance(metric, ModelMetric):
                raise ConfigError(
                    f"protocol.metrics.{key}: asks a model about its latents, and a translator has "
                    f"none. Leave it out: protocol.metrics.{key}=null."
                )
        self._protocols: dict[str, SampleProtocol] = {}  # prepared, by target domain
        self._directions: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scores, once a model has been checked."""
        with_features = copy.copy(self._template)
        with_features.features = self.features
        if len(self._directions) < 2:
            return with_features.names
        return tuple(f"{name}/{way}" for name in with_features.names for way in self._directions)

    def check(self, module: AdversarialModule, data: Any) -> None:
        """Raise a ConfigError where model or data do not suit; neither is loaded yet."""
        if not isinstance(module, Translator):
            raise ConfigError(
                f"evaluation: a {type(module).__name__} translates no pictures. Choose a protocol "
                "that suits it (of samples: fd5k_train_mnist_5k, modes10k, …), or protocol=none "
                "in a training."
            )
        check_split(data, self.split)
        self._directions = tuple(module.directions)
        asked = {name: set(metric.inputs) for name, metric in self._template.metrics.items()}
        has = {
            "targets": data.has_pairs and (self.split == "test" or not data.independent),
            "segments": getattr(data, "has_segments", False),
            "labels": data.label_classes is not None,
            "reconstructions": all(_back(module, way) for way in module.directions.values()),
        }
        why = {
            "targets": f"{data.title} has no pairs in its {self.split} split",
            "segments": f"{data.title} does not say what is where",
            "labels": f"{data.title} has none",
            "reconstructions": f"a {type(module).__name__} does not translate back",
        }
        for name, inputs in asked.items():
            for missing in (key for key in has if key in inputs and not has[key]):
                raise ConfigError(
                    f"protocol.metrics.{name}: looks at {missing}, and {why[missing]}. Leave it "
                    f"out (protocol.metrics.{name}=null), or choose another protocol."
                )
        for way in module.directions.values():
            self._template.check_metrics(module, data.domain(way.target), has["labels"])

    def prepare(self, data: Any) -> None:
        """Build the extractor and load the pictures of both sides: what is missing is missed early.

        A protocol belongs to the data that it was prepared with.
        """
        for key in data.shapes:
            there = len(data.domain(key).reference(self.split))
            if self.samples is not None and self.samples > there:
                raise ConfigError(
                    f"protocol.samples: received {self.samples:,}, and the {self.split} split of "
                    f"{data.domain(key).title} has {there:,} pictures to translate. Set it to "
                    f"{there} or less, or to null for all."
                )
            if key not in self._protocols:
                protocol = self._make_protocol()
                protocol.prepare(data.domain(key))
                self._protocols[key] = protocol

    def evaluate(
        self,
        module: AdversarialModule,
        data: Any,
        rank: int = 0,
        ranks: int = 1,
        track: Track | None = None,
    ) -> dict[str, Score]:
        """The scores of a trained translator; all ranks call it together, and all get them."""
        self.prepare(data)
        scores: dict[str, Score] = {}
        for name, way in module.directions.items():
            source = TranslatedSamples(
                module, data, name, self.split, self.seed, self.ema, self._inputs()
            )
            found = self._protocols[way.target].score(
                source, data.domain(way.target), module.device, rank, ranks, track
            )
            if len(module.directions) > 1:
                found = {
                    f"{key}/{name}": _in_direction(name, score) for key, score in found.items()
                }
            scores |= found
        return scores

    def _inputs(self) -> set[str]:
        return {key for metric in self._template.metrics.values() for key in metric.inputs}

    def _built(self) -> Extractor:
        """The extractor, built once for all directions."""
        if self._extractor is None:
            self._extractor = self.features()
        return self._extractor


class _OfTranslations(SampleProtocol):
    of_translations = True


class TranslatedSamples:
    """Translations of a split's pictures, with what belongs to them.

    Args:
        module: the translator.
        data: of both domains, see `ganlab.data.TranslationData`.
        direction: one of the translator's.
        split: whose pictures are translated.
        seed: of what is random in a translation.
        ema: averaged weights where there are some.
        wanted: besides "samples": "sources", "targets", "reconstructions", "segments", and the
            "labels" of the sources.
    """

    class_names = ()

    def __init__(
        self,
        module: Translator,
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
        """`wanted`, or as many as the split has."""
        return wanted or len(self.data.domain(self.way.source).reference(self.split))

    def open(self, n: int) -> AbstractContextManager[None]:
        """Choose the pictures."""
        self._chosen = None if n == self.count(None) else n
        self._rows = self.data.reference_rows(self.split, self._chosen)
        return nullcontext()

    def part(self, start: int, stop: int) -> dict[str, Tensor]:
        """Translations start … stop − 1, rounded to 8 bits, and what was wanted with them."""
        sources = self._rows[self.way.source][start:stop]
        seed = self.seed * _SEEDS_APART + start
        made = self.module.translate(normalise(sources), self.name, ema=self.ema, seed=seed)
        check_finite(made)
        part = {"samples": denormalise(made), "sources": sources}
        if "targets" in self.wanted:
            part["targets"] = self._rows[self.way.target][start:stop]
        if "labels" in self.wanted:
            labels = self.data.domain(self.way.source).reference_rows(self.split, self._chosen)
            part["labels"] = labels["label"][start:stop]
        if "segments" in self.wanted:
            part["segments"] = self._rows["segments"][start:stop]
        if "reconstructions" in self.wanted:
            back = self.module.translate(
                made, _back(self.module, self.way), ema=self.ema, seed=seed
            )
            part["reconstructions"] = denormalise(back)
        return part

    def described(self) -> dict[str, Any]:
        """Direction, weights, batch-norm mode, noise and seed."""
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
    """The same, its explanation begun with the direction."""
    return (
        replace(score, explanation=f"{name}: {score.explanation}") if score.explanation else score
    )


def _back(module: Translator, way: Direction) -> str | None:
    """The direction that leads back, if there is one."""
    for name, other in module.directions.items():
        if (other.source, other.target) == (way.target, way.source):
            return name
    return None
