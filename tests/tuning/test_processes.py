"""`ganlab tune` in several processes, one of which is killed."""

import os
import signal
import subprocess
import time

import pytest
from helpers.tiny import ARGUMENTS, start_python

optuna = pytest.importorskip("optuna")
from optuna.trial import TrialState  # noqa: E402

from ganlab.cli import main  # noqa: E402
from ganlab.errors import RunError  # noqa: E402
from ganlab.record.log import read_metrics  # noqa: E402
from ganlab.record.run import read_record  # noqa: E402

pytestmark = pytest.mark.contract

BATCHES, TRIALS = 150, 5
COMMAND = [
    *("tune", "study=ring", f"trials={TRIALS}", "prune=false"),
    *(text for text in ARGUMENTS if not text.startswith("evaluation")),
    *("protocol=modes10k", "protocol.samples=50", f"budget.batches={BATCHES}"),
    "model.players.generator.optimizer.lr=tag(log,interval(1e-4,1e-2))",
]


def start(folder):
    return start_python(
        ["-m", "ganlab", *COMMAND], folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def wait_until(happened, process, seconds=120):
    end = time.monotonic() + seconds
    while not happened():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            pytest.fail(f"exit code {process.returncode}:\n{process.communicate()[1][-3000:]}")
        time.sleep(0.02)


def is_running_in(folder, pid):
    """Whether a process runs the run in a folder."""
    try:
        return read_record(folder).get("pid") == pid
    except RunError:
        return False


def test_two_processes_resume_a_killed_search(tmp_path, monkeypatch):
    folder = tmp_path / "outputs" / "tune" / "ring"
    first = start(tmp_path)
    wait_until((folder / "0" / "checkpoints" / "last.ckpt").exists, first)
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    study = optuna.load_study(study_name="ring", storage=f"sqlite:///{folder / 'study.db'}")
    (left,) = study.trials
    assert left.state is TrialState.RUNNING
    assert read_record(folder / "0")["counters"]["batches_seen"] < BATCHES

    second = start(tmp_path)
    wait_until(lambda: is_running_in(folder / "0", second.pid), second)
    monkeypatch.chdir(tmp_path)
    assert main(COMMAND) == 0
    said = second.communicate(timeout=120)[1]
    assert second.returncode == 0, said[-3000:]
    assert "trial 0 is resumed" in said

    trials = study.trials
    assert [trial.state for trial in trials] == TRIALS * [TrialState.COMPLETE]
    assert trials[0].params == left.params
    assert len({trial.params["model.players.generator.optimizer.lr"] for trial in trials}) == TRIALS
    records = [read_record(folder / str(trial.number)) for trial in trials]
    assert {record["pid"] for record in records} == {second.pid, os.getpid()}
    for number, (trial, record) in enumerate(zip(trials, records, strict=True)):
        assert record["counters"]["batches_seen"] == BATCHES
        assert trial.value == record["scores"]["high_quality"]["value"]
        examples = [row["examples_seen"] for row in read_metrics(folder / str(number))]
        assert examples == sorted(set(examples))
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == list(map(str, range(TRIALS)))
