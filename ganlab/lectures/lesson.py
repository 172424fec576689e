"""What a lecture's experiment makes in place of a trained model: a lesson."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import torch
from matplotlib.figure import Figure

from ganlab.core import AdversarialModule, Player, Schedule
from ganlab.data import TensorDataModule
from ganlab.errors import ConfigError
from ganlab.networks.checks import check_count


@dataclass(frozen=True)
class Lesson:
    """A figure, a few numbers, and what there is to see.

    Args:
        figure: to be understood alone.
        numbers: by name; "a/b" is number b of part a.
        sentences: two to five sentences: what is to be seen in the figure, with the numbers.
    """

    figure: Figure
    numbers: dict[str, float] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)


def require_counts(**settings: object) -> None:
    """Stop on settings of a lesson that are not whole numbers from 1.

    Raises:
        ConfigError: naming the first of them.
    """
    for name, value in settings.items():
        check_count(f"lesson.{name}", value)


def require(fits: bool, name: str, value: object, allowed: str) -> None:
    """Stop unless the `value` of a lesson's setting `name` fits; `allowed` says what would.

    Raises:
        ConfigError: it does not.
    """
    if not fits:
        raise ConfigError(
            f"lesson.{name}: received {value!r}; allowed: {allowed}. Set lesson.{name} so."
        )


def is_number(value: object, above: float = -math.inf) -> bool:
    """Whether it is a finite number, above some bound."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and above < value < math.inf


def are_numbers(values: object, length: int | None = None, above: float = -math.inf) -> bool:
    """Whether it is a sequence of so many (or of any) such numbers, at least one."""
    return (
        isinstance(values, Sequence)
        and (len(values) == length if length else len(values) > 0)
        and all(is_number(value, above) for value in values)
    )


def increasing(values: Sequence[float]) -> bool:
    """Whether each number is above the one before it."""
    return all(a < b for a, b in pairwise(values))


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of that many inches, drawn without a display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=14)
    return figure


def adam(lr: float | Schedule, betas: tuple[float, float] = (0.5, 0.999), every: int = 1) -> Player:
    """A player that moves by Adam."""
    return Player(partial(torch.optim.Adam, lr=lr, betas=betas, fused=True), every=every)


def play(
    module: AdversarialModule,
    data: TensorDataModule,
    batches: int,
    seed: int,
    after: Callable[[int], None] = lambda batches: None,
) -> None:
    """Play a game for so many batches, on the CPU, with nothing around it.

    Args:
        module: left in evaluation mode.
        data: whose training split is played with.
        batches: how many.
        seed: of everything random in the game.
        after: called after each batch with the number of batches so far.
    """
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import LambdaCallback

    watch = LambdaCallback(on_train_batch_end=lambda trainer, game, *_: after(game.batches_seen))
    module.seed = seed
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # its greeting and its advice
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Lightning, on workers and loggers that are not there
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
