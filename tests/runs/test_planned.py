"""Runs that are planned first and trained later."""

import json
import signal
import subprocess

import pytest
import torch
from helpers.tiny import ARGUMENTS
from lightning.pytorch import Callback

from ganlab.record.lock import is_held
from ganlab.record.log import read_metrics
from ganlab.record.run import RunRecord, read_record
from ganlab.record.states import state_of
from ganlab.runs.planned import Outcome, plan, run_planned

pytestmark = pytest.mark.usefixtures("no_curves")

SHORT = [*ARGUMENTS, "budget.batches=6"]


class Stop(Callback):
    """Interrupts a run as Ctrl-C does."""

    def on_train_batch_end(self, trainer, pl_module, *args):
        if pl_module.batches_seen == 16:
            signal.raise_signal(signal.SIGINT)


def test_an_interrupted_plan_resumes_bit_for_bit(tmp_path):
    stopped, straight = tmp_path / "stopped", tmp_path / "straight"
    for folder in (stopped, straight):
        plan(folder, [*ARGUMENTS, "budget.batches=24"])
        assert state_of(folder) == "planned"
    with pytest.raises(KeyboardInterrupt):
        run_planned(stopped, Stop())
    assert state_of(stopped) == "interrupted"
    assert run_planned(stopped) == Outcome(stopped, "finished")
    assert run_planned(straight) == Outcome(straight, "finished")
    assert read_metrics(stopped) == read_metrics(straight)


def test_scores_are_not_lost_between_the_last_checkpoint_and_the_record(tmp_path):
    folder = tmp_path / "run"
    scored = [word for word in SHORT if word != "protocol=none"]
    plan(folder, [*scored, "protocol.samples=100"])
    run_planned(folder)
    record = read_record(folder)
    assert record["scores"]
    killed = record | {"status": "running", "scores": {}}
    (folder / "run.json").write_text(json.dumps(killed))
    log = read_metrics(folder)
    assert run_planned(folder) == Outcome(folder, "finished")
    assert read_record(folder)["scores"] == record["scores"]
    assert read_metrics(folder) == log


def test_a_run_of_another_process_is_left_alone(tmp_path):
    folder = tmp_path / "run"
    plan(folder, SHORT)
    record = RunRecord(folder)
    record.write(status="running")
    assert is_held(folder)
    assert state_of(folder) == "running"
    assert run_planned(folder).status == "running"
    record.close()
    assert state_of(folder) == "killed"
    assert run_planned(folder).status == "finished"


def test_ctrl_c_while_the_process_of_a_run_is_started_reaches_it(tmp_path, monkeypatch):
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            if "train" in arguments[0]:
                started.append(self)
                signal.raise_signal(signal.SIGINT)

    folder = tmp_path / "run"
    plan(folder, [*(word for word in SHORT if word != "trainer=cpu"), "trainer=ddp_cpu"])
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_planned(folder)
    assert [process.poll() is None for process in started] == [False]
    assert state_of(folder) == "planned"


def test_the_number_of_threads_is_restored_after_a_job(tmp_path):
    plan(tmp_path / "run", [*SHORT, "threads=2"])
    before = torch.get_num_threads()
    run_planned(tmp_path / "run")
    assert torch.get_num_threads() == before != 2
