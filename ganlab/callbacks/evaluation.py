"""Scores the model during training with a protocol."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import Callback, Trainer

from ganlab.callbacks.cadence import crossed
from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError
from ganlab.metrics import Protocol, Score, Work
from ganlab.metrics.memory import DEFAULT_MEMORY


class Evaluation(Callback):
    """Scores the model with a protocol every `every_examples` examples and at the end.

    Args:
        protocol: the protocol, which computes the scores.
        every_examples: cadence in examples; None scores only at the end.

    Attributes:
        memory: bytes that the scores may take, see `Work`.
        scores: the newest scores by name.
        seconds: time spent on scoring in this session.
        is_scoring: whether the model is being scored now.

    Raises:
        ConfigError: the cadence is below 1.
    """

    cadences = ("every_examples",)  # attributes that shrink with a shortened run

    def __init__(self, protocol: Protocol, every_examples: int | None = None) -> None:
        if every_examples is not None and every_examples < 1:
            raise ConfigError(
                f"evaluation.every_examples: received {every_examples}; needs 1 or more."
            )
        self.protocol, self.every_examples = protocol, every_examples
        self.memory = DEFAULT_MEMORY
        self.scores: dict[str, Score] = {}
        self.seconds = 0.0
        self.is_scoring = False

    def setup(self, trainer: Trainer, pl_module: AdversarialModule, stage: str) -> None:
        """Load the protocol's real data, so that missing data raises before training."""
        if trainer.is_global_zero:  # rank 0 first, so that only one rank downloads
            self.protocol.prepare(trainer.datamodule)
        trainer.strategy.barrier("ganlab_evaluation")
        self.protocol.prepare(trainer.datamodule)

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Score the model if due or at the end; all ranks share the work and get the scores."""
        if not (crossed(pl_module, self.every_examples) or trainer.should_stop):
            return
        started = time.monotonic()
        self.is_scoring = True
        work = Work(trainer.global_rank, trainer.world_size, memory=self.memory)
        self.scores = self.protocol.evaluate(pl_module, trainer.datamodule, work)
        pl_module.scored_at = pl_module.examples_seen
        pl_module.log_values({name: score.value for name, score in self.scores.items()})
        self.seconds += time.monotonic() - started
        self.is_scoring = False

    def state_dict(self) -> dict[str, Any]:
        """Return the newest scores: a run may be killed before they are in run.json."""
        return {"scores": {name: score.as_dict() for name, score in self.scores.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the scores of `state_dict`."""
        self.scores = {name: Score.from_dict(score) for name, score in state_dict["scores"].items()}
