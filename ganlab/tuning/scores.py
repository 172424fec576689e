"""What a search goes by, found out before any trial: a score, its direction, scores on the way."""

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
from ganlab.reports.comparison.scores import direction_of, judged
from ganlab.tuning.space import Space, ends


def example(fixed: list[str], space: Space) -> tuple[dict[str, Any], Protocol]:
    """The plain configuration of one trial, and the protocol of its scores.

    It is the one with the first value of everything, or that with the last: not all combinations
    need to fit each other.

    Raises:
        ConfigError: an unknown key or option, or neither of the two configurations is valid.
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
    """The score to search by, and whether more of it is better.

    Args:
        config: plain, of one trial.
        protocol: of its scores, checked.
        score: what the user asks for; None for that of checkpoints.monitor, else the first of
            those that judge quality best.

    Raises:
        ConfigError: no such score, or one of which neither more nor less is better.
    """
    names = protocol.names
    known = {name: better for name in names if (better := _better(name, protocol)) is not None}
    checkpoints = (config.get("callbacks") or {}).get("checkpoints") or {}
    if score is None and (monitor := checkpoints.get("monitor")):
        return monitor, known.get(monitor, checkpoints.get("mode", "min") == "max")
    if score is None:
        ranked = sorted((name for name in names if direction_of(name)), key=judged)
        score = next((name for name in [*ranked, *known] if name in known), "")
    of_each = f"{score.rpartition('/')[0]}/*"  # of one class, say
    if score not in names and of_each not in names:
        raise ConfigError(
            f"score: received {score!r}; the evaluation gives {', '.join(names)}."
            f"{nearest(score, list(names))}"
        )
    better = known.get(score, known.get(of_each))
    if better is None:
        raise ConfigError(
            f"score: {score} is neither better when higher nor when lower; choose one of "
            f"{', '.join(known) or 'another protocol'}."
        )
    return score, better


def examples_between_scores(config: dict[str, Any]) -> int:
    """How many examples lie between scores that runs may be stopped by.

    It is 0, with a warning, where there are no such scores.
    """
    if str((config["trainer"] or {}).get("strategy")).startswith("ddp"):
        why = "runs over several processes are whole"
    elif every := config["callbacks"]["evaluation"].get("every_examples"):
        return every
    else:
        why = "there are no scores on the way; set callbacks.evaluation.every_examples=…"
    print(f"Nothing is pruned: {why}.", file=sys.stderr)
    return 0


def _check_choices(space: Space) -> None:
    parser = OverridesParser.create()
    for key, one in space.items():
        group = key.partition("@")[0]
        if isinstance(one, CategoricalDistribution) and group in groups():
            for choice in one.choices:
                check_choice(group, parser.parse_override(f"{key}={choice}").value())


def _checked(overrides: list[str]) -> tuple[dict[str, Any], Protocol]:
    composed = compose(overrides)
    composed.run_dir = "outputs/tune"
    config = to_plain(composed)
    module, data = check(config)
    evaluation = (config.get("callbacks") or {}).get("evaluation")
    if module is None or not evaluation:
        raise ConfigError(
            "protocol: none is chosen, and a search needs scores. Choose protocol=NAME, see "
            "`ganlab list protocols`."
        )
    protocol = make(evaluation).protocol
    protocol.check(module, data)
    return config, protocol


def _better(name: str, protocol: Protocol) -> bool | None:
    """Whether more of a score is better, by its metric, else by its name; None for neither."""
    of_metrics = {
        score: metric.is_higher_better(score)
        for metric in getattr(protocol, "metrics", {}).values()
        for score in metric.scores
    }
    for score in sorted(of_metrics, key=len, reverse=True):  # names add the extractor to a score
        if name.startswith(score):
            return of_metrics[score]
    return {"higher": True, "lower": False}.get(direction_of(name))
