"""Sweeps with Hydra's launchers, and sweeps whose processes are killed."""

import json
import os
import signal
import subprocess
import time
from importlib.util import find_spec

import pytest
from helpers.tiny import ARGUMENTS, start_python

from ganlab.cli import main
from ganlab.core.load import read_checkpoint
from ganlab.record.log import read_metrics
from ganlab.record.run import read_record
from ganlab.record.states import state_of
from ganlab.record.sweep import jobs_of

pytestmark = pytest.mark.contract


def finished(process, seconds=200):
    """Wait for a process, check that its exit code is 0, and return its output."""
    printed, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, printed[-3000:]
    return printed


def run(folder, *words):
    """Start a sweep with the overrides `words`, and return its process."""
    return start_python(
        ["-m", "ganlab", "train", "-m", *ARGUMENTS, *words, f"run_dir={folder.name}"],
        folder.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def wait_for_checkpoint(folder, process, seconds=120):
    end = time.monotonic() + seconds
    while not (folder / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < end
        time.sleep(0.02)


def states(folder):
    return [state_of(job.folder) for job in jobs_of(folder)]


@pytest.mark.parametrize("launcher", ["submitit_local", "ray"])
def test_launchers(launcher, tmp_path):
    """Jobs get a relative path, which is relative to the folder where the sweep was started."""
    package = {"submitit_local": "submitit"}.get(launcher, launcher)
    if find_spec(f"hydra_plugins.hydra_{package}_launcher") is None:
        pytest.skip(f"hydra-{package}-launcher is not installed")
    process = run(tmp_path / "sweep", "budget.batches=4", "seed=1,2", f"hydra/launcher={launcher}")
    finished(process)
    assert states(tmp_path / "sweep") == ["finished"] * 2
    assert [read_record(tmp_path / "sweep" / n)["seed"] for n in "01"] == [1, 2]


def test_worker_that_dies_does_not_end_the_sweep(tmp_path):
    """When a worker dies joblib aborts the other jobs too; the sweep restarts all of these."""
    folder = tmp_path / "sweep"
    words = ["budget.batches=1000,4,5", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    process = run(folder, *words)
    wait_for_checkpoint(folder / "0", process)
    os.kill(json.loads((folder / "0" / "run.json").read_text())["pid"], signal.SIGKILL)
    assert "the process that ran it died" in finished(process)
    assert states(folder) == ["finished"] * 3
    rows = [row["examples_seen"] for row in read_metrics(folder / "0")]
    assert rows == sorted(set(rows))


@pytest.mark.parametrize(
    "numbers", [(signal.SIGINT,), (signal.SIGHUP, signal.SIGTERM), (signal.SIGKILL,)]
)
def test_jobs_of_joblib_end_with_a_checkpoint_when_the_sweep_is_signalled(tmp_path, numbers):
    """The sweep's process waits for them; if it is killed, they end without it."""
    folder = tmp_path / "sweep"
    words = ["seed=1,2,3", "budget.batches=1000000", "hydra/launcher=joblib"]
    process = run(folder, *words, "hydra.launcher.n_jobs=2")
    for job in "01":
        wait_for_checkpoint(folder / job, process)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    printed, _ = process.communicate(timeout=60)
    if numbers == (signal.SIGKILL,):
        until = time.monotonic() + 30
        while "running" in states(folder) and time.monotonic() < until:
            time.sleep(0.1)
    else:
        assert process.returncode == 130, printed[-3000:]
    assert states(folder) == ["interrupted", "interrupted", "planned"]
    for job in "01":
        saved = read_checkpoint(folder / job / "checkpoints" / "last.ckpt")["ganlab"]["counters"]
        assert saved == read_record(folder / job)["counters"]


def test_jobs_go_on_when_the_process_that_started_the_sweep_ends(tmp_path):
    """As with `nohup ganlab train -m … &` in a shell that is closed during the first job."""
    folder = tmp_path / "sweep"
    code = """
import subprocess, sys
subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.DEVNULL)
input()
"""
    words = ["train", "-m", *ARGUMENTS, "seed=1,2", "budget.batches=400", f"run_dir={folder}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = start_python(["-c", code, "-m", "ganlab", *words], **pipes)
    wait_for_checkpoint(folder / "0", process)
    assert state_of(folder / "0") == "running"
    process.communicate("\n", timeout=200)  # waits for the sweep too, which writes to the pipe
    assert states(folder) == ["finished"] * 2


def test_a_signal_ends_a_job_with_two_ranks_with_a_checkpoint(tmp_path):
    """The job is trained in another process, which only this signal reaches."""
    process = run(tmp_path / "sweep", "trainer=ddp_cpu", "seed=2,3", "budget.batches=1000000")
    wait_for_checkpoint(tmp_path / "sweep" / "0", process)
    process.terminate()
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed[-3000:]
    assert states(tmp_path / "sweep") == ["interrupted", "planned"]


def test_killed_sweep_is_resumed(tmp_path, monkeypatch):
    """A sweep killed in job 1: job 0 is not run again, job 1 is resumed, job 2 starts."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "killed"
    process = run(folder, "seed=1,2,3", "budget.batches=400")
    wait_for_checkpoint(folder / "1", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert states(folder) == ["finished", "killed", "planned"]
    record = read_record(folder / "0")
    assert main(["sweep", "resume", str(folder)]) == 0
    assert states(folder) == ["finished"] * 3
    assert read_record(folder / "0") == record
    uninterrupted = [*ARGUMENTS, "seed=2", "budget.batches=400", "run_dir=uninterrupted"]
    assert main(["train", *uninterrupted]) == 0
    assert read_metrics(folder / "1") == read_metrics(tmp_path / "uninterrupted")


def test_job_with_two_ranks(tmp_path):
    """All ranks of a job use the job's folder, and create no other folder."""
    words = ["trainer=ddp_cpu", "seed=2", "budget.batches=4"]
    finished(run(tmp_path / "sweep", *words))
    assert states(tmp_path / "sweep") == ["finished"]
    counters = read_record(tmp_path / "sweep" / "0")["counters"]
    assert (counters["batches_seen"], counters["examples_seen"]) == (4, 4 * 8 * 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sweep"]
