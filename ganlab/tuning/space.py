"""The search space: overrides in Hydra's grammar, converted to Optuna's distributions."""

from __future__ import annotations

from itertools import islice
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep
from hydra.errors import HydraException
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from ganlab.errors import ConfigError, nearest
from ganlab.record.old_names import current_override

Space = dict[str, BaseDistribution]

TAGS = ["log", "int"]


def split_space(overrides: list[str]) -> tuple[list[str], Space]:
    """Return the overrides with a fixed value, and a dict from other keys to distributions.

    choice(a,b) and a,b become choices, range(…) numbers in steps, interval(a,b) a float,
    tag(int,interval(a,b)) an integer, and tag(log,…) a number on a logarithmic scale.

    Raises:
        ConfigError: an override cannot be read, or its range is empty or impossible.
    """
    parser, fixed, space = OverridesParser.create(), [], {}
    for text in overrides:
        key = text.partition("=")[0]
        try:
            override = parser.parse_override(text)
        except HydraException as error:
            raise ConfigError(
                f"{text}: cannot be read: {str(error).splitlines()[0]}. Write key=value, key=a,b, "
                "key=range(1,9), key=interval(0.1,0.9) or key=tag(log,interval(1e-4,1e-2))."
            ) from None
        if not override.is_sweep_override():
            fixed.append(text)
            continue
        try:
            space[key] = _distribution(override)
        except ValueError as error:
            raise ConfigError(f"{text}: {str(error).rstrip('.')}.") from None
    return fixed, space


def suggest(trial: Trial, space: Space) -> list[str]:
    """Return the overrides of one trial; values that the trial already has are not changed."""
    return [
        current_override(f"{key}={_suggest(trial, key, distribution)}")
        for key, distribution in space.items()
    ]


def first_and_last(space: Space) -> tuple[list[str], list[str]]:
    """Return overrides that set each key to its first value, and overrides for the last values."""
    pairs = {
        key: (distribution.choices[0], distribution.choices[-1])
        if isinstance(distribution, CategoricalDistribution)
        else (distribution.low, distribution.high)
        for key, distribution in space.items()
    }
    return tuple([f"{key}={pair[end]!s}" for key, pair in pairs.items()] for end in (0, 1))


def describe(distribution: BaseDistribution | None) -> str:
    """Return a distribution in words."""
    if distribution is None:
        return "not searched over"
    if isinstance(distribution, CategoricalDistribution):
        return f"one of {', '.join(map(str, distribution.choices))}"
    scale = " on a logarithmic scale" if distribution.log else ""
    step = f" in steps of {distribution.step:g}" if distribution.step is not None else ""
    return f"{distribution.low:g} … {distribution.high:g}{step}{scale}"


def changes(old: Space, new: Space) -> list[str]:
    """Return the changes that prevent resuming a search; a wider range does not prevent it."""
    return [
        f"{key}: {describe(old.get(key))} → {describe(new.get(key))}"
        for key in (*old, *(key for key in new if key not in old))
        if not _extends(old.get(key), new.get(key))
    ]


def _extends(old: BaseDistribution | None, new: BaseDistribution | None) -> bool:
    if old == new:
        return True
    numeric = (FloatDistribution, IntDistribution)
    if type(old) is not type(new) or not isinstance(old, numeric) or not isinstance(new, numeric):
        return False
    same_grid = old.log == new.log and old.step == new.step
    if old.step is not None:  # each value of `old` must be a value of `new`
        same_grid &= float((old.low - new.low) / old.step).is_integer()
    return same_grid and new.low <= old.low and old.high <= new.high


def _suggest(trial: Trial, key: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(key, distribution.choices)
    low, high = distribution.low, distribution.high
    options = {"step": distribution.step, "log": distribution.log}
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(key, low, high, **options)
    return trial.suggest_float(key, low, high, **options)


def _distribution(override: Any) -> BaseDistribution:
    sweep = override.value()
    tags = getattr(sweep, "tags", set())
    for tag in sorted(tags):
        if tag not in TAGS:
            raise ValueError(
                f"there is no tag {tag!r}; allowed {', '.join(TAGS)}.{nearest(tag, TAGS)}"
            )
    if isinstance(sweep, ChoiceSweep):
        if tags:
            raise ValueError("choices have no order, so a tag has no effect on them; leave it out")
        return CategoricalDistribution(list(dict.fromkeys(override.sweep_string_iterator())))
    if isinstance(sweep, IntervalSweep):
        low, high = sweep.start, sweep.end
        if "int" not in tags and not isinstance(low, int):
            return FloatDistribution(low, high, log="log" in tags)
        if int(low) != low or int(high) != high:
            raise ValueError("tag int needs whole numbers as the ends of the interval")
        return IntDistribution(int(low), int(high), log="log" in tags)
    if isinstance(sweep, RangeSweep):
        return _steps(sweep)
    raise ValueError("tune cannot expand glob(); write the choices out")


def _steps(sweep: RangeSweep) -> IntDistribution | FloatDistribution:
    if sweep.step == 0:
        raise ValueError("received a step of 0; give another step")
    values = list(islice(sweep.range(), 1_000_001))
    if not 1 <= len(values) <= 1_000_000:
        amount = "no" if not values else "more than 1,000,000"
        raise ValueError(f"the range has {amount} values; its end is exclusive")
    low, high = sorted((values[0], values[-1]))
    log = "log" in sweep.tags
    if all(isinstance(value, int) for value in (low, high, sweep.step)):
        return IntDistribution(low, high, step=abs(sweep.step), log=log)
    # rounded, since in floating point seven steps of 0.1 make 0.7000000000000001
    low, high, step = (float(f"{value:.12g}") for value in (low, high, abs(sweep.step)))
    if "int" in sweep.tags:
        raise ValueError("tag int needs whole numbers as the ends and the step of the range")
    return FloatDistribution(low, high, step=None if log else step, log=log)
