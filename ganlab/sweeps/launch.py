"""Runs the jobs of a sweep through Hydra's launchers, and those again whose process died."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganlab.config.source import composing
from ganlab.errors import ConfigError, HeldError, RunError
from ganlab.private import run_hydra
from ganlab.record.states import look
from ganlab.record.sweep import Job, jobs_of, read_sweep_file
from ganlab.sweeps.job import STOP, run_job
from ganlab.sweeps.launchers import as_config_error, launcher_of, own_settings

TRIES = 2  # of a job whose process dies
OPEN = ("planned", "killed", "interrupted")


def launch(folder: Path, settings: list[str], again: bool = False) -> int:
    """Run the jobs of a sweep that are open; returns 0 when all have finished.

    Args:
        folder: of the sweep; jobs that are not planned yet are.
        settings: overrides of Hydra's own settings, such as hydra/launcher=joblib.
        again: failed jobs too.

    Raises:
        HeldError: another process runs this sweep.
        RunError: the launcher does not work here.
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
            plan_missing(folder)
            _run_all(folder, settings, again)
        except KeyboardInterrupt:
            print_end(folder, interrupted=True)
            return 130
        interrupted = (folder / STOP).exists()
        (folder / STOP).unlink(missing_ok=True)
    return print_end(folder, interrupted)


def _run_all(folder: Path, settings: list[str], again: bool) -> None:
    """Launch what is open until nothing is; a job whose process died is tried once more."""
    deaths: Counter[int] = Counter()
    ended: set[int] = set()
    while True:
        jobs = jobs_of(folder)
        states = {job.number: _state(job) for job in jobs}
        for job in jobs:
            if deaths[job.number] and job.number not in ended and states[job.number] == "killed":
                _say_died(job, last=deaths[job.number] == TRIES)
        wanted = (*OPEN, "failed") if again else OPEN
        ready = [
            job
            for job in jobs
            if states[job.number] in wanted
            and job.number not in ended
            and deaths[job.number] < TRIES
        ]
        if not ready:
            if not _wait_for([job for job in jobs if states[job.number] == "running"]):
                return
            continue
        # a worker that dies takes others with it: who was there is tried again alone
        ready = [job for job in ready if deaths[job.number]][:1] or ready
        before = {job.number: _record_text(job) for job in ready}
        error = _with_hydra(folder, ready, settings)
        if (folder / STOP).exists():
            return
        if error is None:
            ended.update(job.number for job in ready)
            continue
        begun = [job for job in ready if _record_text(job) != before[job.number]]
        if not begun:
            raise RunError(
                f"hydra/launcher={launcher_of(settings)}: no job could be started: {error} "
                f"The jobs are planned in {folder}; run them otherwise with `ganlab sweep "
                f"resume {folder} hydra/launcher=basic`."
            )
        deaths.update(job.number for job in begun)


def _record_text(job: Job) -> str:
    try:
        return (job.folder / "run.json").read_text(encoding="utf-8")
    except OSError:
        return ""


def _wait_for(held: list[Job]) -> bool:
    """Wait until other processes have let go of jobs; whether there were any."""
    if held:
        numbers = ", ".join(str(job.number) for job in held)
        print(f"Waiting for the processes at job {numbers} …", file=sys.stderr, flush=True)
    while any(_state(job) == "running" for job in held):
        time.sleep(0.5)
    return bool(held)


def _say_died(job: Job, last: bool) -> None:
    from ganlab.record.run import RunRecord

    died = "the process that ran it died"
    print(f"job {job.number}: {died}.", file=sys.stderr, flush=True)
    if last:
        RunRecord(job.folder).end("failed", f"{died}, {TRIES} times; out of memory, perhaps.")


def _state(job: Job) -> str:
    return look(job.folder)[0]


def _with_hydra(folder: Path, jobs: list[Job], settings: list[str]) -> Exception | None:
    """Let Hydra's launcher run the jobs; returns what made the launcher itself fail, if anything.

    Raises:
        ConfigError: Hydra's own settings are wrong.
        KeyboardInterrupt: Ctrl-C.
    """
    import hydra

    launcher = launcher_of(settings)
    own = [*settings, *own_settings(launcher, settings, jobs)]
    numbers = ",".join(str(job.number) for job in jobs)
    arguments = [
        "ganlab train",
        "-m",
        f"job={numbers}",
        f"folder={_quoted(folder.absolute())}",
        f"cwd={_quoted(_started_in(folder))}",
        *(text for text in own if not text.startswith("hydra.sweep.dir=")),
    ]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise, in place of printing and leaving the program
    main = hydra.main(config_path=None, config_name="sweep_job", version_base="1.3")(run_job)
    try:
        with composing(), _stopping(folder, launcher), as_config_error(settings):
            run_hydra(main, arguments)
    except ConfigError:
        raise
    except Exception as error:  # of joblib, submitit, ray: a process that died, no cluster, …
        reason = (str(error).splitlines() or [""])[0]
        print(f"hydra/launcher={launcher}: {type(error).__name__}: {reason}", file=sys.stderr)
        return error
    finally:
        (folder / "multirun.yaml").unlink(missing_ok=True)  # Hydra's, which lists numbers alone
    return None


def _started_in(folder: Path) -> Path:
    """The directory from which relative paths of a sweep's jobs lead."""
    began = Path(read_sweep_file(folder).get("cwd") or ".")
    return began if began.is_dir() else Path.cwd()


def _quoted(path: Path) -> str:
    """A path as a value of Hydra's grammar."""
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def _stopping(folder: Path, launcher: str) -> Iterator[None]:
    """Let the first Ctrl-C begin no further job of a sweep whose jobs run in other processes.

    A second one leaves them. Jobs in this process answer Ctrl-C themselves.
    """
    if launcher == "basic" or threading.current_thread() is not threading.main_thread():
        yield
        return
    under_way = {
        "joblib": "those under way end with a checkpoint",
        "submitit_local": "those under way end, and can be continued from their last checkpoint",
    }.get(launcher, "those under way go on")

    def stop(*_: Any) -> None:
        if (folder / STOP).exists():
            raise KeyboardInterrupt
        (folder / STOP).touch()
        said = f"\nNo further job begins; {under_way}. Ctrl-C again leaves them at once."
        print(said, file=sys.stderr, flush=True)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
