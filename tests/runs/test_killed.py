"""Runs and sweeps are killed or stopped; each resumes bit for bit.

Most are killed at random moments. There a checkpoint is written in every batch, so that some kills
happen during a write. Three kills of each kind are tested with `-m contract`, and the full count
with `-m slow`.
"""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from unittest.mock import ANY

import pytest
from helpers.runs.killed import Child, assert_same_runs, children, kill_at_random, wait_for
from helpers.tiny import ARGUMENTS, start_python

from ganlab.cli import main
from ganlab.core.load import read_checkpoint
from ganlab.record.run import read_record
from ganlab.record.states import state_and_record, state_of
from ganlab.runs.train import prepare, train

pytestmark = pytest.mark.usefixtures("no_curves")

EVERY_BATCH = [text for text in ARGUMENTS if "every_examples=120" not in text] + [
    "callbacks.checkpoints.every_examples=8",
    "budget.batches=60",
]


def counts(few, many):
    """Return parameters: a few kills as a contract, many as a slow test."""
    return [
        pytest.param(few, marks=[pytest.mark.contract, pytest.mark.timeout(600)]),
        pytest.param(many, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ]


TOO_FEW = "most processes ended before they were to be killed"


@pytest.mark.parametrize("kills", counts(3, 50))
def test_killed_runs(tmp_path, kills):
    def begin(folder):
        return train(*prepare([*EVERY_BATCH, f"run_dir={folder}"]))

    def resume(folder):
        return train(*prepare([f"run={folder}", "resume=true"]))

    log, straight = tmp_path / "log", tmp_path / "straight"
    seconds = Child(lambda: begin(straight), log).finish()
    killed = in_a_write = 0
    for seed in range(10 * kills):
        if killed >= kills:
            break
        folder = tmp_path / str(seed)
        action = begin
        for part in (2 * seed, 2 * seed + 1):  # the second kill is one of the resumed run
            child = Child(lambda action=action, folder=folder: action(folder), log)
            killed += kill_at_random(child, seconds, [folder], part)
            in_a_write += any((folder / "checkpoints").glob(".*.part"))
            state = state_and_record(folder)[0]
            assert state in ("missing", "killed", "finished")
            if state == "finished":
                break
            action = resume if (folder / "config.yaml").exists() else begin
        else:
            Child(lambda action=action, folder=folder: action(folder), log).finish()
        assert state_of(folder) == "finished"
        assert_same_runs(straight, folder)
    assert killed >= kills, TOO_FEW
    assert in_a_write >= kills // 20  # about a quarter of the kills happen in a write


@pytest.mark.parametrize("kills", counts(3, 10))
def test_killed_sweeps(tmp_path, kills):
    def begin(folder):
        return main(["train", "-m", *EVERY_BATCH, "seed=1,2", f"run_dir={folder}"])

    def resume(folder):
        return main(["sweep", "resume", str(folder)])

    log, straight = tmp_path / "log", tmp_path / "straight"
    seconds = Child(lambda: begin(straight), log).finish()
    killed = 0
    for seed in range(10 * kills):
        if killed >= kills:
            break
        folder = tmp_path / str(seed)
        child = Child(lambda folder=folder: begin(folder), log)
        jobs = [folder / "0", folder / "1"]
        was_running = kill_at_random(child, seconds, jobs, seed)
        if was_running and (folder / "sweep.json").exists():
            killed += 1
            Child(lambda folder=folder: resume(folder), log).finish()
        if (folder / "sweep.json").exists():
            for job in "01":
                assert_same_runs(straight / job, folder / job)
    assert killed >= kills, TOO_FEW


def start(*words):
    command = ["-m", "ganlab", "train", *words]
    return start_python(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def end(process):
    """Wait for a process; return its exit code and its errors."""
    errors = process.communicate(timeout=120)[1]
    return process.returncode, errors[-3000:]


@pytest.mark.parametrize("kills", counts(3, 10))
def test_killed_runs_of_two_processes(tmp_path, kills):
    """The main process and the other one are killed in turn."""
    arguments = [text for text in EVERY_BATCH if not text.startswith("trainer=")]
    arguments.append("trainer=ddp_cpu")
    straight = tmp_path / "straight"
    process = start(*arguments, f"run_dir={straight}")
    wait_for(straight / "checkpoints" / "last.ckpt", process)
    began = time.monotonic()
    assert end(process) == (0, ANY)
    seconds = (time.monotonic() - began) / 2
    killed = 0
    for seed in range(10 * kills):
        if killed >= kills:
            break
        folder = tmp_path / str(seed)
        process = start(*arguments, f"run_dir={folder}")
        wait_for(folder / "checkpoints" / "last.ckpt", process)
        time.sleep(random.Random(seed).uniform(0, seconds))
        with suppress(ProcessLookupError, FileNotFoundError):  # it has just ended
            for pid in [process.pid] if seed % 2 else children(process):
                os.kill(pid, signal.SIGKILL)
        if end(process)[0] != 0:  # else it had trained to the end; waits for both processes
            killed += 1
            # after another rank's end Lightning kills the main process, perhaps before it says so
            assert state_of(folder) in (["killed"] if seed % 2 else ["failed", "killed"])
            assert read_checkpoint(folder / "checkpoints" / "last.ckpt")
            assert end(start(f"run={folder}", "resume=true")) == (0, ANY)
        assert_same_runs(straight, folder)
    assert killed >= kills, TOO_FEW


def resume_to(folder, batches):
    return train(*prepare([f"run={folder}", "resume=true", f"budget.batches={batches}"]))


def assert_equals_uninterrupted_run(folder, straight, batches):
    arguments = [*ARGUMENTS, f"budget.batches={batches}", f"run_dir={straight}"]
    assert train(*prepare(arguments)) == 0
    assert_same_runs(straight, folder)


def test_a_killed_run_resumes_bit_for_bit(tmp_path):
    """The run is killed after the first checkpoint; later batches are lost."""
    folder = tmp_path / "killed"
    process = start(*ARGUMENTS, "budget.batches=1000000", f"run_dir={folder}")
    wait_for(folder / "checkpoints" / "last.ckpt", process)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert read_record(folder)["status"] == "running"
    counters = read_checkpoint(folder / "checkpoints" / "last.ckpt")["ganlab"]["counters"]
    seen = counters["batches_seen"]
    assert seen % 15 == 0
    assert resume_to(folder, seen + 15) == 0
    assert read_record(folder)["status"] == "finished"
    assert_equals_uninterrupted_run(folder, tmp_path / "straight", seen + 15)


@pytest.mark.contract
def test_sigterm_leaves_a_checkpoint_and_says_how_to_resume(tmp_path):
    folder = tmp_path / "stopped"
    process = start(*ARGUMENTS, "budget.batches=1000000", f"run_dir={folder}")
    wait_for(folder / "checkpoints" / "last.ckpt", process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"ganlab train run={folder} resume=true" in errors
    record = read_record(folder)
    assert (record["status"], record["error"]) == ("interrupted", None)
    saved = read_checkpoint(folder / "checkpoints" / "last.ckpt")["ganlab"]["counters"]
    assert record["counters"] == saved
    assert resume_to(folder, saved["batches_seen"] + 5) == 0
    assert_equals_uninterrupted_run(folder, tmp_path / "straight", saved["batches_seen"] + 5)
