"""Checks that a protocol's metrics, model and data fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ganlab.core import Generates, Translates
from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, SampleMetric

INPUTS = {"samples", "features", "logits", "labels"}
TRANSLATION_INPUTS = {"sources", "targets", "reconstructions", "segments"}


def needs_features(metric: SampleMetric) -> bool:
    """Whether a metric needs an extractor."""
    return "features" in metric.inputs or "logits" in metric.inputs


def check_metrics(
    metrics: Mapping[str, SampleMetric], features: Callable[[], Extractor] | None
) -> None:
    """Raise a ConfigError if there are no metrics, or if a metric or `features` does not fit."""
    if not metrics:
        raise ConfigError("protocol.metrics: received none; needs one or more.")
    if features is not None and not callable(features):
        raise ConfigError(
            f"protocol.features: received {features!r}; choose features with features=NAME."
        )
    for name, metric in metrics.items():
        known = INPUTS | TRANSLATION_INPUTS
        if not isinstance(metric, SampleMetric) or not set(metric.inputs) <= known:
            raise ConfigError(
                f"protocol.metrics.{name}: received {type(metric).__name__}; needs a metric of "
                "samples, features, logits or labels. Check the name: a metric's settings are "
                "protocol.metrics.<metric>.<setting>=…"
            )
        if features is None and needs_features(metric):
            raise ConfigError(
                f"protocol.metrics.{name}: needs features, but protocol.features is null. Choose "
                "features=digits, features=inception, …"
            )


def check_no_translations(metrics: Mapping[str, SampleMetric]) -> None:
    """Raise a ConfigError for metrics with inputs that only translations of pictures have."""
    for name, metric in metrics.items():
        if inputs := TRANSLATION_INPUTS & set(metric.inputs):
            raise ConfigError(
                f"protocol.metrics.{name}: needs {', '.join(sorted(inputs))}, which only "
                "translations of pictures have. Leave the metric out "
                f"(protocol.metrics.{name}=null), or choose another protocol."
            )


def check_generates(module: Any) -> None:
    """Raise a ConfigError if a model does not generate samples from latents."""
    if not isinstance(module, Generates):
        translates = isinstance(module, Translates)
        options = "pairs, hidden_pairs, cycle" if translates else "accuracy"
        raise ConfigError(
            f"evaluation: a {type(module).__name__} makes no samples. Choose a protocol that "
            f"supports it ({options}), or protocol=none when training."
        )


def check_labelled(name: str, has_labels: bool, class_names: tuple[str, ...], data: Any) -> None:
    """Raise a ConfigError unless samples and real examples have labels of the same classes.

    Args:
        name: name of the metric that needs labels.
        has_labels: whether generated samples have labels.
        class_names: names of the samples' classes; empty if they have only numbers.
        data: the data module of the real examples.
    """
    leave_out = f"leave the metric out (protocol.metrics.{name}=null)"
    if not has_labels:
        raise ConfigError(
            f"protocol.metrics.{name}: needs generated samples with labels, but these samples have "
            f"none. Use a conditional model (model=cdcgan, …), or {leave_out}."
        )
    if data.classes is None:
        raise ConfigError(
            f"protocol.metrics.{name}: needs labels, but {data.title} has none. Choose data with "
            f"classes, or {leave_out}."
        )
    names = getattr(data, "class_names", ())
    if class_names and names and class_names != names:
        raise ConfigError(
            f"protocol.metrics.{name}: the classes of generated images are "
            f"{', '.join(class_names)}, but those of real images are {', '.join(names)}. Give the "
            f"sub-folders equal names, or {leave_out}."
        )


@contextmanager
def named(name: str) -> Iterator[None]:
    """Add to a metric's ConfigError how to change the metric, or how to leave it out."""
    try:
        yield
    except ConfigError as error:
        key = f"protocol.metrics.{name}"
        hint = f"({key}.<setting>=… changes a setting, {key}=null leaves the metric out.)"
        raise ConfigError(f"evaluation: {error} {hint}") from None


def check_counts(
    metrics: Mapping[str, SampleMetric], real: Callable[[str | None], int], samples: int | None
) -> None:
    """Raise a ConfigError that names every metric with too few samples or real examples.

    Args:
        metrics: the metrics by name.
        real: maps a split, None for the protocol's, to its number of examples.
        samples: number of generated samples; None if it is not known yet.
    """
    too_few = []
    for name, metric in metrics.items():
        examples = real(metric.real_split) if metric.uses_real else metric.min_samples
        try:
            with named(name):
                metric.check_counts(examples, metric.min_samples if samples is None else samples)
        except ConfigError as error:
            too_few.append(str(error))
    if too_few:
        raise ConfigError("\n".join(too_few))
