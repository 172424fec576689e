"""Trains one job of a sweep, in the process that Hydra's launcher has chosen for it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from ganlab.errors import HeldError
from ganlab.files import from_here, open_to_append
from ganlab.printable import PrintableStream, printing_safely
from ganlab.record.lock import hold
from ganlab.record.run import read_config, read_record
from ganlab.record.sweep import jobs_of
from ganlab.reports.comparison.scores import is_number
from ganlab.runs.planned import Outcome, run_planned
from ganlab.screen import protect_output

STOP = ".stop"  # while this file exists in the sweep's folder, no further job starts


def run_job(config: Any) -> str:
    """Train one job, and return its final status.

    Args:
        config: conf/sweep_job.yaml with values for `folder` (the sweep's folder), `job` (the job's
            number), `cwd` (the working directory), `trust` and `pid` (the number of the sweep's
            process).

    Returns:
        The status; "planned" if the sweep was stopped before the job started.
    """
    previous_folder = Path.cwd()
    os.chdir(config.cwd)
    try:
        with _ending_with_sweep(Path(config.folder), config.pid), printing_safely():
            in_worker = os.getpid() != config.pid
            return _run(Path(config.folder), config.job, config.trust, in_worker)
    finally:
        os.chdir(previous_folder)


@contextmanager
def _ending_with_sweep(folder: Path, pid: int) -> Iterator[None]:
    """Let a job in a worker of joblib end with the sweep, as Ctrl-C ends it.

    The worker gets its own process group, so that Ctrl-C reaches it once, through this function.
    If the sweep's process was killed, the worker ends with the block.

    Args:
        folder: the sweep's folder.
        pid: the number of the sweep's process, the parent of joblib's workers.
    """
    if _launcher() != "joblib" or os.getpid() == pid:  # joblib runs a single job without a worker
        yield
        return
    protect_output()
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    # a script's `ganlab train … &` ignores SIGINT, and would lose it before the training begins
    signal.signal(signal.SIGINT, signal.default_int_handler)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            if (folder / STOP).exists() or os.getppid() != pid:
                os.kill(os.getpid(), signal.SIGINT)  # interrupts the main thread's waiting too
                return

    thread = threading.Thread(target=watch, daemon=True, name="ganlab-sweep")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if os.getppid() != pid:
            os._exit(1)


def _launcher() -> str:
    return HydraConfig.get().runtime.choices["hydra/launcher"]


def _run(folder: Path, number: int, trust: bool, in_worker: bool) -> str:
    """Train a job, and return its final status; see `run_job`.

    Args:
        folder: the sweep's folder.
        number: the job's number.
        trust: whether the run may name classes that are not part of ganlab.
        in_worker: whether a worker, not the sweep's own process, trains the job.

    Raises:
        KeyboardInterrupt: Ctrl-C in the sweep's own process.
    """
    in_sweep_process = _launcher() == "basic"
    job = jobs_of(folder)[number]
    if (folder / STOP).exists():
        return "planned"
    overrides = " ".join(job.differing or job.overrides)
    print(f"job {job.number}: {overrides}", file=sys.stderr, flush=True)
    started = time.monotonic()
    try:
        run = run_planned if in_sweep_process else _run_in_worker
        status = run(from_here(job.folder), trust=trust).status
    except KeyboardInterrupt:
        if not in_worker:
            raise
        status = "interrupted"
    summary = f"job {job.number}: {status} after {time.monotonic() - started:.0f} s"
    print(summary + _scores(job.folder), file=sys.stderr, flush=True)
    return status


def _run_in_worker(folder: Path, trust: bool) -> Outcome:
    """Train while other jobs share the terminal: write the output to screen.txt, print errors."""
    with (
        _free_gpu(folder) as devices,
        open_to_append(folder / "screen.txt") as screen,
        redirect_stdout(PrintableStream(screen)),
        redirect_stderr(PrintableStream(screen)),
    ):
        outcome = run_planned(folder, devices=devices, trust=trust)
    if outcome.error:
        print(f"job {folder.name}: {outcome.error}", file=sys.stderr, flush=True)
    return outcome


@contextmanager
def _free_gpu(folder: Path) -> Iterator[list[int] | None]:
    """Yield a list with the index of a GPU that no other job of this sweep uses on this machine.

    Yield None if the launcher is not joblib, if the run's trainer does not need exactly one device,
    or if no GPU is free.

    Args:
        folder: the job's folder; lock files in its parent mark the GPUs in use.
    """
    trainer = read_config(folder).get("trainer") or {}
    if (
        _launcher() != "joblib"
        or trainer.get("accelerator") == "cpu"
        or trainer.get("devices") != 1
    ):
        yield None
        return
    import torch

    for number in range(torch.cuda.device_count()):
        try:
            lock = hold(folder.parent, f".gpu{number}")
        except HeldError:
            continue
        with lock:
            yield [number]
        return
    yield None


def _scores(folder: Path) -> str:
    """Return the first three scores of a run, after a colon; "" if it has no scores."""
    scores = read_record(folder).get("scores") or {}
    values = {name: score.get("value") for name, score in scores.items()}
    texts = [f"{name} {v:.4g}" for name, v in values.items() if is_number(v)][:3]
    return ": " + ", ".join(texts) if texts else ""
