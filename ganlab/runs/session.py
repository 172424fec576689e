"""One training session: its folder, its record, its trainer, and what happens at its end."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from ganlab.callbacks import Budget, Checkpoints, Tracking
from ganlab.core.load import CHANGED, cannot_be_restored, check_belongs, newest_checkpoint
from ganlab.errors import GanlabError, NonFiniteLossError, RunError
from ganlab.files import from_here
from ganlab.ranks import check_launch, is_main
from ganlab.record.log import read_metrics
from ganlab.record.run import RunRecord, read_record, write_config
from ganlab.record.states import RUN_FILES, holds_nothing
from ganlab.record.wandb_logger import WandB
from ganlab.runs.assemble import assemble, load
from ganlab.runs.messages import Messages
from ganlab.runs.other_ranks import (
    OtherRanks,
    end_on_slurms_signal,
    end_with_main_process,
    exit_rank,
)
from ganlab.runs.resume import check_continues, resumes_at
from ganlab.runs.summary import fitted, summary


class Session:
    """A training from a checked plain configuration, used as a context manager.

    Nothing is written before the data, the checkpoint and the lock of the folder are known to be
    good. On exit, also after an error, the run's record receives the final status.

    Args:
        config: the configuration, plain and resolved.
        resume: whether to resume from the newest checkpoint in the folder.
        *callbacks: callbacks in addition to the configuration's callbacks.

    Raises:
        GanlabError: a folder in use, a missing data set, a loss that is not finite, or the like.
    """

    def __init__(self, config: dict[str, Any], resume: bool, *callbacks: Any) -> None:
        self.config, self.resume, self.callbacks = config, resume, callbacks
        self.folder = from_here(Path(config["run_dir"]))
        self.is_main = is_main()
        self.exit_code = 1
        self.interrupted = self.pruned = False
        self.record: RunRecord | None = None  # of the main process, once it holds the folder
        self.is_recorded = False  # whether the record says that this session has begun
        self.needs: tuple[str, ...] = ()  # keys of the batches
        self.loggers: list[Any] = []
        self.others: OtherRanks | None = None

    def __enter__(self) -> Session:
        check_launch(self.config["trainer"])
        end_on_slurms_signal()
        if self.is_main and self.resume:
            self.record = RunRecord(self.folder)
        elif self.is_main:
            self._refuse_other_run()
        self.messages = Messages(self.is_main)
        os.environ["GANLAB_RUN_DIR"] = self.config["run_dir"]  # for the other ranks of this run
        return self

    def fit(self) -> None:
        """Build everything and train."""
        self._say(f"{self.config['name']}: loading the data …")
        module, data, callbacks = load(self.config)
        self.needs = module.needs
        path = self._checkpoint() if self.resume else None
        if self.is_main:
            self._begin(data)
        tracking = [Tracking(self.record)] if self.record else []
        parts = assemble(self.config, module, data, callbacks, *self.callbacks, *tracking)
        self.loggers = parts.loggers
        self._log_config(parts.loggers)
        chosen = self.config["trainer"]["precision"]
        how = f", in {chosen} (precision=auto)" if self.config.get("precision") == "auto" else ""
        self._say(f"{self.config['name']}: writing to {self.folder}{how}")
        if self.is_main and parts.trainer.world_size > 1:
            self.others = OtherRanks(parts.trainer, self._say_failed)
        if not self.is_main:
            end_with_main_process()
        parts.fit(path)
        budget = next(c for c in parts.callbacks if isinstance(c, Budget))
        checkpoints = (c for c in parts.callbacks if isinstance(c, Checkpoints))
        stopped = any(c.interrupted_by for c in checkpoints)
        self.interrupted = stopped and budget.spent(module) < 1
        for phase in module.phases:
            if not module.due_batches[phase.name]:
                self._say(f"The phase {phase.name} was not due in any batch of the run.")
        if module.is_over:
            self._say("All phases of the game have ended, and with them the run.")
        self.pruned = any(getattr(callback, "pruned", False) for callback in self.callbacks)

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        stopped = is_keyboard_interrupt(error)
        if stopped:
            self.interrupted, error = True, None
        status = "interrupted" if self.interrupted else "pruned" if self.pruned else "finished"
        rank_failure = self.others.stop(error) if self.others else None
        status = "failed" if error else status
        self.exit_code = {"failed": 1, "interrupted": 130}.get(status, 0)
        for logger in self.loggers:
            if isinstance(logger, WandB):
                logger.finish(status, error)
        if error is not None:
            logging.getLogger("ganlab").error("".join(traceback.format_exception(error)))
            error = rank_failure or error
        os.environ.pop("GANLAB_RUN_DIR", None)
        self.messages.close()
        if self.is_main and not self.is_recorded:
            if self.record:
                self.record.close()
            return False
        if self.record:
            try:
                message = None if error is None else f"{type(error).__name__}: {error}"
                self.record.end(status, message)
            except GanlabError as record_error:
                self._say(str(record_error))
        try:
            self._print_end(status, can_continue=not isinstance(error, NonFiniteLossError))
        except Exception as print_error:  # not raised: the record says how the run ended
            traceback.print_exc()
            print(
                f"The run has ended ({status}); its summary failed: {print_error}",
                file=sys.stderr,
                flush=True,
            )
        if self.others:
            self.others.end(failed=error is not None)
        if rank_failure:
            raise rank_failure from None
        if not self.is_main:
            self.exit_code = 0  # the launcher learns from the main process how the run ended
            if error is not None:
                exit_rank(error)
        return stopped

    # --- details -------------------------------------------------------------------------------

    def _begin(self, data: Any) -> None:
        """Take the folder, and write the run's record and configuration.

        Raises:
            RunError: the folder is in use, cannot be written, or holds another run; or the
                training data are not those of the resumed run.
        """
        if not self.record:
            self.record = RunRecord(self.folder)
            self._refuse_other_run()  # which may have begun while the data were loaded
            self.record.restart()
        data_hash = data.content_hash("train") if hasattr(data, "content_hash") else None
        before = self.record.data.get("data_hash")
        if None not in (before, data_hash) and before != data_hash:
            raise RunError(
                f"data: the training data differ from those that {self.folder} was trained on "
                f"(their hash was {before}, now it is {data_hash}). Restore those data, or give "
                "their folder with data.root=DIR; else start a new run."
            )
        self.record.start(
            self.config["name"],
            self.config["seed"],
            choices=self.config.get("choices"),
            baseline=self.config.get("baseline"),
            data_hash=data_hash,
        )
        self.is_recorded = True
        write_config(self.folder, self.config)
        self.messages.write_to(self.folder / "log.txt")

    def _refuse_other_run(self) -> None:
        if holds_nothing(self.folder):
            return
        if (self.folder / "run.json").exists():
            raise RunError(
                f"run_dir: {self.folder} holds a run already. Continue it with "
                f"`ganlab train run={self.folder} resume=true`, or choose another folder."
            )
        for name in RUN_FILES:
            if (self.folder / name).exists():
                raise RunError(
                    f"run_dir: {self.folder} holds {name} but no run.json. A new run would "
                    f"overwrite {name}. Choose another folder."
                )

    def _checkpoint(self) -> Path | None:
        """Return the checkpoint to resume from; None if the run has not saved any yet.

        Raises:
            CheckpointError: the checkpoints cannot be read, or belong to another model.
            RunError: the run has saved checkpoints, and none is left; or metrics.csv is damaged.
        """
        # a damaged log must not end the run after its record has changed
        rows = read_metrics(self.folder) if self.is_main else []
        newest = newest_checkpoint(self.folder)
        if newest is None:
            record = self.record.data if self.record else {}
            batches = (record.get("counters") or {}).get("batches_seen", 0)
            if record.get("has_checkpoint", batches > 0):
                raise RunError(
                    f"run: {self.folder} has trained {batches:,} batches, but its checkpoints are "
                    f"gone. Put them back into {self.folder / 'checkpoints'}, or start a new run "
                    "in another folder."
                )
            if "started" in record:
                self._say("No checkpoint yet: the run starts from the beginning.")
            return None
        try:
            self._check_newest(*newest, rows)
        except GanlabError:
            raise
        except CHANGED as error:
            raise cannot_be_restored(newest[0], error) from error
        return newest[0]

    def _check_newest(self, path: Path, contents: dict[str, Any], rows: list[Any]) -> None:
        """Raise unless the run can go on from a checkpoint; say what is missing."""
        if path.stem != "last":
            state = "damaged" if (path.parent / "last.ckpt").exists() else "missing"
            self._say(f"last.ckpt is {state}; resuming from {path}, the previous one.")
        check_belongs(contents, self.config, f"checkpoint: {path}", self.folder)
        check_continues(path, contents, self.config)
        self._say(resumes_at(contents["ganlab"], self.config))
        logged, kept = contents["ganlab"]["logged_at"], rows[-1]["examples_seen"] if rows else 0
        if kept < logged:
            self._say(f"metrics.csv lacks the rows from {kept:,} to {logged:,} examples.")

    def _log_config(self, loggers: list[Any]) -> None:
        for logger in loggers:
            if isinstance(logger, WandB) and (message := logger.start(self.config)):
                self._say(message)

    def _say(self, text: str) -> None:
        if self.is_main:
            print(text, file=sys.stderr, flush=True)
            logging.getLogger("ganlab").info(text)

    def _say_failed(self, failure: str) -> None:
        """Record and print another rank's failure at once, before this process is killed too."""
        with suppress(GanlabError):
            self.record.write(status="failed", error=failure)
        self._say(failure)

    def _print_end(self, status: str, can_continue: bool) -> None:
        if not self.is_main:
            return
        if status == "finished":
            print(fitted(summary(self.folder, self.needs)))
        elif status != "pruned":  # a search itself prints that it has pruned a run
            command = f"ganlab train run={self.folder} resume=true"
            has_checkpoint = (self.folder / "checkpoints" / "last.ckpt").exists()
            seen = read_record(self.folder).get("counters", {}).get("examples_seen", 0)
            text = f"The run has ended ({status}) after {seen:,} examples. "
            text += f"What it wrote is in {self.folder}."
            with_hint = has_checkpoint and can_continue
            self._say(f"{text} Continue it with\n  {command}" if with_hint else text)


def is_keyboard_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C ended the run; Lightning raises a SystemExit after KeyboardInterrupt."""
    return isinstance(error, KeyboardInterrupt) or (
        isinstance(error, SystemExit) and isinstance(error.__context__, KeyboardInterrupt)
    )
