"""Before any trial, determine the score to search by, its direction, and how often it is taken."""

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
from ganlab.tuning.space import Space, first_and_last


def trial_config(fixed: list[str], space: Space) -> tuple[dict[str, Any], Protocol]:
    """Return the plain configuration of one valid trial, and the protocol of its scores.

    In this trial every setting to search over has its first value. If that configuration is
    invalid, every setting has its last value instead: not all combinations need be valid.

    Raises:
        ConfigError: a key or option is unknown, or both configurations are invalid.
    """
    _check_choices(space)
    first, last = first_and_last(space)
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
        score: the score that the user chose. If None, callbacks.checkpoints.monitor is used, or, if
            it is not set, the protocol's score that judges quality best.

    Raises:
        ConfigError: the protocol has no such score, or it is unknown whether higher or lower is
            better.
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
    # the name under which a protocol lists the scores of all classes
    pattern = f"{score.rpartition('/')[0]}/*"
    if score not in names and pattern not in names:
        raise ConfigError(
            f"score: received {score!r}; the protocol's scores are {', '.join(names)}."
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
    """Return the number of training examples between the scores by which runs may be pruned.

    Return 0, and print why, if runs cannot be pruned.
    """
    if str((config["trainer"] or {}).get("strategy")).startswith("ddp"):
        why = "runs over several processes cannot be pruned"
    elif every := config["callbacks"]["evaluation"].get("every_examples"):
        return every
    else:
        why = "no scores are taken during training; set callbacks.evaluation.every_examples=…"
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
    """Whether a higher value of a score is better; None if unknown.

    The score's metric decides or, if no metric has the score, the score's name.
    """
    by_prefix = {
        score: metric.is_higher_better(score)
        for metric in getattr(protocol, "metrics", {}).values()
        for score in metric.scores
    }
    # a score's name may be the metric's name for it, extended by the name of the features
    for prefix in sorted(by_prefix, key=len, reverse=True):
        if name.startswith(prefix):
            return by_prefix[prefix]
    return {"higher": True, "lower": False}.get(direction_of(name))
