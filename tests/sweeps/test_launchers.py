"""Sweeps through Hydra's launchers, and what is left of one when processes die."""

import json
import os
import signal
import subprocess
import time
from importlib.util import find_spec

import pytest
from helpers.tiny import ARGUMENTS, start_python

from ganlab.cli import main
from ganlab.record.log import read_metrics
from ganlab.record.run import read_record
from ganlab.record.states import state_of
from ganlab.record.sweep import jobs_of

pytestmark = pytest.mark.contract


def finished(process, seconds=200):
    """What it printed, once it has ended well."""
    said, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, said[-3000:]
    return said


def run(folder, *words):
    """A sweep of `words`, started and under way."""
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
    """Each with relative paths, which lead from where the sweep was started."""
    package = {"submitit_local": "submitit"}.get(launcher, launcher)
    if find_spec(f"hydra_plugins.hydra_{package}_launcher") is None:
        pytest.skip(f"hydra-{package}-launcher is not installed")
    process = run(tmp_path / "sweep", "budget.batches=4", "seed=1,2", f"hydra/launcher={launcher}")
    finished(process)
    assert states(tmp_path / "sweep") == ["finished"] * 2
    assert [read_record(tmp_path / "sweep" / n)["seed"] for n in "01"] == [1, 2]


def test_worker_that_dies_does_not_end_the_sweep(tmp_path):
    """Joblib gives up with the first dead worker; what it had not done is started again."""
    folder = tmp_path / "sweep"
    words = ["budget.batches=1000,4,5", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    process = run(folder, *words)
    wait_for_checkpoint(folder / "0", process)
    os.kill(json.loads((folder / "0" / "run.json").read_text())["pid"], signal.SIGKILL)
    assert "the process that ran it died" in finished(process)
    assert states(folder) == ["finished"] * 3
    rows = [row["examples_seen"] for row in read_metrics(folder / "0")]
    assert rows == sorted(set(rows))


def test_killed_sweep_is_resumed(tmp_path, monkeypatch):
    """Killed in its second job: the first is not run again, the second goes on, the third runs."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "killed"
    process = run(folder, "seed=1,2,3", "budget.batches=400")
    wait_for_checkpoint(folder / "1", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert states(folder) == ["finished", "killed", "planned"]
    first = read_record(folder / "0")
    assert main(["sweep", "resume", str(folder)]) == 0
    assert states(folder) == ["finished"] * 3
    assert read_record(folder / "0") == first
    straight = [*ARGUMENTS, "seed=2", "budget.batches=400", "run_dir=straight"]
    assert main(["train", *straight]) == 0
    assert read_metrics(folder / "1") == read_metrics(tmp_path / "straight")


def test_jobs_of_several_processes_each(tmp_path):
    """All ranks of a job write into its folder."""
    words = ["trainer=ddp_cpu", "seed=2", "budget.batches=4"]
    finished(run(tmp_path / "sweep", *words))
    assert states(tmp_path / "sweep") == ["finished"]
    counters = read_record(tmp_path / "sweep" / "0")["counters"]
    assert (counters["batches_seen"], counters["examples_seen"]) == (4, 4 * 8 * 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sweep"]
