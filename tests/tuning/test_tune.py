"""`ganlab tune`: each trial is trained once, and the study records how it ended."""

import sqlite3
import sys

import pytest
from helpers.tiny import ARGUMENTS

optuna = pytest.importorskip("optuna")
from optuna.trial import TrialState  # noqa: E402

from ganlab.cli import main  # noqa: E402
from ganlab.core.load import read_checkpoint  # noqa: E402
from ganlab.errors import ConfigError  # noqa: E402
from ganlab.record.run import RunRecord, read_record  # noqa: E402
from ganlab.runs.planned import Outcome  # noqa: E402
from ganlab.tuning import search as tune_search  # noqa: E402
from ganlab.tuning.space import split_space, suggest  # noqa: E402
from ganlab.tuning.study import open_search, take  # noqa: E402

pytestmark = pytest.mark.usefixtures("no_curves")

LR = "model.players.generator.optimizer.lr"
WORDS = [
    "study=ring",
    "startup=2",
    *(text for text in ARGUMENTS if not text.startswith("evaluation")),
    *("protocol=modes10k", "protocol.samples=50", "callbacks.evaluation.every_examples=40"),
    "budget.batches=12",
    f"{LR}=tag(log,interval(1e-4,1e-2))",
    "model.players.generator.every=1,2",
]


@pytest.fixture(autouse=True)
def study_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ganlab", "tune"])
    return tmp_path / "outputs" / "tune" / "ring"


def tune(*words):
    given = {word.partition("=")[0] for word in words}
    return main(["tune", *(w for w in WORDS if w.partition("=")[0] not in given), *words])


def study_in(folder):
    return optuna.load_study(study_name=folder.name, storage=f"sqlite:///{folder / 'study.db'}")


def test_search_is_a_folder_of_runs_with_the_best_as_a_command(study_folder, capsys):
    assert tune("trials=2") == 0
    said = capsys.readouterr().out
    study = study_in(study_folder)
    assert [trial.state for trial in study.trials] == 2 * [TrialState.COMPLETE]
    for trial in study.trials:
        record = read_record(study_folder / str(trial.number))
        assert record["status"] == "finished"
        assert trial.value == record["scores"]["high_quality"]["value"]
        assert record["sweep"]["overrides"] == [f"{k}={v}" for k, v in trial.params.items()]
        assert (record["sweep"]["kind"], record["sweep"]["trial"]) == ("tune", trial.number)
    assert study.direction is optuna.study.StudyDirection.MAXIMIZE
    assert f"{LR}={study.best_params[LR]}" in said.partition("ganlab train")[2]
    assert "protocol    modes10k (changed)" in said
    assert (study_folder / "history.png").stat().st_size > 1000

    ended = [read_record(study_folder / n)["ended"] for n in "01"]
    assert tune("trials=3", "threads=1") == 0  # one more trial; threads may differ
    assert len(study.trials) == 3
    assert [read_record(study_folder / n)["ended"] for n in "01"] == ended


