"""Nothing is written before data, checkpoint and lock are known to be good."""

import json
import os
import shutil

import numpy as np
import pytest
import yaml
from helpers.tiny import ARGUMENTS
from PIL import Image

from ganlab.callbacks import Samples
from ganlab.cli import main
from ganlab.record.run import read_record

pytestmark = pytest.mark.usefixtures("no_curves")

PICTURES = [
    "model=dcgan",
    "data=folder",
    "data.size=32",
    "data.batch_size=4",
    "data.test_share=0.25",
    "model.generator.features=4",
    "model.discriminator.features=4",
    "protocol=none",
    "trainer=cpu",
    "log_every=1",
    "callbacks.progress.enabled=false",
]


def pictures(folder, seed=0):
    """Write twelve random pictures of 32 pixels, and return the folder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(12):
        array = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(array).save(folder / f"{number}.png")
    return folder


def contents(folder):
    """Return the bytes of a run's files except its log."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.name not in ("log.txt", ".lock")}


@pytest.fixture
def ring(tmp_path, monkeypatch):
    """Finished run of four batches."""
    monkeypatch.chdir(tmp_path)
    assert main(["train", *ARGUMENTS, "budget.batches=4", "run_dir=run"]) == 0
    return tmp_path / "run"


@pytest.mark.parametrize(
    "mistake", ["data.batch_size=1000", "data.root=nowhere", "trainer.devices=3"]
)
def test_a_mistake_leaves_no_folder(mistake, tmp_path, monkeypatch, capsys):
    """So the corrected command can be given the same folder."""
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "pictures")
    command = ["train", *PICTURES, "data.root=pictures", "budget.batches=1", "run_dir=run"]
    strategy = ["trainer.strategy=ddp_find_unused_parameters_true"]  # for several processes
    corrected = [text for text in command if text.partition("=")[0] != mistake.partition("=")[0]]
    assert main([*corrected, *strategy, mistake]) == 1
    assert not (tmp_path / "run").exists()
    assert "Traceback" not in capsys.readouterr().err
    assert main(command) == 0


