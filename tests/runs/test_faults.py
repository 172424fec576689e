"""Disks that are full or read-only, and clocks that jump back, lose nothing of a run."""

import errno
import itertools
import os
import re
import resource
import time

import pytest
from helpers.runs.killed import Child, assert_same_runs
from helpers.tiny import ARGUMENTS
from lightning.pytorch import Callback

from ganlab.cli import main
from ganlab.core.load import read_checkpoint
from ganlab.record.run import RunRecord, read_record
from ganlab.runs.train import prepare, train

pytestmark = pytest.mark.usefixtures("no_curves")

EVERY_BATCH = [text for text in ARGUMENTS if "120" not in text and "hidden" not in text] + [
    "callbacks.checkpoints.every_examples=8",
    "model.generator.hidden=[128,128]",
    "model.discriminator.hidden=[128,128]",
]


class From(Callback):
    """Calls a function before batch number `batch`, counted from 0."""

    def __init__(self, batch, function):
        self.batch, self.function = batch, function

    def on_train_batch_start(self, trainer, module, *args):
        if module.batches_seen == self.batch:
            self.function()


def limit_files():
    """Let writing beyond 100 kB fail, as on a full disk; a checkpoint is larger, a log smaller."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))


def fail(call, number):
    """Make a function of `os` fail."""

    def failing(*args, **options):
        raise OSError(number, os.strerror(number))

    setattr(os, call, failing)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (limit_files, ""),  # torch's own message
        (lambda: fail("fsync", errno.EIO), "Input/output error"),
        (lambda: fail("replace", errno.EROFS), "Read-only file system"),
    ],
)
def test_a_disk_that_fails_leaves_two_checkpoints_and_a_run_that_resumes(tmp_path, fault, message):
    folder, log = tmp_path / "run", tmp_path / "log"

    def begin():
        arguments = [*EVERY_BATCH, "budget.batches=12", f"run_dir={folder}"]
        return train(*prepare(arguments), From(7, fault))

    assert Child(begin, log).wait() == 70  # the code of an exception
    printed = log.read_text()
    assert re.search(rf"{folder}/\S+: cannot be written: {message}", printed), printed[-2000:]
    for name, batches in (("last", 7), ("previous", 6)):
        saved = read_checkpoint(folder / "checkpoints" / f"{name}.ckpt")
        assert saved["ganlab"]["counters"]["batches_seen"] == batches
    assert train(*prepare([f"run={folder}", "resume=true"])) == 0
    straight = [*EVERY_BATCH, "budget.batches=12", f"run_dir={tmp_path / 'straight'}"]
    assert train(*prepare(straight)) == 0
    assert_same_runs(tmp_path / "straight", folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["train", *ARGUMENTS, "budget.batches=2", f"run_dir={tmp_path / 'run'}"]) == 1
    assert "cannot be written: Permission denied" in capsys.readouterr().err


def test_a_clock_that_jumps_back_changes_no_duration(tmp_path, monkeypatch):
    """Neither the budget in minutes nor the seconds of the record count by the calendar."""
    past = itertools.count(1_000_000_000, -3600)
    monkeypatch.setattr(time, "time", lambda: float(next(past)))
    monkeypatch.setattr(time, "time_ns", lambda: next(past) * 10**9)
    monkeypatch.setattr(time, "strftime", lambda form, *_: f"2000-01-01T{next(past)}")
    folder, began = tmp_path / "run", time.monotonic()
    words = [text for text in ARGUMENTS if text != "budget.minutes=null"] + ["budget.minutes=10"]
    assert train(*prepare([*words, "budget.batches=6", f"run_dir={folder}"])) == 0
    first = read_record(folder)
    assert first["counters"]["batches_seen"] == 6
    arguments = [f"run={folder}", "resume=true", "budget.batches=9", "budget.minutes=10"]
    assert train(*prepare(arguments)) == 0
    second = read_record(folder)
    assert second["counters"]["batches_seen"] == 9
    assert 0 < first["seconds"] < second["seconds"] < time.monotonic() - began
    rows = (folder / "timing.csv").read_text().splitlines()[1:]
    seconds = [float(row.split(",")[2]) for row in rows]
    assert seconds == sorted(seconds)
    assert all(float(row.split(",")[3]) > 0 for row in rows)


def test_a_start_that_was_killed_at_once_does_not_block_the_next(tmp_path):
    """Killed between writing run.json and config.yaml, the run cannot be resumed."""
    record = RunRecord(tmp_path / "run")
    record.start("name", 0)
    record.close()
    assert train(*prepare([*ARGUMENTS, "budget.batches=2", f"run_dir={tmp_path / 'run'}"])) == 0
    assert main(["train", *ARGUMENTS, "budget.batches=2", f"run_dir={tmp_path / 'run'}"]) == 1
