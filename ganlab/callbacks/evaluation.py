"""Scores during training, each with its protocol."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import Callback, Trainer

from ganlab.callbacks.cadence import crossed
from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError
from ganlab.metrics import Protocol, Score


class Evaluation(Callback):
    """Scores the model by a protocol every n examples and at the end.

    Args:
        protocol: what is measured, and how.
        every_examples: cadence; None scores at the end alone.

    Attributes:
        scores: the newest ones.
        seconds: that scoring has taken in this session.

    Raises:
        ConfigError: a cadence below 1.
    """

    cadences = ("every_examples",)  # of the run: they shrink when it is shortened

    def __init__(self, protocol: Protocol, every_examples: int | None = None) -> None:
        if every_examples is not None and every_examples < 1:
            raise ConfigError(
                f"evaluation.every_examples: received {every_examples}; needs 1 or more."
            )
        self.protocol, self.every_examples = protocol, every_examples
        self.scores: dict[str, Score] = {}
        self.seconds = 0.0

    def setup(self, trainer: Trainer, pl_module: AdversarialModule, stage: str) -> None:
        """Load the real data that scores need: what is missing is missed before training."""
        if trainer.is_global_zero:  # what is downloaded is downloaded once
            self.protocol.prepare(trainer.datamodule)
        trainer.strategy.barrier("ganlab_evaluation")
        self.protocol.prepare(trainer.datamodule)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: AdversarialModule, *args: Any
    ) -> None:
        """Score if it is time; all ranks share the work and get the scores."""
        if not (crossed(pl_module, self.every_examples) or trainer.should_stop):
            return
        started = time.monotonic()
        self.scores = self.protocol.evaluate(
            pl_module, trainer.datamodule, trainer.global_rank, trainer.world_size
        )
        pl_module.scored_at = pl_module.examples_seen
        pl_module.log_values({name: score.value for name, score in self.scores.items()})
        self.seconds += time.monotonic() - started

    def state_dict(self) -> dict[str, Any]:
        """The newest scores, which a run that dies before it has noted them would lose."""
        return {"scores": {name: score.as_dict() for name, score in self.scores.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See `state_dict`."""
        self.scores = {name: Score.from_dict(score) for name, score in state_dict["scores"].items()}
