"""Ends a run early whose scores on the way are poor beside those of other runs."""

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
    """Shows each new score to a judge, and stops the run when the judge says so.

    The run stops at the batch of that score, with a checkpoint. For runs in one process.

    Args:
        score: name of the score.
        judge: takes the examples seen and the score, and returns whether to stop; of no effect in a
            run that is about to stop anyway. The examples are the multiple of the evaluation's
            cadence that has been reached, so that runs of unlike batch sizes can be compared.

    Attributes:
        pruned: whether the judge has stopped the run.
    """

    def __init__(self, score: str, judge: Callable[[int, float], bool]) -> None:
        self.score, self.judge = score, judge
        self.pruned = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: AdversarialModule, *args: Any
    ) -> None:
        """Ask the judge if there is a new score.

        Raises:
            ConfigError: the evaluation gives no score of that name.
        """
        examples = pl_module.examples_seen
        if pl_module.scored_at != examples:
            return
        value = pl_module.latest.get(self.score)
        if value is None:
            raise ConfigError(
                f"score: nothing named {self.score!r} is logged; there is "
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
