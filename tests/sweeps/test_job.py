"""When a worker of joblib ends: with the sweep, and not before its job."""

import os
import signal
import threading
import time

import pytest
from helpers.runs.killed import Child

from ganlab.sweeps import job
from ganlab.sweeps.job import STOP, _ending_with_sweep


@pytest.fixture
def joblib(monkeypatch):
    monkeypatch.setattr(job, "_launcher", lambda: "joblib")


def test_a_stopped_sweep_interrupts_a_worker_in_which_signals_are_ignored(tmp_path, joblib):
    """A script that starts `ganlab train -m … &` ignores SIGINT in it and in its workers."""
    sweep = os.getpid()

    def work():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with _ending_with_sweep(tmp_path, sweep):
                (tmp_path / STOP).touch()
                time.sleep(20)
        except KeyboardInterrupt:
            return 0
        return 1

    assert Child(work, tmp_path / "log").wait() == 0


def test_a_worker_ends_when_the_sweep_is_killed(tmp_path, joblib):
    def sweep():
        pid = os.getpid()
        if os.fork():
            os._exit(0)
        try:
            with _ending_with_sweep(tmp_path, pid):
                threading.Event().wait(20)
        finally:
            (tmp_path / "went on").touch()

    Child(sweep, tmp_path / "log").finish()
    time.sleep(1.5)
    assert not (tmp_path / "went on").exists()
