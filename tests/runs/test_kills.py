"""Runs and sweeps are killed at random moments; each resumes bit for bit.

A checkpoint is written in every batch, so that many kills happen during a write. Three kills of
each kind are tested with `-m contract`, and the full count with `-m slow`.
"""

import itertools
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


@pytest.mark.parametrize("kills", counts(3, 50))
def test_killed_runs(tmp_path, kills):
    def begin(folder):
        return train(*prepare([*EVERY_BATCH, f"run_dir={folder}"]))

    def resume(folder):
        return train(*prepare([f"run={folder}", "resume=true"]))

    log, straight = tmp_path / "log", tmp_path / "straight"
    seconds = Child(lambda: begin(straight), log).finish()
    killed = 0
    for seed in itertools.count():
        if killed >= kills:
            break
        folder = tmp_path / str(seed)
        action = begin
        for part in (2 * seed, 2 * seed + 1):  # the second kill is one of the resumed run
            child = Child(lambda action=action, folder=folder: action(folder), log)
            killed += kill_at_random(child, seconds, [folder], part)
            state = state_and_record(folder)[0]
            assert state in ("missing", "killed", "finished")
            if state == "finished":
                break
            action = resume if (folder / "config.yaml").exists() else begin
        else:
            Child(lambda action=action, folder=folder: action(folder), log).finish()
        assert state_of(folder) == "finished"
        assert_same_runs(straight, folder)


@pytest.mark.parametrize("kills", counts(3, 10))
def test_killed_sweeps(tmp_path, kills):
    def begin(folder):
        return main(["train", "-m", *EVERY_BATCH, "seed=1,2", f"run_dir={folder}"])

    def resume(folder):
        return main(["sweep", "resume", str(folder)])

    log, straight = tmp_path / "log", tmp_path / "straight"
    seconds = Child(lambda: begin(straight), log).finish()
    killed = 0
    for seed in itertools.count():
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
    for seed in itertools.count():
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
            assert state_of(folder) == ("killed" if seed % 2 else "failed")
            assert read_checkpoint(folder / "checkpoints" / "last.ckpt")
            assert end(start(f"run={folder}", "resume=true")) == (0, ANY)
        assert_same_runs(straight, folder)
