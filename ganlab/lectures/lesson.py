"""Lessons, the results of lecture experiments, and helpers that the lectures share."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganlab.core import AdversarialModule, Player, Schedule
from ganlab.data import TensorDataModule
from ganlab.errors import ConfigError
from ganlab.networks.checks import check_count


@dataclass(frozen=True)
class Lesson:
    """The result of a lecture experiment: a figure, numbers, and sentences that explain them.

    Args:
        figure: a figure that can be understood without other text.
        numbers: maps names to numbers; "a/b" is the name of number b of part a.
        sentences: two to five texts on what the figure shows, with the numbers.
    """

    figure: Figure
    numbers: dict[str, float] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)


def require_counts(**settings: object) -> None:
    """Raise unless all settings of a lesson are whole numbers of 1 or more.

    Raises:
        ConfigError: a setting is not allowed; the message names the first such setting.
    """
    for name, value in settings.items():
        check_count(f"lesson.{name}", value)


def require(fits: bool, name: str, value: object, allowed: str) -> None:
    """Raise unless a setting of a lesson is allowed.

    Args:
        fits: whether the value is allowed.
        name: the setting.
        value: its value, for the message.
        allowed: what is allowed, for the message.

    Raises:
        ConfigError: `fits` is False.
    """
    if not fits:
        raise ConfigError(f"lesson.{name}: received {value!r}; allowed: {allowed}.")


def is_number(value: object, above: float = -math.inf) -> bool:
    """Whether `value` is a finite number greater than `above`."""
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and above < value < math.inf


def are_numbers(values: object, length: int | None = None, above: float = -math.inf) -> bool:
    """Whether `values` is a sequence of finite numbers greater than `above`.

    It needs `length` numbers, or at least one number if `length` is None.
    """
    return (
        isinstance(values, Sequence)
        and (len(values) == length if length else len(values) > 0)
        and all(is_number(value, above) for value in values)
    )


def increasing(values: Sequence[float]) -> bool:
    """Whether each number is greater than the number before it."""
    return all(a < b for a, b in pairwise(values))


def new_figure(width: float, height: float, title: str) -> Figure:
    """Return an empty figure, sizes in inches, that needs no display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=14)
    return figure


def legend_below(axes: Axes, columns: int) -> None:
    """Add a legend below the axes, where it hides nothing."""
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13)}
    axes.legend(fontsize=9, ncols=columns, frameon=False, **place)


def adam(lr: float | Schedule, betas: tuple[float, float] = (0.5, 0.999), every: int = 1) -> Player:
    """Return a player with Adam as optimizer."""
    return Player(partial(torch.optim.Adam, lr=lr, betas=betas, fused=True), every=every)


def play(
    module: AdversarialModule,
    data: TensorDataModule,
    batches: int,
    seed: int,
    after: Callable[[int], None] = lambda batches: None,
) -> None:
    """Train a model on the CPU, without logs, checkpoints or other callbacks.

    Args:
        module: the model; it is in evaluation mode afterwards.
        data: data module; its training split is used.
        batches: number of batches.
        seed: seed of all random numbers of the training.
        after: called after each batch with the number of batches so far.
    """
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import LambdaCallback

    watch = LambdaCallback(on_train_batch_end=lambda trainer, game, *_: after(game.batches_seen))
    module.seed = seed
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # no log lines about devices
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning warns about missing workers and loggers
        trainer = Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            limit_train_batches=batches,
            callbacks=[watch],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(module, datamodule=data)
    module.eval()
