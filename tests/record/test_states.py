"""What state a run is in, also if its process was killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ganlab.record import machine
from ganlab.record.lock import hold
from ganlab.record.run import RunRecord, read_record
from ganlab.record.states import state_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only on Linux")


@pytest.fixture
def other():
    """A process that waits until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def running(folder, pid):
    """Return the record of a run that a process has begun."""
    RunRecord(folder).start("name", 0)
    record = read_record(folder) | {"pid": pid, "process": machine.process(pid)}
    (folder / "run.json").write_text(json.dumps(record))
    return record


def test_a_run_is_killed_if_its_process_is_gone_although_the_folder_is_locked(tmp_path, other):
    """E.g. because another rank, or a forked process, still holds the lock."""
    record = running(tmp_path, other.pid)
    with hold(tmp_path):
        assert state_of(tmp_path) == "running"
        other.kill()
        while Path(f"/proc/{other.pid}/stat").read_text().split()[2] != "Z":
            pass
        assert state_of(tmp_path, record) == "killed"  # although nobody has waited for it
        other.wait()
        assert state_of(tmp_path, record) == "killed"


def test_a_run_is_killed_if_its_folder_is_not_locked(tmp_path, other):
    running(tmp_path, other.pid)
    assert state_of(tmp_path) == "killed"


@pytest.mark.parametrize(
    ("key", "state"),
    [("started", "killed"), ("host", "running"), ("boot", "running"), ("namespace", "running")],
)
def test_a_process_number_counts_only_where_it_was_given(tmp_path, other, key, state):
    """The same number is a later process here, or a process of another machine or container."""
    record = running(tmp_path, other.pid)
    record["process"][key] = "other"
    (tmp_path / "run.json").write_text(json.dumps(record))
    with hold(tmp_path):
        assert state_of(tmp_path) == state


def test_a_record_read_before_the_run_was_resumed_is_not_killed(tmp_path, other):
    before = running(tmp_path, other.pid)
    other.kill()
    other.wait()
    resumed = RunRecord(tmp_path)
    resumed.start("name", 0)
    assert state_of(tmp_path, before) == "running"
    resumed.end("finished")
    assert state_of(tmp_path) == "finished"


@pytest.mark.parametrize("process", [None, {}])
def test_records_without_a_known_process_are_judged_by_the_lock(tmp_path, process):
    running(tmp_path, 1)
    record = read_record(tmp_path) | {"process": process}
    (tmp_path / "run.json").write_text(json.dumps(record))
    with hold(tmp_path):
        assert state_of(tmp_path) == "running"
    assert state_of(tmp_path) == "killed"
