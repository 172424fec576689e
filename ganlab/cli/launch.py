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

from ganlab.cli.sweep import Job, jobs_of
from ganlab.cli.sweep_job import STOP, run_job
from ganlab.errors import ConfigError, HeldError, RunError, nearest

LAUNCHERS = {  # and the extra of the package that has it
    "basic": None,
    "joblib": "joblib",
    "submitit_local": "submitit",
    "submitit_slurm": "submitit",
    "ray": "ray",
}
TRIES = 2  # of a job whose process dies
OPEN = ("planned", "killed", "interrupted")


def launcher_of(words: list[str]) -> str:
    """The launcher that Hydra's overrides choose."""
    chosen = [w.partition("=")[2] for w in words if w.startswith("hydra/launcher=")]
    return chosen[-1] if chosen else "basic"


def check_launcher(name: str) -> None:
    """Check that a launcher can be used here.

    Raises:
        ConfigError: an unknown one, one that is not installed, or Slurm where there is none.
    """
    import shutil
    from importlib.util import find_spec

    if name not in LAUNCHERS:
        raise ConfigError(
            f"hydra/launcher={name}: there is no such launcher; allowed {', '.join(LAUNCHERS)}."
            f"{nearest(name, list(LAUNCHERS))}"
        )
    extra = LAUNCHERS[name]
    if extra and find_spec(f"hydra_plugins.hydra_{extra}_launcher") is None:
        raise ConfigError(
            f"hydra/launcher={name}: is not installed. Install it with "
            f"pip install 'ganlab[{extra}]' (in a checkout: pip install -e '.[{extra}]')."
        )
    if name == "submitit_slurm" and shutil.which("srun") is None:
        raise ConfigError(
            "hydra/launcher=submitit_slurm: there is no Slurm here (no srun). Start the sweep on "
            "a login node of the cluster, or use hydra/launcher=joblib."
        )


def launch(folder: Path, words: list[str], again: bool = False) -> int:
    """Run the jobs of a sweep that are open; returns 0 when all have finished.

    Args:
        folder: of the sweep, its jobs planned.
        words: overrides of Hydra's own settings, such as hydra/launcher=joblib.
        again: failed jobs too.

    Raises:
        HeldError: another process runs this sweep.
        RunError: the launcher does not work here.
    """
    from ganlab.cli.sweep_table import print_end
    from ganlab.reports.record import hold

    with open(folder / ".lock", "w") as lock:
        try:
            hold(lock, folder)
        except HeldError:
            raise HeldError(
                f"sweep: {folder} is being run by another process. See `ganlab sweep status "
                f"{folder}`."
            ) from None
        (folder / STOP).unlink(missing_ok=True)
        try:
            _run_all(folder, words, again)
        except KeyboardInterrupt:
            print_end(folder, interrupted=True)
            return 130
        interrupted = (folder / STOP).exists()
        (folder / STOP).unlink(missing_ok=True)
    return print_end(folder, interrupted)


def _run_all(folder: Path, words: list[str], again: bool) -> None:
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
        before = {job.number: _record_text(job) for job in ready}
        error = _with_hydra(folder, ready, words)
        if (folder / STOP).exists():
            return
        if error is None:
            ended.update(job.number for job in ready)
            continue
        begun = [job for job in ready if _record_text(job) != before[job.number]]
        if not begun:
            raise RunError(
                f"hydra/launcher={launcher_of(words)}: no job could be started: {error} "
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
    from ganlab.reports.record import RunRecord

    died = "the process that ran it died"
    print(f"job {job.number}: {died}.", file=sys.stderr, flush=True)
    if last:
        RunRecord(job.folder).end("failed", f"{died}, {TRIES} times; out of memory, perhaps.")


def _state(job: Job) -> str:
    from ganlab.reports.states import state_of

    try:
        return state_of(job.folder)
    except RunError:  # a disk that was full when it was planned
        return "missing"


def _with_hydra(folder: Path, jobs: list[Job], words: list[str]) -> Exception | None:
    """Let Hydra's launcher run the jobs; returns what made the launcher itself fail, if anything.

    Raises:
        ConfigError: Hydra's own settings are wrong.
        KeyboardInterrupt: Ctrl-C.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from ganlab.cli.compose import CONF

    launcher = launcher_of(words)
    own = [*words, *_own_settings(launcher, words)]
    numbers = ",".join(str(job.number) for job in jobs)
    sys.argv = [
        "ganlab train",
        "-m",
        f"job={numbers}",
        f"folder={_quoted(folder.absolute())}",
        f"cwd={_quoted(Path.cwd())}",
        *(word for word in own if not word.startswith("hydra.sweep.dir=")),
    ]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise, in place of printing and leaving the program
    main = hydra.main(config_path=str(CONF), config_name="sweep_job", version_base="1.3")(run_job)
    try:
        with _stopping(folder, jobs_share_the_process=launcher == "basic"):
            main()
    except (HydraException, OmegaConfBaseException) as error:
        given = " ".join(words) or "hydra"
        raise ConfigError(f"{given}: {str(error).splitlines()[0]}") from None
    except Exception as error:  # of joblib, submitit, ray: a process that died, no cluster, …
        reason = (str(error).splitlines() or [""])[0]
        print(f"hydra/launcher={launcher}: {type(error).__name__}: {reason}", file=sys.stderr)
        return error
    finally:
        (folder / "multirun.yaml").unlink(missing_ok=True)  # Hydra's, which lists numbers alone
    return None


def _own_settings(launcher: str, words: list[str]) -> list[str]:
    """What ganlab sets of a launcher, unless the user has: as many processes as cores or GPUs."""
    if launcher != "joblib" or any(w.startswith("hydra.launcher.n_jobs=") for w in words):
        return []
    import torch

    return [f"hydra.launcher.n_jobs={torch.cuda.device_count() or -1}"]


def _quoted(path: Path) -> str:
    """A path as a value of Hydra's grammar."""
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def _stopping(folder: Path, jobs_share_the_process: bool) -> Iterator[None]:
    """Let the first Ctrl-C stop a sweep whose jobs run in other processes when these have ended.

    A second one leaves them. Jobs in this process answer Ctrl-C themselves.
    """
    if jobs_share_the_process or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        if (folder / STOP).exists():
            raise KeyboardInterrupt
        (folder / STOP).touch()
        print(
            "\nNo further job begins; waiting for those under way to end or to save a checkpoint. "
            "Ctrl-C again leaves at once.",
            file=sys.stderr,
            flush=True,
        )

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
