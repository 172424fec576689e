"""Reading runs for a comparison: each once, settings that differ, and damaged folders."""

import fcntl
import json
import os
from dataclasses import replace

import pytest
from helpers.runs.written_runs import score, write_run
from helpers.tiny import run_python
from omegaconf import OmegaConf

from ganlab.errors import RunError
from ganlab.record.run import read_config
from ganlab.reports.comparison.comparison import read_comparison
from ganlab.reports.comparison.groups import tabulate
from ganlab.reports.comparison.runs import labelled
from ganlab.reports.comparison.settings import hashable, parse_sections, short_names


def test_reads_what_a_run_recorded(tmp_path):
    write_run(
        tmp_path / "runs" / "a",
        seed=3,
        scores=0.5,
        baseline={"paper": "arXiv:1"},
        sweep={"name": "losses", "job": 7, "overrides": ["loss=hinge"]},
    )
    (run,) = read_comparison([tmp_path / "runs"]).runs
    assert run.label == "losses/7"
    assert (run.name, run.state, run.error, run.seed) == ("ring_losses", "finished", None, 3)
    assert run.choices == {"model": "mlp", "loss": "hinge", "data": "ring"}
    assert (run.seconds, run.examples_seen, run.batches_seen) == (60.0, 51200, 200)
    assert run.peak_memory_mib == 800.0
    assert run.baseline == {"paper": "arXiv:1"}
    assert [(s.name, s.value, s.better, s.taken) for s in run.scores] == [
        ("high_quality", 0.5, "higher", "training")
    ]
    assert run.settings["model.players.generator.optimizer.lr"] == 0.001
    written = ("run_dir", "seed", "choices.loss", "callbacks.samples.folder", "logger.csv._target_")
    assert not set(written) & set(run.settings)


def test_a_folder_counts_once_by_whatever_path(tmp_path, monkeypatch):
    sweep = tmp_path / "sweep"
    for job in range(3):
        write_run(sweep / str(job), seed=job)
    (tmp_path / "link").symlink_to(sweep / "1")
    monkeypatch.chdir(tmp_path)
    read = read_comparison([sweep, sweep / "0", "sweep/2/../2", "link"])
    assert len(read.runs) == 3
    assert len(read.notes) == 3
    assert all("given more than once" in note for note in read.notes)


def test_a_link_to_a_parent_folder_is_not_followed_again(tmp_path):
    write_run(tmp_path / "a" / "0")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert len(read_comparison([tmp_path]).runs) == 1


def test_jobs_come_in_the_order_of_their_numbers(tmp_path):
    for job in (10, 9, 2):
        write_run(tmp_path / "sweep" / str(job), seed=job)
    assert [run.seed for run in read_comparison([tmp_path]).runs] == [2, 9, 10]


def test_labels_are_the_shortest_that_are_unique(tmp_path):
    for place in ("x/losses/0", "y/losses/0", "y/other/1"):
        write_run(tmp_path / place)
    labels = {run.label for run in read_comparison([tmp_path]).runs}
    assert labels == {"x/losses/0", "y/losses/0", "other/1"}


def test_remote_runs_of_one_name_are_labelled_by_their_address(tmp_path):
    local = read_comparison([write_run(tmp_path / "a")]).runs[0]
    places = ("wandb:me/gans/x1", "wandb:me/other/x1")
    remote = [replace(local, folder=None, label="same", address=place) for place in places]
    assert [run.label for run in labelled(remote)] == list(places)
    assert labelled(remote[:1])[0].label == "same"


