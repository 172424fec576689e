"""What a study leaves: a figure, a few numbers, and what is to be seen in words."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch

from ganlab.core import AdversarialModule, Player, Schedule
from ganlab.data import TensorDataModule

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Lesson:
    """The result of a study.

    Args:
        figure: to be understood alone.
        numbers: by name; "a/b" is number b of part a.
        words: two to five sentences: what is to be seen in the figure, with the numbers.
    """

    figure: Figure
    numbers: dict[str, float] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of that many inches, drawn without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
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
