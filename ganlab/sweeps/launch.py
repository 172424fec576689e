"""Runs the jobs of a sweep with Hydra's launchers; retries jobs whose process died."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganlab.config.source import composing
from ganlab.errors import ConfigError, HeldError, RunError
from ganlab.record.states import state_and_record
from ganlab.record.sweep import Job, jobs_of
from ganlab.signals import handled_by
from ganlab.sweeps.job import STOP, run_job
from ganlab.sweeps.launchers import as_config_error, launcher_of, worker_override

MAX_CRASHES = 2  # a job is marked as failed when its process has died this often
UNFINISHED = ("planned", "killed", "interrupted")


def launch(
    folder: Path, settings: list[str], again: bool = False, trust: bool | None = None
) -> int:
    """Run the unfinished jobs of a sweep; return 0 if all jobs have finished, 130 after Ctrl-C.

    Args:
        folder: the sweep's folder; jobs without a complete plan are planned first.
        settings: overrides of Hydra's settings, such as hydra/launcher=joblib.
        again: retry failed jobs too.
        trust: whether the jobs' configurations may name classes that are not part of ganlab. None
            for a sweep whose overrides the user has just typed: what these name is trusted.

    Raises:
        ConfigError: the settings of Hydra are wrong.
        HeldError: another process runs this sweep.
        RunError: the folder holds no sweep, or one that may not be built; or the launcher cannot
            start any job.
    """
    from ganlab.record.lock import hold
    from ganlab.sweeps.plan import plan_missing
    from ganlab.sweeps.table import print_end

    try:
        lock = hold(folder)
    except HeldError:
        raise HeldError(
            f"sweep: {folder} is being run by another process. See `ganlab sweep status {folder}`."
        ) from None
    with lock:
        (folder / STOP).unlink(missing_ok=True)
        try:
            trusted = plan_missing(folder, trust)
            _run_all(folder, settings, again, trusted)
        except KeyboardInterrupt:
            print_end(folder, interrupted=True)
            return 130
        interrupted = (folder / STOP).exists()
        (folder / STOP).unlink(missing_ok=True)
    return print_end(folder, interrupted)


def _run_all(folder: Path, settings: list[str], again: bool, trust: bool) -> None:
    """Launch unfinished jobs until all have been run; retry a job once if its process died."""
    # for each job, how many launches failed after the job had begun
    crashes: Counter[int] = Counter()
    completed: set[int] = set()  # jobs whose launch ended without an error of the launcher
    while True:
        jobs = jobs_of(folder)
        states = {job.number: _state(job) for job in jobs}
        for job in jobs:
            crashed = crashes[job.number] and job.number not in completed
            if crashed and states[job.number] == "killed":
                _report_crash(job, last=crashes[job.number] == MAX_CRASHES)
        to_run = (*UNFINISHED, "failed") if again else UNFINISHED
        ready = [
            job
            for job in jobs
            if states[job.number] in to_run
            and job.number not in completed
            and crashes[job.number] < MAX_CRASHES
            and (job.folder / "config.yaml").exists()  # its overrides can be composed
        ]
        if not ready:
            if not _wait_for([job for job in jobs if states[job.number] == "running"]):
                return
            continue
        # when a worker dies the launcher aborts other jobs too: retry all these jobs one by one
        ready = [job for job in ready if crashes[job.number]][:1] or ready
        records = {job.number: _record(job) for job in ready}
        error = _launch_with_hydra(folder, ready, settings, trust)
        if (folder / STOP).exists():
            return
        if error is None:
            completed.update(job.number for job in ready)
            continue
        print(f"hydra/launcher={launcher_of(settings)}: {error}", file=sys.stderr, flush=True)
        started = [job for job in ready if _record(job) != records[job.number]]
        if not started:
            raise RunError(
                f"hydra/launcher={launcher_of(settings)}: no job could be started: {error} "
                f"The jobs are planned in {folder}; run them in one process with `ganlab sweep "
                f"resume {folder} hydra/launcher=basic`."
            )
        crashes.update(job.number for job in started)


def _wait_for(running: list[Job]) -> bool:
    """Wait until no other process runs any of these jobs; return whether the list had jobs."""
    if running:
        numbers = ", ".join(str(job.number) for job in running)
        print(f"Waiting for the processes of job {numbers} …", file=sys.stderr, flush=True)
    while any(_state(job) == "running" for job in running):
        time.sleep(0.5)
    return bool(running)


def _report_crash(job: Job, last: bool) -> None:
    """Print that a job's process died; after the last try, mark the job as failed."""
    from ganlab.record.run import RunRecord

    crash = "the process that ran it died"
    print(f"job {job.number}: {crash}.", file=sys.stderr, flush=True)
    if last:
        RunRecord(job.folder).end(
            "failed", f"{crash} {MAX_CRASHES} times; perhaps it ran out of memory."
        )


