"""What a protocol may ask of its metrics, its model and its data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ganlab.errors import ConfigError
from ganlab.metrics.base import Extractor, SampleMetric

INPUTS = {"samples", "features", "logits", "labels"}
OF_TRANSLATIONS = {"sources", "targets", "reconstructions", "segments"}


def needs_features(metric: SampleMetric) -> bool:
    """Whether a metric looks at what an extractor gives."""
    return "features" in metric.inputs or "logits" in metric.inputs


def check_metrics(
    metrics: Mapping[str, SampleMetric], features: Callable[[], Extractor] | None
) -> None:
    """Raise a ConfigError where there are none, or one that samples and features do not suit."""
    if not metrics:
        raise ConfigError("protocol.metrics: received none; needs one or more.")
    if features is not None and not callable(features):
        raise ConfigError(
            f"protocol.features: received {features!r}; choose them with features=NAME."
        )
    for name, metric in metrics.items():
        known = INPUTS | OF_TRANSLATIONS
        if not isinstance(metric, SampleMetric) or not set(metric.inputs) <= known:
            raise ConfigError(
                f"protocol.metrics.{name}: received {type(metric).__name__}; needs a metric of "
                "samples, features, logits or labels. Check the name: a metric's settings are "
                "protocol.metrics.<metric>.<setting>=…"
            )
        if features is None and needs_features(metric):
            raise ConfigError(
                f"protocol.metrics.{name}: looks at features, and protocol.features is null. "
                "Choose some: features=digits, features=inception, …"
            )


def check_no_translations(metrics: Mapping[str, SampleMetric]) -> None:
    """Raise a ConfigError for a metric of what only translations have."""
    for name, metric in metrics.items():
        if found := OF_TRANSLATIONS & set(metric.inputs):
            raise ConfigError(
                f"protocol.metrics.{name}: looks at {', '.join(sorted(found))}, which only "
                "translations of pictures have. Leave it out "
                f"(protocol.metrics.{name}=null), or choose another protocol."
            )


def check_generates(module: Any) -> None:
    """Raise a ConfigError for a model that makes no samples."""
    if not hasattr(module, "draw_inputs"):
        suits = "pairs, hidden_pairs, cycle" if hasattr(module, "translate") else "accuracy"
        raise ConfigError(
            f"evaluation: a {type(module).__name__} makes no samples. Choose a protocol that suits "
            f"it (protocol= {suits}), or protocol=none in a training."
        )


def check_labelled(name: str, has_labels: bool, class_names: tuple[str, ...], data: Any) -> None:
    """Raise a ConfigError where generated or real samples have no labels, or other classes.

    Args:
        name: of the metric that needs labels.
        has_labels: whether generated samples have any.
        class_names: what they are called; empty where they are just numbers.
        data: the data module of the real samples.
    """
    without = f"protocol.metrics.{name}=null"
    if not has_labels:
        raise ConfigError(
            f"protocol.metrics.{name}: needs generated samples with labels, and these have none. "
            f"Use a conditional model (model=cdcgan, …), or {without}."
        )
    if data.classes is None:
        raise ConfigError(
            f"protocol.metrics.{name}: needs labels, and {data.title} has none. Choose data with "
            f"classes, or {without}."
        )
    names = getattr(data, "class_names", ())
    if class_names and names and class_names != names:
        raise ConfigError(
            f"protocol.metrics.{name}: the classes of generated images are "
            f"{', '.join(class_names)}, those of real ones {', '.join(names)}. Name the "
            f"sub-folders alike, or {without}."
        )


@contextmanager
def named(name: str) -> Iterator[None]:
    """Say of a metric's refusal how to change the metric, or to do without it."""
    try:
        yield
    except ConfigError as error:
        where = f"protocol.metrics.{name}"
        hint = f"({where}.<setting>=… changes a setting, {where}=null leaves the metric out.)"
        raise ConfigError(f"evaluation: {error} {hint}") from None
