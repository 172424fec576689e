"""Closed pipes and terminals, full disks and odd encodings end no command."""

import errno
import os
import pty
import subprocess
import sys
import threading
import time

import pytest
from helpers.tiny import ARGUMENTS, start_python

from ganlab.core.load import read_checkpoint
from ganlab.record.run import read_record
from ganlab.screen import lost_output, protect_output

GANLAB = ["-m", "ganlab"]


def with_closed_pipe(arguments, **options):
    """Run ganlab with all output to a pipe that nobody reads; return the exit code."""
    read, write = os.pipe()
    os.close(read)
    process = start_python([*GANLAB, *arguments], stdout=write, stderr=write, **options)
    os.close(write)
    return process.wait(120)


def test_listings_whose_reader_has_left_end_quietly(tmp_path):
    read, write = os.pipe()
    os.close(read)
    process = start_python([*GANLAB, "list"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0
    assert with_closed_pipe(["--help"]) == 0
    assert with_closed_pipe(["compare", str(tmp_path)]) == 1  # as with a reader


def test_listing_on_a_full_disk_says_so():
    with open("/dev/full", "w") as full:
        process = start_python([*GANLAB, "list"], stdout=full, stderr=subprocess.PIPE)
        error = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert error == "ganlab list: the output could not be written: No space left on device.\n"


@pytest.fixture
def protected(monkeypatch):
    """Return a function that lets protected output go to a file descriptor."""
    streams = []

    def protect(descriptor):
        streams.append(os.fdopen(descriptor, "w"))
        monkeypatch.setattr(sys, "stdout", streams[-1])
        monkeypatch.setattr(sys, "stderr", None)
        protect_output()

    yield protect
    for stream in streams:
        stream.close()


def test_full_pipe_that_does_not_block_is_waited_for(protected):
    read, write = os.pipe()
    os.set_blocking(write, False)
    protected(write)
    received = []

    def read_late():
        time.sleep(0.2)
        while sum(received) < 200_000:
            received.append(len(os.read(read, 10_000)))

    reader = threading.Thread(target=read_late, daemon=True)
    reader.start()
    print("x" * 200_000, end="")
    assert lost_output() is None
    reader.join(10)
    assert sum(received) == 200_000


def test_closed_terminal_has_lost_nothing(protected):
    master, terminal = pty.openpty()
    protected(terminal)
    os.close(master)
    print("x", flush=True)
    assert sys.stdout.buffer.raw.error.errno == errno.EIO
    assert lost_output() is None


def test_broken_disk_has_lost_output(protected, tmp_path):
    protected(os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT))
    sys.stdout.buffer.raw.error = OSError(errno.EIO, "Input/output error")
    assert lost_output().errno == errno.EIO


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_the_terminal_lacks_are_replaced(encoding):
    code = """
import sys
from ganlab.screen import protect_output
protect_output()
for stream in (sys.stdout, sys.stderr):
    print("é → e", file=stream)
"""
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert (
        done.stdout
        == done.stderr
        == ("é ? e\n" if encoding == "latin-1" else "? ? e\n").encode(encoding)
    )


def test_closed_streams_are_replaced():
    code = """
import sys
from ganlab.screen import protect_output
protect_output()
print("lost", file=sys.stdout), print("lost", file=sys.stderr)
assert not sys.stderr.isatty()
"""
    close = lambda: (os.close(1), os.close(2))  # noqa: E731
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, preexec_fn=close, check=False).returncode == 0


@pytest.mark.parametrize(("unbuffered", "printed"), [("", ""), ("1", "out\n")])
def test_output_is_buffered_as_python_does_it(unbuffered, printed):
    """Errors are written line by line, output in blocks unless `python -u` asks for lines."""
    code = """
import os, sys
from ganlab.screen import protect_output
protect_output()
print("out")
print("error", file=sys.stderr)
os._exit(0)
"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start_python(["-c", code], environment={"PYTHONUNBUFFERED": unbuffered}, **pipes)
    assert process.communicate(timeout=60) == (printed, "error\n")


TRAIN = [
    "train",
    *(text for text in ARGUMENTS if "progress" not in text),
    "+callbacks.progress.line_seconds=0",
]


@pytest.mark.contract
@pytest.mark.parametrize("output", ["closed pipe", "full disk", "ascii"])
def test_training_goes_on_without_a_screen(tmp_path, output):
    arguments = [*TRAIN, "budget.batches=60", f"run_dir={tmp_path / 'run'}"]
    if output == "closed pipe":
        code = with_closed_pipe(arguments)
    elif output == "full disk":
        with open("/dev/full", "w") as full:
            code = start_python([*GANLAB, *arguments], stdout=full, stderr=full).wait(120)
    else:
        environment = {"PYTHONIOENCODING": "ascii"}
        code = start_python([*GANLAB, *arguments], environment=environment).wait(120)
    assert code == 0
    assert read_record(tmp_path / "run")["status"] == "finished"
    assert "writing to" in (tmp_path / "run" / "log.txt").read_text()


@pytest.mark.contract
def test_closed_terminal_leaves_a_checkpoint(tmp_path):
    folder = tmp_path / "run"
    pid, terminal = pty.fork()
    if not pid:
        try:
            command = [*GANLAB, *TRAIN, "budget.batches=1000000", f"run_dir={folder}"]
            os.execv(sys.executable, [sys.executable, *command])
        finally:
            os._exit(1)
    until = time.monotonic() + 120
    while not (folder / "checkpoints" / "last.ckpt").exists() and time.monotonic() < until:
        os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    record = read_record(folder)
    assert record["status"] == "interrupted"
    saved = read_checkpoint(folder / "checkpoints" / "last.ckpt")["ganlab"]["counters"]
    assert saved == record["counters"]
