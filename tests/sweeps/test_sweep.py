"""`ganlab train -m` and `ganlab sweep`: planning, training, status and resuming of jobs."""

import json

import pytest
from helpers.tiny import ARGUMENTS
from hydra.core.override_parser.overrides_parser import OverridesParser

from ganlab.cli import main
from ganlab.config.sweeps import merge_sweep, read_sweep
from ganlab.errors import ConfigError, HeldError
from ganlab.record.log import read_metrics
from ganlab.record.run import read_record
from ganlab.record.states import state_of
from ganlab.record.sweep import Job, jobs_of
from ganlab.sweeps.job import _free_gpu
from ganlab.sweeps.launch import _quoted
from ganlab.sweeps.launchers import check_launcher, worker_override
from ganlab.sweeps.plan import expand
from ganlab.sweeps.table import status_table

pytestmark = pytest.mark.usefixtures("no_curves")

SHORT = [*ARGUMENTS, "budget.batches=6"]


def test_jobs_are_all_combinations_in_hydras_order():
    jobs = expand(["loss=hinge,lsgan", "seed=range(2)", "log_every=4"])
    assert jobs == [
        [f"loss={loss}", f"seed={seed}", "log_every=4"]
        for loss in ("hinge", "lsgan")
        for seed in (0, 1)
    ]


def test_glob_expands_to_all_matching_choices():
    jobs = expand(["experiment=glob(ring_wgan*)"])
    assert jobs == [["experiment=ring_wgan"], ["experiment=ring_wgan_gp"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["experiment=glob(rong*)"], "matches no value"),
        (["loss=hing,lsgan"], "Did you mean 'hinge'"),
        (["seed"], "cannot be read"),
        (["model.generator.latent=interval(1,2)"], "ganlab tune"),
        (["--jobs=2"], "no such option"),
    ],
)
def test_overrides_that_are_no_sweep_are_refused(words, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        expand(words)


def test_unknown_key_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "-m", *SHORT, "sed=1,2"]) == 1
    assert "Did you mean 'seed'" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_command_line_replaces_values_of_the_sweep_file():
    overrides, params = read_sweep("ring_losses")
    name, words = merge_sweep(["sweep=ring_losses", "seed=7", "log_every=9"])
    assert name == "ring_losses"
    expected = [f"{k}={v}" for k, v in params.items() if k != "seed"]
    assert words == [*overrides, *expected, "seed=7", "log_every=9"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory, no_curves):
    """The folder and the exit code of a sweep of four jobs; jobs 1 and 3 have a wrong seed."""
    folder = tmp_path_factory.mktemp("sweeps") / "four"
    code = main(["train", "-m", *SHORT, "data=ring,grid", "seed=1,abc", f"run_dir={folder}"])
    return folder, code


def test_failed_jobs_do_not_stop_the_other_jobs(swept):
    folder, code = swept
    assert code == 1
    states = [state_of(job.folder) for job in jobs_of(folder)]
    assert states == ["finished", "failed", "finished", "failed"]
    record = read_record(folder / "1")
    assert "seed: received 'abc'" in record["error"]
    assert record["sweep"]["overrides"] == ["data=ring", "seed=abc"]


def test_wrong_values_are_found_before_the_first_job_is_trained(tmp_path, monkeypatch, capsys):
    """Also values that only the check finds, not the composition."""
    monkeypatch.setattr("ganlab.sweeps.plan.first_that_composes", lambda jobs: {"dry_run": False})
    monkeypatch.setattr("ganlab.sweeps.launch._run_all", lambda *_: None)
    wrong = ["1,abc", "1,-3"]
    for number, seeds in enumerate(wrong):
        folder = tmp_path / str(number)
        main(["train", "-m", *SHORT, f"seed={seeds}", f"run_dir={folder}"])
        assert [state_of(job.folder) for job in jobs_of(folder)] == ["planned", "failed"]
        assert "job 1: seed: received" in capsys.readouterr().err


def test_job_gives_the_same_metrics_as_a_single_run(swept, tmp_path):
    """Job 2 ran in the same process after other jobs, which must not change its numbers."""
    alone = tmp_path / "alone"
    assert main(["train", *SHORT, "data=grid", "seed=1", f"run_dir={alone}"]) == 0
    assert read_metrics(alone) == read_metrics(swept[0] / "2")


