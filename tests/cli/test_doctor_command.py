"""`ganlab doctor` on finished runs, failed runs, and runs without the doctor callback."""

import json

import pytest
from helpers.tiny import ARGUMENTS

from ganlab.cli import main
from ganlab.cli.doctor import main as doctor

pytestmark = pytest.mark.usefixtures("no_curves")

WATCHED = "++callbacks.doctor={_target_: ganlab.callbacks.doctor.Doctor, every_examples: 64}"


def train(folder, *arguments):
    """Train a tiny run; return its exit code and its folder."""
    code = main(["train", *ARGUMENTS, f"run_dir={folder}", *arguments])
    return code, folder


def test_diagnosis_of_a_finished_run_is_printed_and_written(tmp_path, capsys):
    code, folder = train(tmp_path / "run", "budget.batches=60", WATCHED)
    assert code == 0
    before = (folder / "metrics.csv").read_text()
    capsys.readouterr()
    assert doctor([f"run={folder}"]) == 0
    printed = capsys.readouterr().out
    assert "finished, 480 examples" in printed
    assert "What the log does not show:" in printed
    written = json.loads((folder / "doctor.json").read_text())
    assert written["examples_seen"] == 480
    assert {"condition", "words", "evidence", "remedies", "kind"} == set(written["findings"][0])
    assert (folder / "metrics.csv").read_text() == before


def test_run_without_the_doctor_callback_is_reported(tmp_path, capsys):
    _, folder = train(tmp_path / "run", "budget.batches=20", "++callbacks.doctor=null")
    assert doctor([f"run={folder}"]) == 0
    assert "no doctor" in capsys.readouterr().out


def test_failed_run_is_diagnosed_as_divergence(tmp_path, capsys):
    rate = "model.players.discriminator.optimizer.lr=1e30"
    unbounded = "model.discriminator.activation=leaky_relu"
    code, folder = train(tmp_path / "run", "budget.batches=40", rate, unbounded)
    assert code == 1
    assert doctor([f"run={folder}"]) == 0
    assert "DIVERGENCE" in capsys.readouterr().out
    assert json.loads((folder / "doctor.json").read_text())["diagnosis"] == "divergence"


def test_generator_with_learning_rate_0_is_diagnosed_as_not_moving(tmp_path):
    rate = "model.players.generator.optimizer.lr=0.0"
    _, folder = train(tmp_path / "run", "budget.batches=60", rate, WATCHED)
    assert doctor([f"run={folder}"]) == 0
    written = json.loads((folder / "doctor.json").read_text())
    assert written["diagnosis"] == "generator_not_moving"


def test_help_and_errors_for_wrong_arguments(tmp_path, capsys):
    assert doctor(["--help"]) == 0
    assert "ganlab doctor" in capsys.readouterr().out
    from ganlab.errors import ConfigError, RunError

    with pytest.raises(ConfigError, match="run: missing"):
        doctor([])
    with pytest.raises(ConfigError, match="rnu"):
        doctor(["rnu=x"])
    with pytest.raises(RunError, match=r"run\.json"):
        doctor([f"run={tmp_path}"])