def test_an_unreadable_folder_is_skipped_with_a_note(tmp_path, monkeypatch):
    for place in ("a/0", "locked/0", "z/0"):
        write_run(tmp_path / place)
    scandir = os.scandir

    def refusing(folder):
        if os.fspath(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    read = read_comparison([tmp_path])
    assert [run.folder.parent.name for run in read.runs] == ["a", "z"]
    assert read.notes == (f"{tmp_path / 'locked'}: cannot be read: Permission denied.",)
    with pytest.raises(RunError, match="Permission denied"):
        read_comparison([tmp_path / "locked"])


def damaged(folder):
    (folder / "run.json").write_text('{"status": "fin')


def a_list(folder):
    (folder / "run.json").write_text("[]")


def no_record(folder):
    (folder / "checkpoints").mkdir()
    (folder / "run.json").unlink()


def no_run(folder):
    for file in folder.iterdir():
        file.unlink()


def no_folder(folder):
    no_run(folder)
    folder.rmdir()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (damaged, "is damaged"),
        (a_list, "is damaged"),
        (no_record, "has no run.json"),
        (no_run, "holds no run"),
        (no_folder, "there is no such folder"),
    ],
)
def test_a_folder_without_a_valid_run_is_left_out_with_one_note(tmp_path, damage, words):
    damage(write_run(tmp_path / "bad"))
    good = write_run(tmp_path / "good")
    read = read_comparison([tmp_path / "bad", good])
    assert [run.folder for run in read.runs] == [good]
    (note,) = read.notes
    assert words in note
    assert str(tmp_path / "bad") in note
    with pytest.raises(RunError, match="no run to compare") as error:
        read_comparison([tmp_path / "bad"])
    assert words in str(error.value)


def unreadable_settings(folder):
    (folder / "config.yaml").write_text("model: [")


def empty_settings(folder):
    (folder / "config.yaml").write_text("")


def no_settings(folder):
    (folder / "config.yaml").unlink()


@pytest.mark.parametrize("damage", [unreadable_settings, empty_settings, no_settings])
def test_a_run_without_readable_settings_is_kept_and_adds_no_difference(tmp_path, damage):
    for seed in range(2):
        write_run(tmp_path / str(seed), seed=seed)
    damage(tmp_path / "1")
    read = read_comparison([tmp_path])
    assert len(read.runs) == 2
    assert read.varying == ()
    assert "settings of this run are unknown" in read.notes[0]


def test_a_record_of_an_older_version_may_lack_entries(tmp_path):
    folder = write_run(tmp_path / "old")
    (folder / "run.json").write_text(json.dumps({"name": "old", "scores": {"fid": {"value": 3}}}))
    (run,) = read_comparison([folder]).runs
    assert (run.state, run.seconds, run.examples_seen, run.sweep) == ("finished", None, None, None)
    assert run.seed == 0  # of config.yaml
    assert run.choices["loss"] == "hinge"  # of config.yaml
    assert [(s.name, s.better, s.protocol) for s in run.scores] == [("fid", "lower", {})]


def test_half_written_scores_are_left_out_with_a_note(tmp_path):
    folder = write_run(tmp_path / "a", scores=0.5)
    (folder / "metrics.csv").write_text("examples_seen,loss\n1,0.")
    (folder / "scores.json").write_text('{"evaluations": [')
    read = read_comparison([folder])
    assert [s.value for s in read.runs[0].scores] == [0.5]
    assert len(read.notes) == 1
    assert "scores.json is damaged" in read.notes[0]


def test_a_run_is_running_while_its_folder_is_locked_else_killed(tmp_path):
    folder = write_run(tmp_path / "a", status="running")
    assert read_comparison([folder]).runs[0].state == "killed"
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert read_comparison([folder]).runs[0].state == "running"


def test_lessons_and_imported_runs_are_noted(tmp_path):
    write_run(tmp_path / "a", settings={"lesson": {"_target_": "ganlab.lectures.dirac.lesson"}})
    write_run(tmp_path / "b", status="interrupted", imported={"generator": {"file": "x.pth"}})
    read = read_comparison([tmp_path])
    assert len(read.runs) == 2
    assert "lesson" in read.notes[0]
    assert "imported" in read.notes[1]


# --- settings ----------------------------------------------------------------------------------


def test_the_seed_alone_differs_between_seeds(tmp_path):
    for seed in range(3):
        write_run(tmp_path / str(seed), seed=seed)
    assert read_comparison([tmp_path]).varying == ()


def test_equal_lists_are_one_setting(tmp_path):
    for seed, widths in enumerate(([128, 128], [128.0, 128.0], [128, {"last": 64}])):
        write_run(tmp_path / str(seed), seed=seed, settings={"model.widths": widths})
    (key,) = read_comparison([tmp_path]).varying
    assert key == "model.widths"
    assert read_comparison([tmp_path / "0", tmp_path / "1"]).varying == ()
    assert hashable([1, [True]]) != hashable([1, [1]])
    assert hashable({"a": [1], "b": 2}) == hashable({"b": 2.0, "a": [1.0]})


