"""Handles the failure of one rank of a run.

When one rank fails, all ranks are killed within seconds: by Lightning if ganlab started them, else
by `torchrun` or `srun --kill-on-bad-exit`. The code here lets the main process (rank 0) report the
failure before rank 0 is killed, and ends all processes that are left.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from ganlab.errors import ConfigError, GanlabError, NonFiniteLossError, RunError
from ganlab.ranks import launched

PATIENCE = 5.0  # seconds that the main process and the other ranks wait for each other to end


class OtherRanks:
    """The ranks that the main process has started; a thread watches them.

    Args:
        trainer: Lightning's trainer.
        on_death: called once, from the thread, with a message about the rank that failed.
    """

    def __init__(self, trainer: Any, on_death: Callable[[str], None]) -> None:
        self._launcher, self._on_death = trainer.strategy.launcher, on_death
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="ganlab-others")
        self._thread.start()

    def failure(self) -> str | None:
        """Return a message about the lowest rank that has failed; None if none has."""
        for rank, process in enumerate(self._processes(), 1):
            if code := process.poll():
                how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
                return f"The process of rank {rank} {how}."
        return None

    def stop(self, error: BaseException | None) -> RunError | None:
        """Stop watching.

        Args:
            error: the exception that ended the main process; None if no exception did.

        Returns:
            The error to report instead, if another rank's failure caused `error`; else None.
        """
        self._done.set()
        self._thread.join()
        if error is None or isinstance(error, GanlabError):
            return None
        if failure := self.failure():
            return RunError(failure)
        return RunError("Another process of the run has failed.") if is_lost(error) else None

    def end(self, failed: bool) -> None:
        """Wait up to `PATIENCE` for the ranks to end; then, if `failed`, kill them."""
        deadline = time.monotonic() + PATIENCE
        while any(process.poll() is None for process in self._processes()):
            if time.monotonic() > deadline:
                if not failed:
                    return
                for process in self._processes():
                    process.kill()
            time.sleep(0.05)

    def _processes(self) -> list[Any]:
        return list(getattr(self._launcher, "procs", ()))

    def _watch(self) -> None:
        while not self._done.wait(0.05):  # Lightning looks every five seconds, and then kills all
            if failure := self.failure():
                self._on_death(failure)
                return


def end_with_main_process() -> None:
    """Let a rank that Lightning has started end `PATIENCE` seconds after the main process.

    When the main process is killed, a rank that waits for it in a collective operation may notice
    this late or never.
    """
    if launched().by != "ganlab" or not int(os.environ.get("LOCAL_RANK") or 0):
        return  # started by a user or a launcher
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        time.sleep(PATIENCE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="ganlab-main-process").start()


def exit_rank(error: BaseException) -> None:
    """Exit a failed process that is not the main process.

    The error is printed, unless all ranks raise it, so that the main process prints it, or unless
    it only follows from another rank's failure. Then the process gives the main process time to end
    first.

    Raises:
        SystemExit: always.
    """
    parent = os.getppid()
    rank = os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or os.environ.get("LOCAL_RANK")
    if not isinstance(error, (GanlabError, SystemExit)) and not is_lost(error):
        traceback.print_exception(error)
    elif isinstance(error, GanlabError) and not isinstance(
        error, (ConfigError, NonFiniteLossError)
    ):
        print(f"ganlab train, rank {rank}: {error}", file=sys.stderr, flush=True)
    _close_connections()
    by_ganlab = launched().by == "ganlab"
    deadline = time.monotonic() + (6 * PATIENCE if by_ganlab else PATIENCE)
    while time.monotonic() < deadline and not (by_ganlab and os.getppid() != parent):
        time.sleep(0.1)
    raise SystemExit(1)


def is_lost(error: BaseException) -> bool:
    """Whether an error says that the connection to another rank is lost."""
    signs = ("gloo", "connection closed by peer", "connection reset by peer", "nccl")
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in signs)


def end_on_slurms_signal() -> None:
    """Under Slurm, let SIGUSR1 end a run as SIGTERM does: at the next batch, with a checkpoint.

    With `#SBATCH --signal=USR1@60`, Slurm sends SIGUSR1 before a job's time is over. Without a
    handler that signal would kill the process at once.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if "SLURM_JOB_ID" not in os.environ or not in_main_thread:
        return
    if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL:  # submitit has its own handler
        signal.signal(signal.SIGUSR1, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def _close_connections() -> None:
    """Close gloo's connections, so that ranks that wait for this one notice its end."""
    import torch.distributed as distributed

    is_in_group = distributed.is_available() and distributed.is_initialized()
    if is_in_group and distributed.get_backend() == "gloo":
        distributed.destroy_process_group()
