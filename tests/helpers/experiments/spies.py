"""Records calls of methods of the classes that a configuration names."""

import functools
from dataclasses import dataclass

import torch

from ganlab.augment import Augmentation
from ganlab.config.targets import locate
from ganlab.regularizers import Regularizer
from ganlab.regularizers.base import GradientPenaltyBase, Penalty


@dataclass
class Call:
    """One call of a recorded method.

    Attributes:
        batch: batches seen at the call.
        examples: examples seen at the call.
        of: the object whose method was called.
        settings: the object's attributes after the call.
        given: the first argument; a copy if it is a tensor.
        result: the returned value; a copy if it is a tensor.
    """

    batch: int
    examples: int
    of: object
    settings: dict
    given: object
    result: object


def spy(patch, part, counters):
    """Return a dict from methods to lists of their calls, for objects that a part describes.

    The lists grow during the training.

    Args:
        patch: pytest's monkeypatch.
        part: a configuration with a `_target_`.
        counters: function that returns batches and examples seen, or None to record nothing.
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
    """Return the names of the methods of a class that a training calls."""
    if issubclass(cls, Penalty):
        return ["of_gradients" if issubclass(cls, GradientPenaltyBase) else "term"]
    if issubclass(cls, Augmentation):
        return ["forward"]
    if issubclass(cls, Regularizer):
        return ["constrain"] if cls.constrain is not Regularizer.constrain else []
    names = ("discriminator", "generator", "look_ahead", "decay", "__call__")
    return [name for name in names if name in dir(cls)]


def _has_settings(thing, part):
    """Whether the attributes of `thing` equal the settings of `part` with the same names."""
    kept = vars(thing)
    return all(
        kept[key] == value
        for key, value in part.items()
        if key in kept and isinstance(value, (int, float, str))
    )


def _kept(value):
    return value.detach().clone() if isinstance(value, torch.Tensor) else value