def test_a_protocol_that_needs_more_examples_leaves_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    protocol = ["protocol=points10k_test", "protocol.real_samples=1000000"]
    game = [argument for argument in ARGUMENTS if not argument.startswith("protocol")]
    command = ["train", *game, *protocol, "budget.batches=1", "run_dir=run"]
    assert main(command) == 1
    assert "protocol.real_samples: received 1000000" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_that_failed_before_its_first_batch_is_replaced(tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise RuntimeError("no memory")

    command = ["train", *ARGUMENTS, "budget.batches=2", f"run_dir={tmp_path / 'run'}"]
    with monkeypatch.context() as patch:
        patch.setattr(Samples, "on_train_batch_start", fail)
        with pytest.raises(RuntimeError, match="no memory"):
            main(command)
    assert read_record(tmp_path / "run")["status"] == "failed"
    assert main(command) == 0
    record = read_record(tmp_path / "run")
    assert (record["status"], record["error"]) == ("finished", None)
    assert main(command) == 1  # but a run that has trained is kept
    assert "holds a run already" in capsys.readouterr().err


def test_a_run_resumed_elsewhere_reads_the_same_data(tmp_path, monkeypatch):
    """A relative data.root is absolute in config.yaml, as are all folders of the run."""
    pictures(tmp_path / "a" / "pictures")
    pictures(tmp_path / "b" / "pictures", seed=1)
    monkeypatch.chdir(tmp_path / "a")
    command = ["train", *PICTURES, "data.root=pictures", "run_dir=run"]
    assert main([*command, "budget.batches=2"]) == 0
    config = yaml.safe_load((tmp_path / "a" / "run" / "config.yaml").read_text())
    assert config["data"]["root"] == str(tmp_path / "a" / "pictures")
    assert config["run_dir"] == config["callbacks"]["samples"]["folder"] == os.path.abspath("run")
    monkeypatch.chdir(tmp_path / "b")
    assert main(["train", "run=../a/run", "resume=true", "budget.batches=4"]) == 0
    assert read_record(tmp_path / "a" / "run")["counters"]["examples_seen"] == 16


def test_other_data_are_refused(tmp_path, monkeypatch, capsys):
    """The hash of the training data is compared; a finished run keeps its record and scores."""
    pictures(tmp_path / "one")
    pictures(tmp_path / "two", seed=1)
    run = tmp_path / "run"
    command = ["train", *PICTURES, f"data.root={tmp_path / 'one'}", f"run_dir={run}"]
    assert main([*command, "budget.batches=2"]) == 0
    before = contents(run)
    resume = ["train", f"run={run}", "resume=true", "budget.batches=4"]
    assert main([*resume, f"data.root={tmp_path / 'two'}"]) == 1
    assert "the training data differ" in capsys.readouterr().err
    moved = (tmp_path / "one").rename(tmp_path / "moved")
    assert main(resume) == 1
    assert contents(run) == before
    assert main([*resume, f"data.root={moved}"]) == 0


def test_a_damaged_log_changes_no_record(ring, capsys):
    (ring / "metrics.csv").write_bytes(b"\xff\x00,\n\xfe")
    before = contents(ring)
    assert main(["train", f"run={ring}", "resume=true", "budget.batches=8"]) == 1
    assert "metrics.csv is damaged" in capsys.readouterr().err
    assert contents(ring) == before
    (ring / "metrics.csv").unlink()
    assert main(["train", f"run={ring}", "resume=true", "budget.batches=8"]) == 0
    assert "metrics.csv lacks the rows from 0 to 32 examples" in capsys.readouterr().err


def test_a_killed_run_that_has_logged_is_not_replaced(ring, capsys):
    """The record counts batches every ten seconds: after a kill it may count none."""
    shutil.rmtree(ring / "checkpoints")
    record = yaml.safe_load((ring / "run.json").read_text()) | {"status": "running"}
    record |= {"has_checkpoint": False, "counters": {"examples_seen": 0, "batches_seen": 0}}
    (ring / "run.json").write_text(json.dumps(record))
    command = ["train", *ARGUMENTS, "budget.batches=2", "run_dir=run"]
    assert main(command) == 1
    assert "holds a run already" in capsys.readouterr().err
    (ring / "metrics.csv").unlink()
    assert main(command) == 0


def test_an_interrupt_before_training_leaves_no_folder(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ganlab.runs.session.load", interrupted)
    assert main(["train", *ARGUMENTS, "budget.batches=2"]) == 130
    assert not (tmp_path / "outputs").exists()


def test_a_shorter_budget_does_not_end_an_interrupted_run(ring, capsys):
    """It would end without scores, and its own budget would be forgotten."""
    record = (ring / "run.json").read_text()
    (ring / "run.json").write_text(record.replace('"finished"', '"interrupted"', 1))
    before = contents(ring)
    assert main(["train", f"run={ring}", "resume=true", "budget.batches=3"]) == 1
    error = capsys.readouterr().err
    assert "budget.batches: received 3, but the run has been trained for 32 examples" in error
    assert contents(ring) == before
    assert main(["train", f"run={ring}", "resume=true", "budget.batches=6"]) == 0


def test_an_edited_configuration_is_compared_with_the_checkpoint(ring, capsys):
    config = ring / "config.yaml"
    config.write_text(config.read_text().replace("batch_size: 8", "batch_size: 16"))
    assert main(["train", f"run={ring}", "resume=true", "budget.batches=8"]) == 1
    assert "data.batch_size: 8 → 16" in capsys.readouterr().err


def test_the_first_checkpoint_is_in_the_record_at_once(tmp_path, monkeypatch):
    """So a run that is killed soon after it does not begin anew if its checkpoints are deleted."""
    seen = []

    def look(callback, trainer, module, *_):
        if (tmp_path / "run" / "checkpoints" / "last.ckpt").exists() and not trainer.should_stop:
            seen.append(read_record(tmp_path / "run").get("has_checkpoint"))

    monkeypatch.setattr(Samples, "on_train_batch_start", look)
    command = ["train", *ARGUMENTS, "budget.batches=20", f"run_dir={tmp_path / 'run'}"]
    assert main([*command, "callbacks.checkpoints.every_examples=40"]) == 0
    assert seen
    assert all(seen)


def test_lost_checkpoints_are_not_trained_again(ring, capsys):
    shutil.rmtree(ring / "checkpoints")
    before = contents(ring)
    assert main(["train", f"run={ring}", "resume=true", "budget.batches=8"]) == 1
    assert "has trained 4 batches, but its checkpoints are gone" in capsys.readouterr().err
    assert contents(ring) == before


def test_a_run_killed_before_its_first_checkpoint_starts_again(ring, capsys):
    """Its record counts batches, but says that no checkpoint was saved."""
    shutil.rmtree(ring / "checkpoints")
    text = (ring / "run.json").read_text()
    assert '"has_checkpoint": true' in text
    text = text.replace('"finished"', '"running"', 1)
    (ring / "run.json").write_text(
        text.replace('"has_checkpoint": true', '"has_checkpoint": false')
    )
    assert main(["train", f"run={ring}", "resume=true", "budget.batches=8"]) == 0
    assert "starts from the beginning" in capsys.readouterr().err
    assert (ring / "metrics.csv").read_text().count("\n") == 3