def test_a_failed_trial_is_recorded_and_the_search_continues(study_folder, capsys):
    """PyTorch refuses the second trial with an error that is no GanlabError."""
    space = f"{LR}=0.001,-1"
    assert tune("trials=1", space) in (0, 1)
    study = study_in(study_folder)
    study.enqueue_trial({LR: "-1"})
    study.enqueue_trial({LR: "0.001"})
    assert tune("trials=3", space) == 0
    failed, done = study.trials[1:]
    assert (failed.state, done.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert "Invalid learning rate" in failed.user_attrs["error"]
    assert read_record(study_folder / "1")["status"] == "failed"
    assert "Invalid learning rate" in capsys.readouterr().out


def pretend(value, monkeypatch):
    """Replace runs by ones that end at once with a score."""

    def run(folder, *callbacks, **_):
        record = RunRecord(folder)
        record.start("x", 0)
        record.write(scores={"high_quality": {"value": value}})
        record.end("finished")
        return Outcome(folder, "finished")

    monkeypatch.setattr(tune_search, "run_planned", run)


def test_a_nan_score_fails_its_trial(study_folder, monkeypatch):
    pretend(float("nan"), monkeypatch)
    assert tune("trials=2") == 1
    errors = [trial.user_attrs["error"] for trial in study_in(study_folder).trials]
    assert errors == 2 * ["high_quality is nan."]


class PrunesSecondTrial(optuna.pruners.BasePruner):
    """A pruner that stops the second trial at its second score."""

    def __init__(self, *args, **options):
        pass

    def prune(self, study, trial):
        return trial.number == 1 and len(trial.intermediate_values) > 1


def test_pruned_trial_stops_where_the_pruner_says(study_folder, monkeypatch, capsys):
    monkeypatch.setattr(optuna.pruners, "MedianPruner", PrunesSecondTrial)
    assert tune("trials=2") == 0
    complete, pruned = study_in(study_folder).trials
    assert (complete.state, pruned.state) == (TrialState.COMPLETE, TrialState.PRUNED)
    assert list(complete.intermediate_values) == [40, 80, 96]
    assert complete.value == complete.intermediate_values[96]
    assert list(pruned.intermediate_values) == [40, 80]
    record = read_record(study_folder / "1")
    assert (record["status"], record["error"]) == ("pruned", None)
    assert record["counters"]["examples_seen"] == 80
    saved = read_checkpoint(study_folder / "1" / "checkpoints" / "last.ckpt")
    assert saved["ganlab"]["counters"]["examples_seen"] == 80
    assert "1 finished, 1 pruned" in capsys.readouterr().out


def test_an_interrupted_trial_is_resumed(study_folder, monkeypatch, capsys):
    def stop(folder, *callbacks, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tune_search, "run_planned", stop)
    assert tune("trials=1") == 130
    (before,) = study_in(study_folder).trials
    assert before.state is TrialState.RUNNING
    pretend(1.0, monkeypatch)
    assert tune("trials=1") == 0
    (after,) = study_in(study_folder).trials
    assert (after.state, after.params) == (TrialState.COMPLETE, before.params)
    assert "trial 0 is resumed" in capsys.readouterr().err


def test_a_trial_without_a_folder_is_resumed(study_folder, monkeypatch):
    pretend(1.0, monkeypatch)
    tune("trials=1")
    study_in(study_folder).ask()
    assert tune("trials=2") == 0
    trials = study_in(study_folder).trials
    assert [trial.state for trial in trials] == 2 * [TrialState.COMPLETE]
    assert all(set(trial.params) == set(trials[0].params) for trial in trials)


def opened(folder, storage=None, **changes):
    fixed, space = split_space(["a=x,y", "seed=3"])
    options = {"score": "fid", "more_is_better": False, "fixed": fixed, "space": space}
    return open_search(folder, storage, optuna.pruners.NopPruner(), **(options | changes))


def test_a_study_with_old_names_keeps_them_and_gives_overrides_by_the_new_ones(tmp_path):
    choices = optuna.distributions.CategoricalDistribution([64])
    fixed = ["callbacks.samples.every_images=9"]
    opened(tmp_path, fixed=fixed, space={"budget.images": choices})
    now = ["callbacks.samples.every_examples=9"]
    search = opened(tmp_path, fixed=now, space={"budget.examples": choices})
    trial = search.study.ask()
    assert suggest(trial, search.space) == ["budget.examples=64"]
    assert trial.params == {"budget.images": 64}


def test_a_dead_trial_is_taken_by_one_process(tmp_path):
    first, second = opened(tmp_path / "s"), opened(tmp_path / "s")
    dead = first.study.ask()
    trial, lock = take(first, trials=1)
    assert trial.number == dead.number
    assert take(second, trials=1) is None
    new, new_lock = take(second, trials=2)
    assert new.number == 1
    lock.release()
    by_hand = RunRecord(tmp_path / "s" / "0")  # ganlab train run=… resume=true
    assert take(second, trials=2) is None
    by_hand.close()
    assert take(second, trials=2)[0].number == 0
    new_lock.release()


def test_a_trial_of_another_machine_is_not_taken(tmp_path):
    """Machines that share a storage, but no folder for the runs."""
    storage = str(tmp_path / "log" / "study.log")
    first, second = (opened(tmp_path / name / "s", storage) for name in ("first", "second"))
    trial, _ = take(first, trials=2)
    assert take(second, trials=1) is None
    assert take(second, trials=2)[0].number == trial.number + 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"space": split_space(["a=x,y,z"])[1]}, "a: one of x, y → one of x, y, z"),
        ({"space": split_space(["a=x,y", "b=1,2"])[1]}, "b: not searched over → one of 1, 2"),
        ({"fixed": ["seed=4"]}, "seed: 3 → 4"),
        ({"fixed": []}, "seed: 3 → not set"),
        ({"score": "kid"}, "score: fid → kid"),
    ],
)
def test_another_search_of_the_same_name_is_refused(tmp_path, changes, says):
    opened(tmp_path / "s")
    with pytest.raises(ConfigError, match=says):
        opened(tmp_path / "s", **changes)
    opened(tmp_path / "s", fixed=["seed=3", "threads=1", "trainer=gpu"])


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("CREATE TRIGGER t BEFORE INSERT ON trials BEGIN SELECT 1; END", "trigger, 't'"),
        ("CREATE VIEW t AS SELECT 1", "view, 't'"),
        ("CREATE TABLE t (a CHECK (instr(hex(a), hex(a)) = 0))", "table, 't'"),
        ("CREATE TABLE t (a, b AS (hex(a)))", "table, 't'"),
        ("CREATE INDEX t ON trials (hex(state))", "index, 't'"),
        ("CREATE INDEX t ON trials (state) WHERE state > 1", "index, 't'"),
    ],
)
def test_a_study_that_computes_is_not_opened(sql, kind, study_folder, monkeypatch, capsys):
    """Optuna makes no such tables; one could run a query that never ends."""
    pretend(1.0, monkeypatch)
    tune("trials=1")
    with sqlite3.connect(study_folder / "study.db") as database:
        database.execute(sql)
    assert tune("trials=2") == 1
    assert f"study.db has a {kind}, that Optuna does not make" in capsys.readouterr().err


def test_runs_without_their_study_are_not_taken_for_trials(study_folder, monkeypatch, capsys):
    pretend(1.0, monkeypatch)
    tune("trials=1")
    (study_folder / "study.db").unlink()
    assert tune("trials=1") == 1
    assert "holds runs, but not the study" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["storage=foo://me:secret@x/y"], "foo://me:…@x/y cannot be used"),
        (["storage=sqlite:////dev/null/all.db"], "cannot be used"),
        (["score=fid"], "the protocol's scores are modes, high_quality"),
        (["loss=wgan,hing"], "Did you mean 'hinge'"),
        (["run_dir=x"], "sets it for each trial"),
        (["++dry_run=true"], "sets it for each trial"),
        (["study=a/b"], "needs letters"),
        (["trails=3"], "no key 'trails'"),
        (["sweep=wgan"], "no such sweep"),
    ],
)
def test_mistakes_are_reported_before_any_trial(words, says, capsys):
    assert tune(*words) == 1
    said = capsys.readouterr().err
    assert says in said
    assert "secret" not in said


def test_without_optuna_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert tune() == 1
    assert "pip install 'ganlab[tune]'" in capsys.readouterr().err
