"""A session's record says how the session ended."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers.tiny import ARGUMENTS, REPOSITORY

from ganlab.callbacks import Samples
from ganlab.errors import CheckpointError, NonFiniteLossError
from ganlab.record.run import read_record
from ganlab.runs.train import prepare, train

DRAWING = [a for a in ARGUMENTS if "samples.every" not in a]


def run(folder, *more, batches=6):
    return train(*prepare([*DRAWING, f"budget.batches={batches}", f"run_dir={folder}", *more]))


def test_finished(tmp_path, capsys):
    folder = tmp_path / "run"
    assert run(folder) == 0
    record = read_record(folder)
    assert (record["status"], record["error"]) == ("finished", None)
    assert record["counters"]["examples_seen"] == 48
    names = {path.name for path in folder.iterdir()}
    written = {"config.yaml", "run.json", "metrics.csv", "log.txt", "curves.png"}
    assert written | {"samples", "checkpoints", "contact_sheet.png"} <= names
    assert str(folder) in capsys.readouterr().out


def test_failed(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(NonFiniteLossError, match="player"):
        run(folder, "model.players.discriminator.optimizer.lr=1e38", batches=50)
    record = read_record(folder)
    assert record["status"] == "failed"
    assert record["error"].startswith("NonFiniteLossError: The term")
    assert (folder / "checkpoints" / "failed.ckpt").exists()
    assert list((folder / "samples").glob("*.png"))


@pytest.mark.parametrize("signals", [1, 2])
def test_interrupted(tmp_path, monkeypatch, signals):
    """The first signal stops the run after the batch, the second at once; neither is a failure."""

    def interrupt(self, trainer, module, *args):
        if module.batches_seen == 2:
            for _ in range(signals):
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Samples, "on_train_batch_start", interrupt)
    before = signal.getsignal(signal.SIGINT)
    assert run(tmp_path / "run", batches=50) == 130
    record = read_record(tmp_path / "run")
    assert (record["status"], record["error"]) == ("interrupted", None)
    assert record["counters"]["batches_seen"] == 4 - signals
    assert signal.getsignal(signal.SIGINT) == before


def test_a_damaged_last_checkpoint_is_skipped(tmp_path):
    folder = tmp_path / "run"
    run(folder, "callbacks.checkpoints.every_examples=16", batches=5)
    last = folder / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:500])
    arguments = [f"run={folder}", "resume=true", "budget.batches=8"]
    assert train(*prepare(arguments)) == 0
    assert read_record(folder)["counters"]["batches_seen"] == 8
    assert "damaged or cut short" in (folder / "log.txt").read_text()


def test_checkpoint_of_another_model_in_the_folder(tmp_path):
    run(tmp_path / "one")
    run(tmp_path / "two", "model.generator.hidden=[16]")
    foreign = (tmp_path / "two" / "checkpoints" / "last.ckpt").read_bytes()
    (tmp_path / "one" / "checkpoints" / "last.ckpt").write_bytes(foreign)
    before = (tmp_path / "one" / "run.json").read_bytes()
    with pytest.raises(CheckpointError, match=r"another model(.|\n)*hidden: \[16\] → \[8\]"):
        train(*prepare([f"run={tmp_path / 'one'}", "resume=true", "budget.batches=8"]))
    assert (tmp_path / "one" / "run.json").read_bytes() == before


@pytest.mark.contract
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_lesson_is_recorded_as_interrupted(number, tmp_path):
    """This lesson trains a model, so Lightning turns Ctrl-C into SystemExit."""
    folder = tmp_path / "lesson"
    code = (
        "import sys; from ganlab.cli import main; sys.exit(main(["
        f"'train', 'experiment=lecture/mode_collapse', 'run_dir={folder}']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        # background jobs of a shell, and so this child process, may ignore SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not (folder / "config.yaml").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(6)
    process.send_signal(number)
    assert process.wait(60) == 130
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