def _state(job: Job) -> str:
    return state_and_record(job.folder)[0]


def _record(job: Job) -> dict[str, Any]:
    return state_and_record(job.folder)[1]


def _launch_with_hydra(
    folder: Path, jobs: list[Job], settings: list[str], trust: bool
) -> str | None:
    """Run the jobs with Hydra's launcher; return the launcher's error in a line, or None.

    Raises:
        ConfigError: the settings of Hydra are wrong.
        KeyboardInterrupt: Ctrl-C.
    """
    import hydra

    from ganlab.private import run_hydra

    launcher = launcher_of(settings)
    hydra_overrides = [*settings, *worker_override(launcher, settings, jobs)]
    numbers = ",".join(str(job.number) for job in jobs)
    arguments = [
        "ganlab train",
        "-m",
        f"job={numbers}",
        f"folder={_quoted(folder.absolute())}",
        f"cwd={_quoted(Path.cwd())}",
        f"trust={trust}",
        f"pid={os.getpid()}",
        *(text for text in hydra_overrides if not text.startswith("hydra.sweep.dir=")),
    ]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing and exiting
    main = hydra.main(config_path=None, config_name="sweep_job", version_base="1.3")(run_job)
    try:
        with composing(), _stopping(folder, launcher), as_config_error(settings):
            run_hydra(main, arguments)
    except ConfigError:
        raise
    except Exception as error:  # from joblib, submitit or ray: a worker died, no cluster, …
        reason = (str(error).splitlines() or [""])[0]
        return f"{type(error).__name__}: {reason.rstrip('.')}."
    finally:
        # written by Hydra; useless, since it holds the jobs' numbers but not their overrides
        (folder / "multirun.yaml").unlink(missing_ok=True)
    return None


def _quoted(path: Path) -> str:
    """Return a path as a quoted value for Hydra's override grammar."""
    # the grammar takes a backslash as it is, except before a quote
    text = re.sub(r"(\\*)'", r"\1\1\\'", str(path))
    return f"'{text}" + "\\" * (len(text) - len(text.rstrip("\\"))) + "'"


@contextmanager
def _stopping(folder: Path, launcher: str) -> Iterator[None]:
    """Handle Ctrl-C and the other signals that end a sweep whose jobs run in other processes.

    The first signal prevents the start of further jobs, and joblib's jobs end; the second SIGINT or
    SIGTERM raises KeyboardInterrupt. With the basic launcher the jobs run in this process and
    handle signals themselves.
    """
    if launcher == "basic":
        yield
        return
    effect = {
        "joblib": "running jobs save a checkpoint and end",
        "submitit_local": "running jobs end, and can be resumed from their last checkpoint",
    }.get(launcher, "running jobs continue")

    requests = 0

    def stop(number: int, _: Any) -> None:
        nonlocal requests
        # at a logout, SIGHUP comes beside SIGTERM, and perhaps repeatedly
        requests += signal.Signals(number).name != "SIGHUP"
        if requests > 1:
            raise KeyboardInterrupt
        if (folder / STOP).exists():
            return
        (folder / STOP).touch()
        message = f"\nNo further job will start; {effect}. Press Ctrl-C again to exit at once."
        print(message, file=sys.stderr, flush=True)

    with handled_by(stop):
        yield
