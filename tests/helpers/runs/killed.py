"""Kills trainings at random moments; compares resumed runs with uninterrupted ones."""

import math
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import torch

from ganlab.core.load import read_checkpoint
from ganlab.record.log import read_metrics


class Child:
    """A function that runs in a forked process, which saves the seconds that imports take.

    Args:
        function: called without arguments; what it returns is the exit code.
        log: the file that gets the child's output.
    """

    def __init__(self, function, log):
        self.log = log
        self.pid = os.fork()
        if self.pid:
            return
        code = 70
        try:  # whatever happens, the child must not go on as pytest
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(output, 1), os.dup2(output, 2)
            sys.stdout, sys.stderr = open(1, "w"), open(2, "w")  # noqa: SIM115
            try:
                code = function()
            except BaseException:
                traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def kill(self):
        """Kill the process; return whether it was still running. It must not have failed."""
        os.kill(self.pid, signal.SIGKILL)
        code = self.wait()
        assert code in (0, -signal.SIGKILL), self.log.read_text()[-3000:]
        return code != 0

    def wait(self):
        """Wait for the end of the process, and return its exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def finish(self):
        """Check that the process ends without an error; return the seconds that it took."""
        started = time.monotonic()
        code = self.wait()
        assert code == 0, self.log.read_text()[-3000:]
        return time.monotonic() - started


def kill_at_random(child, seconds, folders, seed):
    """Kill a process within `seconds`; check that a checkpoint stays where there was one before.

    Args:
        child: the process.
        seconds: how long the process would take.
        folders: the folders of the runs that it trains.
        seed: decides the moment.

    Returns:
        Whether the process was still running.
    """
    time.sleep(random.Random(seed).uniform(0, seconds))
    paths = [folder / "checkpoints" / "last.ckpt" for folder in folders]
    written = [path for path in paths if path.exists()]
    was_running = child.kill()
    for path in written:
        assert read_checkpoint(path)["ganlab"]["counters"]["batches_seen"] > 0
    return was_running


def wait_for(path, process, seconds=120):
    """Wait until a process of `start_python` has written a file."""
    end = time.monotonic() + seconds
    while not path.exists():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            errors = process.communicate()[1][-3000:]
            raise AssertionError(f"no {path.name}; exit code {process.returncode}:\n{errors}")
        time.sleep(0.02)


def children(process):
    """Return the numbers of the processes that a process has started, on Linux."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def assert_same_runs(one, two):
    """Check that two finished runs have equal weights, optimizers, counters, states and logs."""
    first, second = (read_checkpoint(folder / "checkpoints" / "last.ckpt") for folder in (one, two))
    for key in ("state_dict", "optimizer_states"):
        assert_equal(first[key], second[key], key)
    for key in ("counters", "due_batches", "begun", "logged_at", "window", "pending_gradients"):
        assert_equal(first["ganlab"][key], second["ganlab"][key], key)
    assert_equal(read_metrics(one), read_metrics(two), "metrics.csv")


def assert_equal(one, two, path):
    """Check that nested containers have the same numbers, bit for bit; NaN equals NaN."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), path
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), path
        for key, value in one.items():
            assert_equal(value, two[key], f"{path}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two), path
        for index, values in enumerate(zip(one, two, strict=True)):
            assert_equal(*values, f"{path}[{index}]")
    else:
        both_nan = isinstance(one, float) and math.isnan(one) and math.isnan(two)
        assert one == two or both_nan, path
