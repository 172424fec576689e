"""`ganlab train -m` and `ganlab sweep`: every job ends once, whatever happens to the others."""

import json
import signal

import pytest
import torch
from lightning.pytorch import Callback
from tiny import ARGUMENTS

from ganlab.cli import main
from ganlab.cli.launch import check_launcher
from ganlab.cli.plan import Outcome, plan, read_sweep, run_planned, with_sweep
from ganlab.cli.sweep import expand, jobs_of
from ganlab.cli.sweep_table import status_table
from ganlab.errors import ConfigError, HeldError
from ganlab.reports.log import read_metrics
from ganlab.reports.record import RunRecord, read_record
from ganlab.reports.states import is_held, state_of

SHORT = [*ARGUMENTS, "budget.batches=6"]


def test_jobs_are_all_combinations_in_hydras_order():
    jobs = expand(["loss=hinge,lsgan", "seed=range(2)", "log_every=4"])
    assert jobs == [
        [f"loss={loss}", f"seed={seed}", "log_every=4"]
        for loss in ("hinge", "lsgan")
        for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["loss=hing,lsgan"], "Did you mean 'hinge'"),
        (["seed"], "cannot be read"),
        (["model.generator.latent=interval(1,2)"], "ganlab tune"),
        (["--jobs=2"], "no such option"),
    ],
)
def test_sweeps_that_cannot_be(words, says):
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")):
        expand(words)


def test_unknown_key_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "-m", *SHORT, "sed=1,2"]) == 1
    assert "Did you mean 'seed'" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_values_of_the_user_replace_those_of_a_sweep():
    overrides, params = read_sweep("ring_losses")
    name, words = with_sweep(["sweep=ring_losses", "seed=7", "log_every=9"])
    assert name == "ring_losses"
    expected = [f"{k}={v}" for k, v in params.items() if k != "seed"]
    assert words == [*overrides, *expected, "seed=7", "log_every=9"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Four jobs, two of which do not work."""
    folder = tmp_path_factory.mktemp("sweeps") / "four"
    code = main(["train", "-m", *SHORT, "data=ring,grid", "seed=1,abc", f"run_dir={folder}"])
    return folder, code


def test_failed_jobs_leave_the_others_alone(swept):
    folder, code = swept
    assert code == 1
    states = [state_of(job.folder) for job in jobs_of(folder)]
    assert states == ["finished", "failed", "finished", "failed"]
    record = read_record(folder / "1")
    assert "seed: received 'abc'" in record["error"]
    assert record["sweep"]["overrides"] == ["data=ring", "seed=abc"]


def test_job_is_the_run_that_it_would_be_alone(swept, tmp_path):
    """Also where it was not the first in its process."""
    alone = tmp_path / "alone"
    assert main(["train", *SHORT, "data=grid", "seed=1", f"run_dir={alone}"]) == 0
    assert read_metrics(alone) == read_metrics(swept[0] / "2")


def test_status_names_every_job_and_its_error(swept, capsys):
    assert main(["sweep", "status", str(swept[0])]) == 0
    said = capsys.readouterr().out
    assert "4 jobs: 2 finished, 2 failed" in said
    assert "data=grid seed=abc" in said
    assert "needs a whole number" in said


def test_resume_runs_what_failed_again_and_nothing_else(tmp_path, monkeypatch):
    """A job that failed for want of its data, which is then put there."""
    from ganlab.data import MNIST5k
    from ganlab.reports.pictures import save_png

    monkeypatch.chdir(tmp_path)
    words = [
        *("model=gan", "data=folder", "data.root=late,early", "data.size=28", "data.channels=1"),
        *("data.batch_size=2", "evaluation=none", "budget.batches=2", "trainer=cpu"),
    ]
    for index, image in enumerate(MNIST5k().train["image"][:8]):
        save_png(image, tmp_path / "early" / f"{index}.png")
    assert main(["train", "-m", *words, "run_dir=both"]) == 1
    assert [state_of(tmp_path / "both" / n) for n in "01"] == ["failed", "finished"]
    ended = read_record(tmp_path / "both" / "1")["ended"]
    (tmp_path / "early").rename(tmp_path / "late")
    assert main(["sweep", "resume", "both"]) == 0
    assert [state_of(tmp_path / "both" / n) for n in "01"] == ["finished", "finished"]
    assert read_record(tmp_path / "both" / "1")["ended"] == ended


class Stop(Callback):
    """Interrupts a run as Ctrl-C does."""

    def on_train_batch_end(self, trainer, pl_module, *args):
        if pl_module.batches_seen == 16:
            signal.raise_signal(signal.SIGINT)


def test_interrupted_plan_goes_on_bit_for_bit(tmp_path):
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
    scored = [word for word in SHORT if word != "evaluation=none"]
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


def test_what_another_process_is_at_is_left_alone(tmp_path):
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


def test_sweep_that_another_process_runs(swept):
    from ganlab.reports.record import hold

    folder = swept[0]
    with open(folder / ".lock", "w") as lock:
        hold(lock, folder)
        assert main(["sweep", "resume", str(folder)]) == 1
    with open(folder / ".lock", "w") as lock, open(folder / ".lock", "w") as other:
        hold(lock, folder)
        with pytest.raises(HeldError):
            hold(other, folder)


def test_threads_of_one_job_are_not_those_of_the_next(tmp_path):
    plan(tmp_path / "run", [*SHORT, "threads=2"])
    before = torch.get_num_threads()
    run_planned(tmp_path / "run")
    assert torch.get_num_threads() == before != 2


@pytest.mark.parametrize(
    ("launcher", "says"),
    [("jolib", "Did you mean 'joblib'"), ("submitit_slurm", "no srun"), ("ray", "pip install")],
)
def test_launcher_that_is_not_there(launcher, says, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    if launcher == "ray":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=says):
        check_launcher(launcher)


def test_folder_of_a_sweep_is_not_overwritten(swept, capsys):
    before = (swept[0] / "sweep.json").read_text()
    assert main(["train", "-m", *SHORT, "seed=1,2", f"run_dir={swept[0]}"]) == 1
    assert "ganlab sweep resume" in capsys.readouterr().err
    assert (swept[0] / "sweep.json").read_text() == before


def test_job_whose_planning_was_cut_short(swept, tmp_path):
    """A configuration without a record, or a record without a configuration."""
    folder = tmp_path / "sweep"
    main(["train", "-m", *SHORT, "seed=1,2", f"run_dir={folder}"])
    (folder / "0" / "run.json").unlink()
    (folder / "1" / "config.yaml").unlink()
    assert status_table(folder)[1] == {"missing": 1, "finished": 1}
    for name in ("metrics.csv", "timing.csv"):
        (folder / "0" / name).unlink()
        (folder / "1" / name).unlink()
    assert main(["sweep", "resume", str(folder)]) == 0
    assert json.loads((folder / "1" / "run.json").read_text())["seed"] == 2
