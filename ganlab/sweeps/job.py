"""One job of a sweep, in whatever process and on whatever machine Hydra's launcher runs it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from ganlab.errors import HeldError
from ganlab.files import from_here
from ganlab.record.lock import hold
from ganlab.record.run import read_config, read_record
from ganlab.record.sweep import jobs_of
from ganlab.runs.planned import Outcome, run_planned

STOP = ".stop"  # a file in the sweep's folder: no further job is to begin


def run_job(config: Any) -> str:
    """Train one job.

    Args:
        config: conf/sweep_job.yaml with values for folder, job and cwd.

    Returns:
        How it ended; "planned" where the sweep was stopped before.
    """
    before, parent = Path.cwd(), os.getppid()
    os.chdir(config.cwd)
    try:
        return _run(Path(config.folder), config.job)
    finally:
        os.chdir(before)
        if os.getppid() != parent:  # the sweep was killed: nobody gives this process further jobs
            os._exit(1)


def _run(folder: Path, number: int) -> str:
    shares_the_process = HydraConfig.get().runtime.choices["hydra/launcher"] == "basic"
    job = jobs_of(folder)[number]
    if (folder / STOP).exists():
        return "planned"
    overrides = " ".join(job.differing or job.overrides)
    print(f"job {job.number}: {overrides}", file=sys.stderr, flush=True)
    started = time.monotonic()
    try:
        run = run_planned if shares_the_process else _run_apart
        status = run(from_here(job.folder)).status
    except KeyboardInterrupt:
        if shares_the_process:
            raise
        status = "interrupted"
    ended = f"job {job.number}: {status} after {time.monotonic() - started:.0f} s"
    print(ended + _scores(job.folder), file=sys.stderr, flush=True)
    return status


def _run_apart(folder: Path) -> Outcome:
    """Train beside other jobs that share the terminal: all but errors goes to screen.txt."""
    with (
        _own_gpu(folder) as devices,
        open(folder / "screen.txt", "a", encoding="utf-8") as screen,
        redirect_stdout(screen),
        redirect_stderr(screen),
    ):
        outcome = run_planned(folder, devices=devices)
    if outcome.error:
        print(f"job {folder.name}: {outcome.error}", file=sys.stderr, flush=True)
    return outcome


@contextmanager
def _own_gpu(folder: Path) -> Iterator[list[int] | None]:
    """A GPU that no other job of this sweep has on this machine, for a joblib job that needs one.

    None where the launcher, or the run's own trainer, says which it takes, and where none is free.
    """
    launcher = HydraConfig.get().runtime.choices["hydra/launcher"]
    trainer = read_config(folder).get("trainer") or {}
    if launcher != "joblib" or trainer.get("accelerator") == "cpu" or trainer.get("devices") != 1:
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
    """The first few scores of a run."""
    scores = read_record(folder).get("scores") or {}
    few = [f"{name} {score['value']:.4g}" for name, score in [*scores.items()][:3]]
    return ": " + ", ".join(few) if few else ""
