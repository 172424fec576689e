"""A protocol of metrics over generated samples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.core import AdversarialModule
from ganlab.core.batch_norm import MODES, BatchNormMode
from ganlab.errors import ConfigError, one_of
from ganlab.metrics.base import Extractor, ModelMetric, SampleMetric
from ganlab.metrics.protocols.protocol import (
    ALONE,
    Protocol,
    Score,
    Scores,
    Work,
    check_samples,
    check_split,
)
from ganlab.metrics.protocols.real import RealSamples, extract_features, part_size
from ganlab.metrics.protocols.requirements import (
    check_counts,
    check_generates,
    check_labelled,
    check_metrics,
    check_no_translations,
    named,
    needs_features,
)
from ganlab.metrics.protocols.sources import ModelSamples, Source
from ganlab.metrics.rows import SHARE, Store
from ganlab.metrics.variety.nearest import NearestNeighbours, Neighbours
from ganlab.modalities import IMAGE


class SampleProtocol(Protocol):
    """Scores generated samples by any metrics.

    Each sample is generated, and its features are computed, once for all metrics. Each rank
    evaluates a contiguous part of the samples. Every rank gets the same scores as a single process.

    Args:
        name: name of the protocol, which states metrics, number of samples and split.
        metrics: maps names of your choice to metrics; null leaves a metric out.
        features: partial that makes the extractor for metrics of features or logits, so that its
            weights are loaded only when needed; null if no metric needs an extractor.
        samples: number of generated samples; null for all images of a folder.
        real_samples: size of a fixed random subset of the real examples; null for the whole split.
        split: split of the real examples, "train" or "test".
        seed: seed of the latents, and of the measurements of model metrics. Other metrics
            have seeds of their own for their random numbers.
        ema: whether to use the EMA weights, if the model has them.
        batch_norm: statistics of the generator's batch norm: "running", "batch" or "standing".
        truncation: truncation of the latents; null for no truncation.

    Raises:
        ConfigError: a number or name is not allowed, or a metric's inputs are not available.
    """

    takes_translations = False  # whether samples are translations, with sources and targets

    def __init__(
        self,
        name: str,
        metrics: Mapping[str, SampleMetric | None],
        features: Callable[[], Extractor] | None = None,
        samples: int | None = 10_000,
        real_samples: int | None = None,
        split: Literal["train", "test"] = "test",
        seed: int = 0,
        ema: bool = True,
        batch_norm: BatchNormMode = "running",
        truncation: float | None = None,
    ) -> None:
        for key, count in (("samples", samples), ("real_samples", real_samples)):
            if count is not None:
                check_samples(count, key)
        one_of("protocol.batch_norm", batch_norm, MODES)
        self.name, self.features = name, features
        self.metrics = {key: metric for key, metric in metrics.items() if metric is not None}
        check_metrics(self.metrics, features)
        if not self.takes_translations:
            check_no_translations(self.metrics)
        self.samples, self.real_samples, self.split = samples, real_samples, split
        self.seed, self.ema = seed, ema
        self.batch_norm, self.truncation = batch_norm, truncation
        self.extractor: Extractor | None = None
        self._real: RealSamples | None = None
        self._has_real_examples = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scores, with "<name>/*" for scores of classes or levels; loads nothing."""
        return tuple(
            self._score_name(metric, score)
            for metric in self.metrics.values()
            for score in (*metric.scores, *(f"{name}/*" for name in metric.each))
        )

    def check(self, module: AdversarialModule, data: Any) -> None:
        """Raise a ConfigError if the protocol does not support the model or the data."""
        check_generates(module)
        self.check_metrics(module, data, bool(getattr(module, "classes", None)))

    def check_metrics(self, module: AdversarialModule, data: Any, has_labels: bool) -> None:
        """Raise a ConfigError if a metric does not support the model or the real data."""
        for metric in self.metrics.values():
            if metric.uses_real:
                check_split(data, metric.real_split or self.split)
        if self.features is not None and data.modality is not IMAGE:
            raise ConfigError(
                f"protocol.features: needs images; {data.title} has examples of shape "
                f"{tuple(data.shape)}. Choose a protocol without features, e.g. protocol=modes10k."
            )
        for name, metric in self.metrics.items():
            if "labels" in metric.inputs:
                check_labelled(name, has_labels, (), data)
            if isinstance(metric, ModelMetric):
                with named(name):
                    metric.check_model(module, data)
            if not needs_features(metric):
                with named(name):
                    copy.deepcopy(metric).bind(None, data)

    def prepare(self, data: Any) -> None:
        """Build the extractor and load the real examples, so that missing files raise early.

        Use a protocol only with the data that it was first prepared with.
        """
        if self._real is not None:
            return
        if self.features is not None and any(map(needs_features, self.metrics.values())):
            self.extractor = self.features()
        real = RealSamples(data, self.split, self.real_samples)
        if any(m.uses_real and not m.real_split for m in self.metrics.values()):
            real.part(None, 0, 0)  # raises if the split has fewer examples than are needed
        for name, metric in self.metrics.items():
            with named(name):
                metric.load()
                metric.bind(self.extractor, data)
        check_counts(self.metrics, real.count, self.samples)
        self._real = real

    def evaluate(self, module: AdversarialModule, data: Any, work: Work = ALONE) -> Scores:
        """Return the scores of a trained model. All ranks must call this."""
        return self.score(self.source(module), data, module.device, work)

    def source(self, module: AdversarialModule) -> ModelSamples:
        """Return the samples of a trained model that this protocol scores."""
        return ModelSamples(module, self.seed, self.ema, self.batch_norm, self.truncation)

    def score(
        self,
        source: Source,
        data: Any,
        device: torch.device | str = "cpu",
        work: Work = ALONE,
    ) -> Scores:
        """Return the scores of any generated samples. All ranks must call this.

        Args:
            source: source of the generated samples.
            data: data module of the real examples.
            device: device of the extractor.
            work: this process's part of the work.

        Raises:
            ConfigError: a metric does not support the samples or the model.
            DataError: samples or real features are not finite, or `source` has too few samples.
        """
        self.prepare(data)
        n = source.count(self.samples)
        if n < work.ranks:
            raise ConfigError(
                f"protocol.samples: received {n}, fewer than the {work.ranks} processes of the "
                f"run. Set it to {work.ranks} or more."
            )
        check_counts(self.metrics, self._real.count, n)
        for name, metric in self.metrics.items():
            if isinstance(metric, ModelMetric) and source.module is None:
                raise ConfigError(
                    f"protocol.metrics.{name}: needs the model itself, not only its images. Leave "
                    f"the metric out: protocol.metrics.{name}=null."
                )
            if "labels" in metric.inputs:
                check_labelled(name, source.has_labels, source.class_names, data)
        if self.extractor is not None:
            self.extractor.to(device)
        share = work.memory // SHARE
        for metric in self.metrics.values():
            metric.memory = work.memory - 2 * share  # both stores take a share
        if not self._has_real_examples:
            self._feed_real(device, work)
        metrics = copy.deepcopy(list(self.metrics.values()))  # they share the kept rows
        store = Store(share)
        for metric in metrics:
            metric.store = store
        fed = [metric for metric in metrics if not isinstance(metric, ModelMetric)]
        start, stop = work.share(n) if fed else (0, 0)
        size = part_size(data, work.memory)
        with source.open(n, work.memory // 2):
            for first in work.track(range(start, stop, size), "generated samples"):
                part = source.part(first, min(first + size, stop))
                inputs = {key: tensor.cpu() for key, tensor in part.items()}
                if any(map(needs_features, fed)):
                    inputs |= extract_features(
                        self.extractor, part["samples"], device, work.memory // 2
                    )
                _feed(fed, inputs, real=False)
            for metric in metrics:
                if isinstance(metric, ModelMetric):  # every rank computes the complete metric
                    metric.measure(source, data, self.extractor)
        scores: Scores = {}
        for metric in metrics:
            is_shared = work.ranks > 1 and not isinstance(metric, ModelMetric)
            metric.distributed_available_fn = partial(bool, is_shared)
            if is_shared:
                metric.to(device)  # the ranks communicate between their devices
            scores |= self._scores_of(metric, source, n)
        return scores

    def nearest(self, source: Source, n: int = 10) -> Neighbours | None:
        """Return n generated images with their nearest training images.

        Return None if samples are points, or this protocol has no metric `NearestNeighbours`. Call
        this after `score`, in a single process.
        """
        metric = next((m for m in self.metrics.values() if isinstance(m, NearestNeighbours)), None)
        if metric is None or not self._has_real_examples:
            return None
        with source.open(source.count(self.samples)):
            fake = source.part(0, n)["samples"]
        if self._real.data.modality is not IMAGE:
            return None
        queries, between = fake.cpu(), "pixels in [0, 255]"
        if needs_features(metric):
            queries = extract_features(self.extractor, fake, fake.device)["features"]
            between = f"features of the network {self.extractor.name}"
        index, distances = metric.neighbours(queries)
        examples = self._real.data.reference("train")[index.cpu()]
        return Neighbours(fake.cpu(), examples, distances.cpu(), metric.usual_distance(), between)

    def _feed_real(self, device: torch.device | str, work: Work) -> None:
        store = Store(work.memory // SHARE)
        for metric in self.metrics.values():
            metric.reset()  # an interrupted call may have left a part of the examples
            metric.store = store
        for split in (None, "train", "test"):  # None for the protocol's split
            fed = [m for m in self.metrics.values() if m.uses_real and m.real_split == split]
            if not fed:
                continue
            start, stop = work.share(self._real.count(split))
            if any(needs_features(metric) for metric in fed):
                parts = self._real.features_and_labels(
                    split, start, stop, self.extractor, device, work
                )
            else:
                parts = self._real.parts(split, start, stop, work.memory)
            for inputs in parts:
                _feed(fed, inputs, real=True)
        self._has_real_examples = True

    def _scores_of(self, metric: SampleMetric, source: Source, n: int) -> dict[str, Score]:
        computed = metric.compute()
        if isinstance(computed, Tensor):
            computed = {metric.scores[0]: computed}
        values = {score: float(value) for score, value in computed.items()}
        explained = metric.explain(values)
        protocol = {"protocol": self.name, "metric": metric.title, **metric.settings()}
        if needs_features(metric):
            protocol |= self.extractor.protocol_entries()
        if not isinstance(metric, ModelMetric):
            protocol["generated_samples"] = n
        if metric.uses_real:
            protocol |= self._real.protocol_entries(metric.real_split)
        protocol_entries = source.protocol_entries()
        if isinstance(metric, ModelMetric) and not metric.depends_on_sampling:
            protocol_entries = {key: protocol_entries[key] for key in ("weights", "seed")}
        protocol |= protocol_entries
        return {
            self._score_name(metric, score): Score(
                value, protocol, explained.get(score, ""), metric.is_higher_better(score)
            )
            for score, value in values.items()
        }

    def _score_name(self, metric: SampleMetric, score: str) -> str:
        if not needs_features(metric):
            return score
        base, slash, part = score.partition("/")
        if self.extractor is not None:
            name = self.extractor.score_name(base)
        else:  # the partial is not called yet
            settings = getattr(self.features, "keywords", {})
            name = getattr(self.features, "func", self.features).score_name_of(base, settings)
        return name + slash + part


def _feed(metrics: list[SampleMetric], inputs: dict[str, Tensor], real: bool) -> None:
    for metric in metrics:
        arguments = [inputs[name] for name in metric.inputs]
        metric.update(*arguments, real=real) if metric.uses_real else metric.update(*arguments)
