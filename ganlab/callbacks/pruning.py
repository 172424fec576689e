"""Stops a run early if its scores during training are worse than those of other runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, Trainer

from ganlab.callbacks.cadence import crossed
from ganlab.callbacks.checkpoints import Checkpoints
from ganlab.callbacks.evaluation import Evaluation
from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError


class Pruning(Callback):
    """Passes each new score to `judge`, and stops the run if `judge` returns True.

    The run stops at the batch of that score, with a checkpoint. Supports only one process per run.

    Args:
        score: name of the score.
        judge: function of the examples seen and the score that returns whether to stop; ignored if
            the run is about to stop anyway. The examples are rounded down to a multiple of the
            evaluation's cadence, so that runs with different batch sizes can be compared.

    Attributes:
        pruned: whether `judge` has stopped the run.
    """

    def __init__(self, score: str, judge: Callable[[int, float], bool]) -> None:
        self.score, self.judge = score, judge
        self.pruned = False

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Call `judge` if there is a new score.

        Raises:
            ConfigError: no score with the name `score` is logged.
        """
        examples = pl_module.examples_seen
        if pl_module.scored_at != examples:
            return
        value = pl_module.latest.get(self.score)
        if value is None:
            raise ConfigError(
                f"score: {self.score!r} is not logged; allowed "
                f"{', '.join(sorted(pl_module.latest))}."
            )
        every = next(
            (c.every_examples for c in trainer.callbacks if isinstance(c, Evaluation)), None
        )
        if every and crossed(pl_module, every):
            examples = examples // every * every
        if self.judge(examples, value) and not trainer.should_stop:
            self.pruned = trainer.should_stop = True
            for callback in trainer.callbacks:
                if isinstance(callback, Checkpoints):
                    callback.save(trainer, pl_module)
