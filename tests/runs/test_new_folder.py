"""The folders that runs and sweeps get if the user names none."""

import subprocess

import pytest
from helpers.tiny import ARGUMENTS, start_python

from ganlab.cli import main
from ganlab.errors import RunError
from ganlab.record.states import state_of
from ganlab.runs.train import new_folder, prepare
from ganlab.sweeps import plan

SHORT = [*ARGUMENTS, "budget.batches=4"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working directory at a standing clock."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda *_: "2000-01-01_00-00-00")
    return tmp_path


def test_names_of_the_same_second_step_aside_before_anything_is_written(place):
    names = [prepare(SHORT)[0]["run_dir"] for _ in range(3)]
    base = "outputs/mlp_ring_wgan_gp/2000-01-01_00-00-00"
    assert names == [str(place / name) for name in (base, f"{base}_2", f"{base}_3")]
    sweeps = [str(plan.write([], "mlp_ring_wgan_gp", [], [[], []])) for _ in range(2)]
    assert sweeps == [f"{base}_4", f"{base}_5"]


def test_a_folder_that_another_process_makes_at_the_same_moment_is_not_taken(place, monkeypatch):
    """Whether a folder exists must not be asked before it is made."""
    monkeypatch.setattr("pathlib.Path.exists", lambda path: False)
    assert new_folder("run") != new_folder("run")


def test_no_folder_is_left_by_a_dry_run_or_a_failed_start(place):
    assert prepare([*SHORT, "dry_run=true"])[0]["run_dir"].startswith(str(place / "outputs"))
    assert main(["train", *SHORT, "callbacks.samples.n=none"]) == 1
    assert main(["reproduce", "ring_wgan", "modle=3"]) == 1
    assert not any(place.iterdir())
    (place / "mine").mkdir()
    assert main(["train", *SHORT, "callbacks.samples.n=none", "run_dir=mine"]) == 1
    assert (place / "mine").exists()


def test_place_that_cannot_be_written(place):
    (place / "outputs").write_text("")
    with pytest.raises(RunError, match=r"outputs.*cannot be written"):
        new_folder("run")


@pytest.mark.contract
def test_trainings_that_start_at_once_all_run(tmp_path):
    started = [
        start_python(["-m", "ganlab", "train", *SHORT], tmp_path, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in started:
        assert process.communicate(timeout=120)[1] is not None
        assert process.returncode == 0
    runs = list((tmp_path / "outputs").glob("*/*"))
    assert [state_of(run) for run in runs] == ["finished"] * 3
