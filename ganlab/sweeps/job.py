"""One job of a sweep, in whatever process and on whatever machine Hydra's launcher runs it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from ganlab.errors import HeldError
from ganlab.record.sweep import Job, jobs_of

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
    from hydra.core.hydra_config import HydraConfig

    shares_the_process = HydraConfig.get().runtime.choices["hydra/launcher"] == "basic"
    job = jobs_of(folder)[number]
    if (folder / STOP).exists():
        return "planned"
    print(f"job {job.number}: {_described(job)}", file=sys.stderr, flush=True)
    started = time.monotonic()
    try:
        status = _run_here(job) if shares_the_process else _run_apart(job)
    except KeyboardInterrupt:
        if shares_the_process:
            raise
        status = "interrupted"
    ended = f"job {job.number}: {status} after {time.monotonic() - started:.0f} s"
    print(ended + _scores(job.folder), file=sys.stderr, flush=True)
    return status


def _run_here(job: Job) -> str:
    from ganlab.runs.planned import run_planned

    return run_planned(_shown(job.folder)).status


def _run_apart(job: Job) -> str:
    """Train beside other jobs that share the terminal: all but errors goes to screen.txt."""
    from ganlab.runs.planned import run_planned

    with (
        _own_gpu(job) as devices,
        open(job.folder / "screen.txt", "a", encoding="utf-8") as screen,
        redirect_stdout(screen),
        redirect_stderr(screen),
    ):
        outcome = run_planned(_shown(job.folder), devices=devices)
    if outcome.error:
        print(f"job {job.number}: {outcome.error}", file=sys.stderr, flush=True)
    return outcome.status


@contextmanager
def _own_gpu(job: Job) -> Iterator[list[int] | None]:
    """A GPU that no other job of this sweep has on this machine, for a joblib job that needs one.

    None where the launcher, or the run's own trainer, says which it takes, and where none is free.
    """
    from hydra.core.hydra_config import HydraConfig

    from ganlab.record.lock import hold
    from ganlab.record.run import read_config

    launcher = HydraConfig.get().runtime.choices["hydra/launcher"]
    trainer = read_config(job.folder).get("trainer") or {}
    if launcher != "joblib" or trainer.get("accelerator") == "cpu" or trainer.get("devices") != 1:
        yield None
        return
    import torch

    for number in range(torch.cuda.device_count()):
        lock = open(job.folder.parent / f".gpu{number}", "w")  # noqa: SIM115 (held by the job)
        try:
            hold(lock, job.folder.parent)
        except HeldError:
            continue
        with lock:
            yield [number]
        return
    yield None


def _scores(folder: Path) -> str:
    """The first few scores of a run."""
    from ganlab.record.run import read_record

    scores = read_record(folder).get("scores") or {}
    few = [f"{name} {score['value']:.4g}" for name, score in [*scores.items()][:3]]
    return ": " + ", ".join(few) if few else ""


def _described(job: Job) -> str:
    return " ".join(job.differing or job.overrides)


def _shown(folder: Path) -> Path:
    """The folder from the working directory on, if it is below it."""
    try:
        return folder.relative_to(Path.cwd())
    except ValueError:
        return folder