def test_status_names_every_job_and_its_error(swept, capsys):
    assert main(["sweep", "status", str(swept[0])]) == 0
    printed = capsys.readouterr().out
    assert "4 jobs: 2 finished, 2 failed" in printed
    assert "data=grid seed=abc" in printed
    assert "needs a whole number" in printed


def test_resume_runs_only_the_failed_job_again(tmp_path, monkeypatch):
    """The job failed since its data folder was missing; the folder is added before the resume."""
    from ganlab.data import MNIST5k
    from ganlab.modalities.grid import save_png

    monkeypatch.chdir(tmp_path)
    words = [
        *("model=gan", "data=folder", "data.root=late,early", "data.size=28", "data.channels=1"),
        *("data.batch_size=2", "protocol=none", "budget.batches=2", "trainer=cpu"),
    ]
    for index, image in enumerate(MNIST5k().train["example"][:8]):
        save_png(image, tmp_path / "early" / f"{index}.png")
    assert main(["train", "-m", *words, "run_dir=both"]) == 1
    assert [state_of(tmp_path / "both" / n) for n in "01"] == ["failed", "finished"]
    ended = read_record(tmp_path / "both" / "1")["ended"]
    (tmp_path / "early").rename(tmp_path / "late")
    assert main(["sweep", "resume", "both"]) == 0
    assert [state_of(tmp_path / "both" / n) for n in "01"] == ["finished", "finished"]
    assert read_record(tmp_path / "both" / "1")["ended"] == ended


def test_sweep_that_another_process_runs(swept):
    from ganlab.record.lock import hold

    folder = swept[0]
    with hold(folder):
        assert main(["sweep", "resume", str(folder)]) == 1
        with pytest.raises(HeldError):
            hold(folder)
    with hold(folder):
        pass


@pytest.mark.parametrize(
    ("launcher", "message"),
    [("jolib", "Did you mean 'joblib'"), ("submitit_slurm", "no srun"), ("ray", "pip install")],
)
def test_unavailable_launcher_is_refused(launcher, message, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    if launcher == "ray":
        monkeypatch.setattr("ganlab.sweeps.launchers.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=message):
        check_launcher([f"hydra/launcher={launcher}"])


def test_sweeps_refused_before_planning_write_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for word in ("hydra.launcher.n_jobs=x", "hydra.foo=1"):
        words = [*SHORT, "seed=1,2", "hydra/launcher=joblib", word]
        assert main(["train", "-m", *words]) == 1
        assert word in capsys.readouterr().err
    assert main(["train", "-m", *SHORT, "seed=1,2", "run=somewhere", "resume=true"]) == 1
    assert "ganlab sweep resume" in capsys.readouterr().err
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    for name in ("RANK", "LOCAL_RANK", "GROUP_RANK"):
        monkeypatch.setenv(name, "0")
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"):
        monkeypatch.setenv(name, "2")
    assert main(["train", "-m", *SHORT, "seed=1,2"]) == 1
    assert "without torchrun" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_dry_run_lists_the_jobs_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "-m", *SHORT, "seed=1,2", "++dry_run=true", "run_dir=swept"]) == 0
    printed = capsys.readouterr().out
    assert "2 jobs:" in printed
    assert "swept/0" in printed
    assert not (tmp_path / "swept").exists()


@pytest.mark.parametrize(
    ("trainer", "cores", "gpus", "jobs", "processes"),
    [
        ({"accelerator": "cpu", "devices": 1}, 64, 1, 4, 4),
        ({"accelerator": "cpu", "devices": 2}, 8, 0, 9, 4),
        ({"accelerator": "auto", "devices": 1}, 64, 2, 9, 2),
        ({"accelerator": "gpu", "devices": 4}, 64, 4, 9, 1),
        ({"accelerator": "auto", "devices": 1}, 2, 0, 9, 2),
    ],
)
def test_joblib_starts_as_many_processes_as_devices_allow(
    trainer, cores, gpus, jobs, processes, monkeypatch, tmp_path
):
    monkeypatch.setattr("joblib.cpu_count", lambda: cores)
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpus > 0)
    monkeypatch.setattr("ganlab.sweeps.launchers.read_config", lambda folder: {"trainer": trainer})
    listed = [Job(number, tmp_path / str(number), [], []) for number in range(jobs)]
    assert worker_override("joblib", [], listed) == [f"hydra.launcher.n_jobs={processes}"]
    assert worker_override("joblib", ["hydra.launcher.n_jobs=3"], listed) == []
    assert worker_override("basic", [], listed) == []


