"""Notes what the parts of a game are asked: by methods of the classes that a config names."""

import functools
from dataclasses import dataclass

import torch

from ganlab.config.targets import locate
from ganlab.regularizers import Regularizer
from ganlab.regularizers.base import GradientPenaltyBase, Penalty


@dataclass
class Call:
    """Of a spied method.

    Attributes:
        batch, examples: how many had been seen.
        of: the object.
        settings: what the object held.
        given: its first argument, if a tensor.
        result: what it gave.
    """

    batch: int
    examples: int
    of: object
    settings: dict
    given: object
    result: object


def spy(patch, part, counters):
    """Lists of calls, by method, of objects that have a part's class and settings.

    Args:
        patch: pytest's monkeypatch.
        part: a configuration with a `_target_`.
        counters: gives batches and examples seen; None as long as nothing is to be noted.
    """
    cls = locate(part["_target_"], "part")
    calls = {method: [] for method in _asked(cls)}
    for method, seen in calls.items():
        patch.setattr(cls, method, _spied(cls, method, part, counters, seen))
    return calls


def _spied(cls, method, part, counters, seen):
    real = getattr(cls, method)

    @functools.wraps(real)
    def spied(this, *args, **options):
        result = real(this, *args, **options)
        if type(this) is cls and (now := counters()) and _has_settings(this, part):
            given = args[0] if args else None
            seen.append(Call(*now, this, dict(vars(this)), _kept(given), _kept(result)))
        return result

    return spied


def _asked(cls):
    """What a part of its class is asked for while it trains."""
    if issubclass(cls, Penalty):
        return ["of_gradients" if issubclass(cls, GradientPenaltyBase) else "of_parameters"]
    if issubclass(cls, Regularizer):
        every = ("perturb", "constrain")
        return [name for name in every if getattr(cls, name) is not getattr(Regularizer, name)]
    names = ("discriminator", "generator", "look_ahead", "decay", "__call__")
    return [name for name in names if name in dir(cls)]


def _has_settings(thing, part):
    """Whether it has kept the arguments of its configuration, as far as it keeps them by name."""
    kept = vars(thing)
    return all(
        kept[key] == value
        for key, value in part.items()
        if key in kept and isinstance(value, (int, float, str))
    )


def _kept(value):
    return value.detach().clone() if isinstance(value, torch.Tensor) else value
