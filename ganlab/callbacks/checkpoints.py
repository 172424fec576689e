"""Complete checkpoints at the end of a batch, from which a run resumes bit for bit."""

from __future__ import annotations

import math
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from lightning.pytorch import Callback, Trainer

from ganlab.callbacks.cadence import crossed
from ganlab.callbacks.failures import logged_failure
from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError, one_of
from ganlab.files import atomic, link, sync, sync_folder
from ganlab.private import checkpoint_of
from ganlab.ranks import is_main
from ganlab.signals import handled_by


class Checkpoints(Callback):
    """Writes `checkpoints/last.ckpt`, and keeps the checkpoint before it as `previous.ckpt`.

    It saves at the end of a batch: every `every_examples` examples, at the end of the budget, and
    on the signals of `ganlab.signals`, after which the run stops. After an exception it writes
    `failed.ckpt`, which may be from the middle of a batch and is meant for inspection only.

    From the first checkpoint on, a killed process leaves a `last.ckpt` that loads: a new checkpoint
    replaces it only when it is on the disk. If it cannot be written, both older files stay.

    Args:
        folder: the run's folder.
        every_examples: cadence of saving, in examples; None saves only at the end.
        keep_every: cadence of the permanent checkpoints `<examples>.ckpt`, in examples; None keeps
            none.
        monitor: name of a score; the checkpoint with its best value is kept as `best.ckpt`.
        mode: "min" if lower values of the monitored score are better, "max" if higher.

    Raises:
        ConfigError: a cadence below 1 or an unknown mode.
    """

    cadences = ("every_examples", "keep_every")  # attributes that shrink with a shortened run

    def __init__(
        self,
        folder: str,
        every_examples: int | None = 50_000,
        keep_every: int | None = None,
        monitor: str | None = None,
        mode: Literal["min", "max"] = "min",
    ) -> None:
        for name, value in (("every_examples", every_examples), ("keep_every", keep_every)):
            if value is not None and value < 1:
                raise ConfigError(
                    f"checkpoints.{name}: received {value}; needs 1 or more, or null."
                )
        one_of("checkpoints.mode", mode, ("min", "max"))
        self.folder = Path(folder) / "checkpoints"
        self.every_examples, self.keep_every = every_examples, keep_every
        self.monitor, self.mode = monitor, mode
        self.best: float | None = None
        self.best_examples: int | None = None
        self.has_saved = False  # whether this session has written last.ckpt
        self.interrupted_by: str | None = None
        self._requests = 0  # signals SIGINT and SIGTERM that this process has received
        self._handlers = ExitStack()

    # --- signals -------------------------------------------------------------------------------

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Install the handlers of signals.

        The first signal stops the run at the end of the batch; the second SIGINT or SIGTERM of this
        process stops it at once. Handlers that are installed in earlier hooks get wrapped by a
        handler of Lightning that raises.
        """
        self._handlers.enter_context(handled_by(self._interrupt))

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        self.interrupted_by = self.interrupted_by or name
        # at a logout, SIGHUP comes beside SIGTERM, and perhaps repeatedly
        self._requests += name != "SIGHUP"
        if name == "SIGINT" and self._requests == 1 and is_main():
            with suppress(RuntimeError, OSError, ValueError):  # e.g. while something is printed
                text = "Stopping, after a checkpoint is saved. Ctrl-C again stops at once."
                print(text, file=sys.stderr, flush=True)
        if self._requests > 1:
            raise KeyboardInterrupt

    def on_train_end(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Restore the previous signal handlers."""
        self._handlers.close()

    def _is_interrupted(self, trainer: Trainer, module: AdversarialModule) -> bool:
        if trainer.world_size == 1:
            return self.interrupted_by is not None
        # Ranks must stop at the same batch. Agreeing costs a round trip, too much for every batch.
        if module.batches_seen % module.log_every:
            return False
        return trainer.strategy.reduce_boolean_decision(self.interrupted_by is not None, all=False)

    # --- saving ----------------------------------------------------------------------------------

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Save if a checkpoint is due or best, or if the run is about to stop."""
        if self._is_interrupted(trainer, pl_module):
            self.interrupted_by = self.interrupted_by or "another rank"
            trainer.should_stop = True
        is_best = self._is_best(pl_module)
        is_kept = crossed(pl_module, self.keep_every)
        is_due = crossed(pl_module, self.every_examples)
        if is_best or is_kept or is_due or trainer.should_stop:
            self.save(trainer, pl_module)
            if is_best:
                self._keep_as(trainer, "best.ckpt")
            if is_kept:
                self._keep_as(trainer, f"{pl_module.examples_seen:012d}.ckpt")

    def on_exception(
        self, trainer: Trainer, pl_module: AdversarialModule, exception: BaseException
    ) -> None:
        """Write `failed.ckpt`; the other checkpoints stay as they are."""
        self._handlers.close()  # Lightning calls no teardown after an exception
        is_failure = isinstance(exception, Exception) and trainer.optimizers
        if is_failure and trainer.is_global_zero:
            with logged_failure("failed.ckpt"):
                self._write(trainer, "failed.ckpt")

    def save(self, trainer: Trainer, module: AdversarialModule) -> None:
        """Write `last.ckpt`, and keep the old `last.ckpt` as `previous.ckpt`."""
        module.check_finite()
        for logger in trainer.loggers:  # a resumed run will not log these rows again
            logger.save()
        self._write(trainer, "last.ckpt", name_of_old="previous.ckpt")
        self.has_saved = True
        trainer.strategy.barrier("ganlab_checkpoint")

    def _write(self, trainer: Trainer, name: str, name_of_old: str | None = None) -> None:
        path = self.folder / name
        checkpoint = checkpoint_of(trainer)
        if trainer.is_global_zero:
            with atomic(path) as temporary:
                trainer.strategy.checkpoint_io.save_checkpoint(checkpoint, temporary)
                if name_of_old and path.exists():
                    sync(temporary)  # before the oldest checkpoint is given up
                    link(path, path.with_name(name_of_old))
            sync_folder(self.folder)

    def _keep_as(self, trainer: Trainer, name: str) -> None:
        if trainer.is_global_zero:
            link(self.folder / "last.ckpt", self.folder / name)

    def _is_best(self, module: AdversarialModule) -> bool:
        if self.monitor is None or module.scored_at != module.examples_seen:
            return False
        value = module.latest.get(self.monitor)
        if value is None:
            raise ConfigError(
                f"checkpoints.monitor: {self.monitor!r} is not logged; allowed "
                f"{', '.join(sorted(module.latest))}."
            )
        if not math.isfinite(value):
            return False
        sign = 1 if self.mode == "min" else -1
        if self.best is not None and sign * value >= sign * self.best:
            return False
        self.best, self.best_examples = value, module.examples_seen
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the best monitored value so far, and the examples seen at that time."""
        return {"best": self.best, "best_examples": self.best_examples}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the values of `state_dict`."""
        self.best, self.best_examples = state_dict["best"], state_dict["best_examples"]
