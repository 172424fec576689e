"""run.json, its lock, and atomic writing of files."""

import json
import os
from pathlib import Path

import pytest
from helpers.tiny import run_python

from ganlab.errors import RunError
from ganlab.files import atomic, write_text
from ganlab.record.lock import is_held
from ganlab.record.run import RunRecord, read_record


@pytest.mark.parametrize("end", ["finished", "interrupted", "failed"])
def test_status_from_start_to_end(tmp_path, end):
    record = RunRecord(tmp_path / "run")
    record.start("name", 3, choices={"model": "gan"})
    begun = read_record(tmp_path / "run")
    assert (begun["status"], begun["error"], begun["seed"]) == ("running", None, 3)
    assert begun["counters"] == {"examples_seen": 0, "batches_seen": 0, "steps": {}}
    assert {"seconds", "scores", "versions", "git_commit", "hardware", "choices"} <= begun.keys()
    record.write(counters={"examples_seen": 8, "batches_seen": 2, "steps": {}})
    record.end(end, "why" if end == "failed" else None)
    ended = read_record(tmp_path / "run")
    assert ended["status"] == end
    assert ended["error"] == ("why" if end == "failed" else None)
    assert ended["counters"]["examples_seen"] == 8
    assert ended["ended"]


def test_seconds_and_start_are_kept_on_resume(tmp_path):
    record = RunRecord(tmp_path)
    record.start("name", 0)
    record._started -= 100
    record.end("interrupted")
    first = read_record(tmp_path)
    resumed = RunRecord(tmp_path)
    resumed.start("name", 0)
    resumed.end("finished")
    second = read_record(tmp_path)
    assert 100 <= first["seconds"] <= second["seconds"] < 200
    assert second["started"] == first["started"]


def test_another_process_is_refused_until_the_first_has_ended(tmp_path):
    code = (
        "import sys; from pathlib import Path; from ganlab.errors import RunError\n"
        "from ganlab.record.run import RunRecord\n"
        "try: RunRecord(Path(sys.argv[1]))\n"
        "except RunError as error: sys.exit(str(error))\n"
    )
    record = RunRecord(tmp_path)
    record.start("name", 0)
    held = run_python(["-c", code, str(tmp_path)])
    assert held.returncode == 1
    assert "is being written by another process" in held.stderr
    record.end("finished")
    RunRecord(tmp_path).close()  # the lock is free again


def test_damaged_or_missing_record(tmp_path):
    with pytest.raises(RunError, match="not a run's folder"):
        read_record(tmp_path)
    (tmp_path / "run.json").write_text('{"status": "runn')
    with pytest.raises(RunError, match="damaged"):
        read_record(tmp_path)


def test_damaged_record_leaves_the_folder_free(tmp_path):
    (tmp_path / "run.json").write_text('{"status": "runn')
    with pytest.raises(RunError, match="damaged") as caught:
        RunRecord(tmp_path)
    assert caught.tb  # which keeps the unfinished object, and its lock, alive
    assert not is_held(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pid", "../tmp/x"),
        ("pid", "\0"),
        ("pid", True),
        ("process", "text"),
        ("ended", 3),
        ("data_hash", 3),
        ("has_checkpoint", "yes"),
        ("seconds", False),
    ],
)
def test_an_entry_of_a_wrong_type_is_named(key, value, tmp_path):
    RunRecord(tmp_path).end("finished")
    record = read_record(tmp_path) | {"has_checkpoint": True}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert read_record(tmp_path) == record
    (tmp_path / "run.json").write_text(json.dumps(record | {key: value}))
    with pytest.raises(RunError, match=f"damaged: {key} is"):
        read_record(tmp_path)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        RunRecord(tmp_path / "file" / "run")


def half_write(path, error):
    with atomic(path) as part:
        part.write_text("ne")
        raise error


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_text(path, "old")
    with pytest.raises(RunError, match=r"a\.json: cannot be written: No space left"):
        half_write(path, OSError(28, "No space left on device"))
    with pytest.raises(ValueError, match="mine"):
        half_write(path, ValueError("mine"))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]
    write_text(path, json.dumps({"new": 1}))
    assert json.loads(path.read_text()) == {"new": 1}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only on Linux")
def test_peak_memory_is_that_of_the_run_and_not_of_an_earlier_one(tmp_path):
    """Runs in its own process, since other tests' memory would disturb the measurement."""
    done = run_python(f"""
from pathlib import Path
from ganlab.record.run import RunRecord

first = RunRecord(Path({str(tmp_path)!r}) / "first")
much = bytearray(300 * 2**20)
much[:: 2**12] = b"1" * len(much[:: 2**12])
first.end("finished")
del much
RunRecord(Path({str(tmp_path)!r}) / "second").end("finished")
""")
    assert done.returncode == 0, done.stderr
    first, second = (read_record(tmp_path / n)["peak_memory_mib"] for n in ("first", "second"))
    assert second < first - 200


def test_a_command_is_recorded_without_the_passwords_of_urls(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/ganlab", "tune", "storage=mysql://me:secret@host/x"])
    record = RunRecord(tmp_path / "run")
    record.start("name", 0)
    record.end("finished")
    assert read_record(tmp_path / "run")["command"] == [
        "ganlab",
        "tune",
        "storage=mysql://me:…@host/x",
    ]