def test_simultaneous_jobs_get_different_gpus(swept, monkeypatch):
    from types import SimpleNamespace

    choices = SimpleNamespace(runtime=SimpleNamespace(choices={"hydra/launcher": "joblib"}))
    monkeypatch.setattr("hydra.core.hydra_config.HydraConfig.get", lambda: choices)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr(
        "ganlab.sweeps.job.read_config",
        lambda folder: {"trainer": {"accelerator": "gpu", "devices": 1}},
    )
    job = jobs_of(swept[0])[0].folder
    with _free_gpu(job) as first, _free_gpu(job) as second, _free_gpu(job) as third:
        assert (first, second, third) == ([0], [1], None)
    with _free_gpu(job) as released:
        assert released == [0]


def test_a_job_that_cannot_be_composed_keeps_its_error(tmp_path, capsys):
    folder = tmp_path / "sweep"
    words = [word for word in SHORT if not word.startswith("model")]
    assert main(["train", "-m", *words, "model=mlp,dcgan", f"run_dir={folder}"]) == 1
    error = read_record(folder / "1")["error"]
    assert main(["sweep", "resume", str(folder)]) == 1
    assert read_record(folder / "1")["error"] == error
    assert "is not a run's folder" not in capsys.readouterr().err


@pytest.mark.parametrize("path", ["a\\b", "a'b", "a\\'b", "a\\", "a\\\\'", "a b,[c]", "\\'\\"])
def test_quoted_paths_are_read_by_hydra(path):
    override = OverridesParser.create().parse_override(f"folder={_quoted(path)}")
    assert override.value() == path


def test_damaged_job_is_planned_again_and_damaged_sweep_reported(tmp_path, capsys):
    folder = tmp_path / "sweep"
    assert main(["train", "-m", *SHORT, "seed=1,2", f"run_dir={folder}"]) == 0
    metrics = read_metrics(folder / "0")
    (folder / "0" / "run.json").write_text('{"status": "fin')
    (folder / "1" / "config.yaml").write_text("")
    for name in ("metrics.csv", "timing.csv", "checkpoints/last.ckpt"):
        (folder / "1" / name).unlink()
    assert status_table(folder)[1] == {"damaged": 1, "finished": 1}
    assert main(["sweep", "resume", str(folder)]) == 0
    assert read_metrics(folder / "0") == metrics
    assert (folder / "0" / "run.json.damaged").exists()
    for text in ("[]", '{"jobs": []}', "{"):
        (folder / "sweep.json").write_text(text)
        assert main(["sweep", "resume", str(folder)]) == 1
        assert "damaged" in capsys.readouterr().err


def test_resumed_jobs_resolve_paths_relative_to_the_start_folder(tmp_path, monkeypatch):
    from ganlab.data import MNIST5k
    from ganlab.modalities.grid import save_png

    start = tmp_path / "start"
    for index, image in enumerate(MNIST5k().train["example"][:8]):
        save_png(image, start / "pictures" / f"{index}.png")
    monkeypatch.chdir(start)
    words = ["model=gan", "data=folder", "data.root=pictures", "data.size=28", "data.channels=1"]
    words += ["data.batch_size=2", "protocol=none", "budget.batches=2", "trainer=cpu"]
    assert main(["train", "-m", *words, "seed=1,2", "run_dir=sweep"]) == 0
    for name in ("run.json", "config.yaml"):
        (start / "sweep" / "1" / name).unlink()
    for name in ("metrics.csv", "timing.csv", "checkpoints/last.ckpt"):
        (start / "sweep" / "1" / name).unlink()
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "resume", "start/sweep"]) == 0
    assert state_of(start / "sweep" / "1") == "finished"


def test_folder_of_a_sweep_is_not_overwritten(swept, capsys):
    before = (swept[0] / "sweep.json").read_text()
    assert main(["train", "-m", *SHORT, "seed=1,2", f"run_dir={swept[0]}"]) == 1
    assert "ganlab sweep resume" in capsys.readouterr().err
    assert (swept[0] / "sweep.json").read_text() == before


def test_incompletely_planned_jobs_are_planned_again(swept, tmp_path):
    """Job 0 has a configuration without a record; job 1 has a record without a configuration."""
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
