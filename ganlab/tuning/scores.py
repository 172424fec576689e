"""Determine the score of a search before any trial: its name, direction and cadence."""

from __future__ import annotations

import sys
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution

from ganlab.config.checks import check
from ganlab.config.compose import compose, to_plain
from ganlab.config.groups import check_choice, groups
from ganlab.core.build import make
from ganlab.errors import ConfigError, nearest
from ganlab.metrics import Protocol
from ganlab.reports.comparison.scores import direction_of, quality_rank
from ganlab.tuning.space import Space, ends


def example(fixed: list[str], space: Space) -> tuple[dict[str, Any], Protocol]:
    """Return the plain configuration of one valid trial, and the protocol of its scores.

    Every setting of the trial has its first value, or, if that configuration is invalid, its last.
    Some combinations of the values may be invalid.

    Raises:
        ConfigError: a key or option is unknown, or both configurations are invalid.
    """
    _check_choices(space)
    first, last = ends(space)
    try:
        return _checked([*fixed, *first])
    except ConfigError as error:
        try:
            return _checked([*fixed, *last])
        except ConfigError:
            raise error from None


def direction(config: dict[str, Any], protocol: Protocol, score: str | None) -> tuple[str, bool]:
    """Return the score to search by, and whether higher is better.

    Args:
        config: the plain configuration of one trial.
        protocol: the protocol of its scores, checked.
        score: the score that the user chose; None for callbacks.checkpoints.monitor, else the best
            judge of quality among the protocol's scores.

    Raises:
        ConfigError: the protocol has no such score, or the score has no better direction.
    """
    names = protocol.names
    known = {name: better for name in names if (better := _better(name, protocol)) is not None}
    checkpoints = (config.get("callbacks") or {}).get("checkpoints") or {}
    if score is None and (monitor := checkpoints.get("monitor")):
        return monitor, known.get(monitor, checkpoints.get("mode", "min") == "max")
    if score is None:
        ranked = sorted((name for name in names if direction_of(name)), key=quality_rank)
        score = next((name for name in [*ranked, *known] if name in known), None)
    if score is None:
        raise ConfigError(
            f"protocol: neither higher nor lower is better for its scores ({', '.join(names)}). "
            "Choose another protocol=NAME."
        )
    pattern = f"{score.rpartition('/')[0]}/*"  # e.g. for the score of one class
    if score not in names and pattern not in names:
        raise ConfigError(
            f"score: received {score!r}; the evaluation gives {', '.join(names)}."
            f"{nearest(score, list(names))}"
        )
    better = known.get(score, known.get(pattern))
    if better is None:
        choice = f"one of {', '.join(known)}" if known else "another protocol"
        raise ConfigError(
            f"score: for {score} neither higher nor lower is better; choose {choice}."
        )
    return score, better


def examples_between_scores(config: dict[str, Any]) -> int:
    """Return the examples between the scores by which a run may be pruned.

    Return 0, and print why, if runs cannot be pruned.
    """
    if str((config["trainer"] or {}).get("strategy")).startswith("ddp"):
        why = "runs over several processes cannot be pruned"
    elif every := config["callbacks"]["evaluation"].get("every_examples"):
        return every
    else:
        why = "there are no scores during training; set callbacks.evaluation.every_examples=…"
    print(f"No run is pruned: {why}.", file=sys.stderr)
    return 0


def _check_choices(space: Space) -> None:
    parser = OverridesParser.create()
    for key, distribution in space.items():
        group = key.partition("@")[0]
        if isinstance(distribution, CategoricalDistribution) and group in groups():
            for choice in distribution.choices:
                check_choice(group, parser.parse_override(f"{key}={choice}").value())


def _checked(overrides: list[str]) -> tuple[dict[str, Any], Protocol]:
    composed = compose(overrides)
    composed.run_dir = "outputs/tune"
    config = to_plain(composed)
    module, data = check(config)
    evaluation = (config.get("callbacks") or {}).get("evaluation")
    if module is None or not evaluation:
        raise ConfigError(
            "protocol: none is chosen, but a search needs scores. Choose protocol=NAME, see "
            "`ganlab list protocols`."
        )
    protocol = make(evaluation).protocol
    protocol.check(module, data)
    return config, protocol


def _better(name: str, protocol: Protocol) -> bool | None:
    """Whether a higher score is better, by its metric, else by its name; None if unknown."""
    of_metrics = {
        score: metric.is_higher_better(score)
        for metric in getattr(protocol, "metrics", {}).values()
        for score in metric.scores
    }
    # a name begins with its metric's score, and may add the feature extractor
    for score in sorted(of_metrics, key=len, reverse=True):
        if name.startswith(score):
            return of_metrics[score]
    return {"higher": True, "lower": False}.get(direction_of(name))
