"""The other processes of a run, when something goes wrong in one of them.

Where ganlab starts them, Lightning kills all of them within seconds after one has failed; so do
`torchrun` and `srun --kill-on-bad-exit`. What is here lets the main process say before what
happened, and leaves none behind.
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

PATIENCE = 5.0  # seconds that the main process and the others wait for each other


class OtherRanks:
    """The processes that the main one has started.

    Args:
        trainer: Lightning's.
        on_death: called from a thread, once, with what is to be said of one that has failed.
    """

    def __init__(self, trainer: Any, on_death: Callable[[str], None]) -> None:
        self._launcher, self._on_death = trainer.strategy.launcher, on_death
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="ganlab-others")
        self._thread.start()

    def failure(self) -> str | None:
        """What is to be said of the first one that has failed, if one has."""
        for rank, process in enumerate(self._processes(), 1):
            if code := process.poll():
                how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
                return f"The process of rank {rank} {how}."
        return None

    def stop(self, error: BaseException | None) -> RunError | None:
        """Stop watching.

        Args:
            error: what the main process has ended with.

        Returns:
            What to say instead, where the error is only that another process is gone.
        """
        self._done.set()
        self._thread.join()
        if error is None or isinstance(error, GanlabError):
            return None
        if failure := self.failure():
            return RunError(failure)
        return RunError("Another process of the run has failed.") if is_lost(error) else None

    def end(self, failed: bool) -> None:
        """Wait for them; after a failure, kill those that do not end by themselves."""
        until = time.monotonic() + PATIENCE
        while any(process.poll() is None for process in self._processes()):
            if time.monotonic() > until:
                if not failed:
                    return
                for process in self._processes():
                    process.kill()
            time.sleep(0.05)

    def _processes(self) -> list[Any]:
        return list(getattr(self._launcher, "procs", ()))

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            if failure := self.failure():
                self._on_death(failure)
                return


def exit_rank(error: BaseException) -> None:
    """End a process that is not the main one and has failed: say why, and let the main one end.

    What all processes fail of is said by the main one alone.

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
    _hang_up()
    by_ganlab = launched().by == "ganlab"
    until = time.monotonic() + (6 * PATIENCE if by_ganlab else PATIENCE)
    while time.monotonic() < until and not (by_ganlab and os.getppid() != parent):
        time.sleep(0.1)
    raise SystemExit(1)


def is_lost(error: BaseException) -> bool:
    """Whether an error says that the connection to another process is gone."""
    signs = ("gloo", "connection closed by peer", "connection reset by peer", "nccl")
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in signs)


def end_on_slurms_signal() -> None:
    """Take SIGUSR1, which Slurm sends before the time is over if it was asked to, for SIGTERM.

    It would end the process at once. `#SBATCH --signal=USR1@60` and SIGTERM both end a run at the
    next batch, with a checkpoint.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if "SLURM_JOB_ID" not in os.environ or not in_main_thread:
        return
    if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL:  # submitit answers it in its own way
        signal.signal(signal.SIGUSR1, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def _hang_up() -> None:
    """Let those who wait for this process by gloo know that it is gone."""
    import torch.distributed as distributed

    there = distributed.is_available() and distributed.is_initialized()
    if there and distributed.get_backend() == "gloo":
        distributed.destroy_process_group()
