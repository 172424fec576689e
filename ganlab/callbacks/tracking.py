"""Keeps a run's record up to date during training."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer

from ganlab.callbacks.checkpoints import Checkpoints
from ganlab.callbacks.evaluation import Evaluation
from ganlab.core import AdversarialModule
from ganlab.files import append_text
from ganlab.record.curves import save_curves
from ganlab.record.log import rename_columns
from ganlab.record.loggers import CSVLogger, TensorBoard
from ganlab.record.run import RunRecord


class Tracking(Callback):
    """Writes counters and scores to `run.json`, speed to `timing.csv`, and `curves.png` at the end.

    Times are not written to `metrics.csv`, so that a resumed run gives the same `metrics.csv` as an
    uninterrupted run.

    Args:
        record: the run's record.
        seconds: seconds between updates.
    """

    def __init__(self, record: RunRecord, seconds: float = 10.0) -> None:
        self.record, self.seconds = record, seconds
        self.timing: Path = record.folder / "timing.csv"
        self._checkpoints: Checkpoints | None = None
        self._next = 0.0
        self._last = (time.monotonic(), 0)
        self._evaluated_before = float(record.data.get("evaluation_seconds", 0.0))

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Continue the logs after the last row before the checkpoint."""
        self._checkpoints = next((c for c in trainer.callbacks if isinstance(c, Checkpoints)), None)
        for logger in trainer.loggers:
            if isinstance(logger, (CSVLogger, TensorBoard)):
                logger.resume(pl_module.logged_at)
        if self.timing.exists():
            rename_columns(self.timing)
        self._next = time.monotonic() + self.seconds
        self._last = (time.monotonic(), pl_module.examples_seen)

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Update the record if due, at the first checkpoint, or if the run is about to stop."""
        has_saved = self._checkpoints is not None and self._checkpoints.has_saved
        is_first = has_saved and not self.record.data.get("has_checkpoint")
        if is_first or time.monotonic() >= self._next or trainer.should_stop:
            self.update(trainer, pl_module)
            self._next = time.monotonic() + self.seconds

    def update(self, trainer: Trainer, module: AdversarialModule) -> None:
        """Write the current counters and scores to run.json, and a row to timing.csv."""
        evaluation = next((c for c in trainer.callbacks if isinstance(c, Evaluation)), None)
        scores = {n: s.as_dict() for n, s in evaluation.scores.items()} if evaluation else {}
        counters = {
            "examples_seen": module.examples_seen,
            "batches_seen": module.batches_seen,
            "steps": dict(module.steps),
        }
        checkpoints = self._checkpoints
        if checkpoints and checkpoints.best_examples is not None:
            best = {
                "monitor": checkpoints.monitor,
                "value": checkpoints.best,
                "examples_seen": checkpoints.best_examples,
            }
            self.record.data["best"] = best
        if evaluation:
            self.record.data["evaluation_seconds"] = round(
                self._evaluated_before + evaluation.seconds, 3
            )
        has_checkpoint = bool(checkpoints and checkpoints.has_saved)
        # of an earlier session, also of a version that did not record it
        has_checkpoint |= (self.record.folder / "checkpoints" / "last.ckpt").exists()
        self.record.write(
            counters=counters,
            has_checkpoint=has_checkpoint or self.record.data.get("has_checkpoint", False),
            scores=scores or self.record.data["scores"],
        )
        now, (last_time, last_examples) = time.monotonic(), self._last
        if module.examples_seen > last_examples:
            rate = (module.examples_seen - last_examples) / (now - last_time)
            seconds = self.record.data["seconds"]
            row = f"{module.examples_seen},{module.batches_seen},{seconds},{rate:.1f}\n"
            header = "examples_seen,batches_seen,seconds,examples_per_second\n"
            append_text(self.timing, row if self.timing.exists() else header + row)
            self._last = (now, module.examples_seen)

    def on_train_end(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Write the record and draw the curves."""
        for logger in trainer.loggers:
            logger.save()
        self.update(trainer, pl_module)
        save_curves(self.record.folder)

    def on_exception(
        self, trainer: Trainer, pl_module: AdversarialModule, exception: BaseException
    ) -> None:
        """Save the logs, and update the record if at least one batch was trained."""
        for logger in trainer.loggers:
            logger.save()
        if trainer.optimizers and pl_module.batches_seen:
            self.update(trainer, pl_module)