def test_settings_that_follow_from_choices_are_left_out_unless_overridden(tmp_path):
    rate = "model.players.generator.optimizer.lr"
    every = "model.players.generator.every"
    for loss, n in (("hinge", 1), ("wgan_gp", 5)):
        for lr in (0.001, 0.0001):
            settings = {rate: lr, every: n, "model.latents": "uniform" if n > 1 else "normal"}
            write_run(
                tmp_path / f"{loss}_{lr}",
                loss=loss,
                settings=settings,
                choices={"evaluation": "ring" if n > 1 else "other"},
                command=["ganlab", "train", f"loss={loss}", f"+{every}={n}", f"{rate}={lr}"],
            )
    # latents and evaluation follow from the loss, and are not in the overrides
    assert read_comparison([tmp_path]).varying == ("loss", every, rate)


def test_an_experiment_that_follows_from_the_choices_is_left_out(tmp_path):
    for loss in ("hinge", "wgan_gp"):
        write_run(tmp_path / loss, loss=loss, choices={"experiment": f"ring_{loss}"})
    assert read_comparison([tmp_path]).varying == ("loss",)
    write_run(tmp_path / "plain", loss="hinge", choices={"experiment": "ring_plain"})
    assert read_comparison([tmp_path]).varying == ("loss", "experiment")


def test_a_regularizer_that_some_runs_lack_differs(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", settings={"loss.regularizers.penalty.weight": 10.0})
    assert read_comparison([tmp_path]).varying == ("loss.regularizers.penalty.weight",)


VALUES = [1e-5, 1.0, -1e20, float("inf"), 3, True, None, "1e-5", "on", "null", "2026-11-22", "a: b"]


def test_settings_come_back_as_omegaconf_wrote_them(tmp_path):
    config = {"some": {"values": VALUES, "text": "é\nb"}, "n": 64, "last": {"empty": {}}}
    path = tmp_path / "config.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(config)))
    assert read_config(tmp_path, parse_sections) == config
    path.write_text("a: 1e-5\nb: &x 2026-11-22\nc: *x\n")  # edited by hand
    assert read_config(tmp_path, parse_sections) == {
        "a": 1e-5,
        "b": "2026-11-22",
        "c": "2026-11-22",
    }


def test_a_run_without_its_configuration_is_still_a_run(tmp_path):
    (write_run(tmp_path / "a") / "config.yaml").unlink()
    notes = read_comparison([tmp_path]).notes
    assert f"{tmp_path / 'a'} has no config.yaml. The settings of this run are unknown." in notes


def test_short_names_of_settings_are_unique():
    keys = ["loss", "a.generator.optimizer.lr", "a.critic.optimizer.lr", "data.n"]
    assert short_names(keys, ["n"]) == {
        "loss": "loss",
        "a.generator.optimizer.lr": "generator.optimizer.lr",
        "a.critic.optimizer.lr": "critic.optimizer.lr",
        "data.n": "data.n",
    }


def test_reading_needs_no_torch(tmp_path):
    write_run(tmp_path / "a", scores={"fid": score(1.0, False)})
    code = (
        "import sys\nfrom ganlab.cli import main\n"
        f"assert main(['compare', {str(tmp_path)!r}]) == 0\n"
        "assert not {'torch', 'lightning', 'hydra', 'wandb'} & set(sys.modules)"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_runs_with_old_and_new_names_are_one_group(tmp_path):
    """Their config.yaml differ in names alone."""
    for seed, (name, key) in enumerate(
        (("images", "every_images"), ("examples", "every_examples"))
    ):
        settings = {f"budget.{name}": 5000, f"callbacks.samples.{key}": 64}
        write_run(tmp_path / name, seed=seed, scores=0.5, settings=settings)
    ((group,),) = [part.groups for part in tabulate(read_comparison([tmp_path])).parts]
    assert group.scores["high_quality"].n == 2
