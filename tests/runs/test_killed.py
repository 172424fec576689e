"""`ganlab train` is killed or stopped in another process, and resumed."""

import signal
import subprocess

import pytest
from helpers.runs.killed import assert_same_runs, wait_for
from helpers.tiny import ARGUMENTS, start_python

from ganlab.core.load import read_checkpoint
from ganlab.record.run import read_record
from ganlab.runs.train import prepare, train

pytestmark = pytest.mark.usefixtures("no_curves")


def start(folder, batches):
    """Start a run in a process of its own."""
    arguments = ["-m", "ganlab", "train", *ARGUMENTS, f"budget.batches={batches}"]
    return start_python(
        [*arguments, f"run_dir={folder}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def resume(folder, batches):
    return train(*prepare([f"run={folder}", "resume=true", f"budget.batches={batches}"]))


def assert_equals_uninterrupted_run(folder, straight, batches):
    arguments = [*ARGUMENTS, f"budget.batches={batches}", f"run_dir={straight}"]
    assert train(*prepare(arguments)) == 0
    assert_same_runs(straight, folder)


def test_a_killed_run_resumes_bit_for_bit(tmp_path):
    """The run is killed after the first checkpoint; later batches are lost."""
    folder = tmp_path / "killed"
    process = start(folder, 10**6)
    wait_for(folder / "checkpoints" / "last.ckpt", process)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert read_record(folder)["status"] == "running"
    counters = read_checkpoint(folder / "checkpoints" / "last.ckpt")["ganlab"]["counters"]
    seen = counters["batches_seen"]
    assert seen % 15 == 0
    assert resume(folder, seen + 15) == 0
    assert read_record(folder)["status"] == "finished"
    assert_equals_uninterrupted_run(folder, tmp_path / "straight", seen + 15)


@pytest.mark.contract
def test_sigterm_leaves_a_checkpoint_and_says_how_to_resume(tmp_path):
    folder = tmp_path / "stopped"
    process = start(folder, 10**6)
    wait_for(folder / "checkpoints" / "last.ckpt", process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"ganlab train run={folder} resume=true" in errors
    record = read_record(folder)
    assert (record["status"], record["error"]) == ("interrupted", None)
    saved = read_checkpoint(folder / "checkpoints" / "last.ckpt")["ganlab"]["counters"]
    assert record["counters"] == saved
    assert resume(folder, saved["batches_seen"] + 5) == 0
    assert_equals_uninterrupted_run(folder, tmp_path / "straight", saved["batches_seen"] + 5)
