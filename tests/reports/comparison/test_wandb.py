"""Runs read from Weights & Biases, with a fake of its public API."""

import json
from types import SimpleNamespace

import pytest
import yaml
from helpers.runs.written_runs import PROTOCOL, write_run

from ganlab.errors import ConfigError, RunError
from ganlab.reports.comparison import wandb as comparison_wandb
from ganlab.reports.comparison.comparison import read_comparison
from ganlab.reports.comparison.groups import tabulate
from ganlab.reports.comparison.runs import Found
from ganlab.reports.comparison.wandb import read_project


class Nested(dict):
    """Stands for W&B's own dictionary class of summaries."""


def remote(folder, number, state="finished", summary=None, **more):
    """Return a run like one from W&B's API, with the configuration of a local folder."""
    return SimpleNamespace(
        id=number,
        name=more.pop("name", f"ring/{number}"),
        state=state,
        config=yaml.safe_load((folder / "config.yaml").read_text()),
        summary=Nested(summary or {}),
        created_at="2026-11-22T12:00:00Z",
        **{"group": None, "job_type": None} | more,
    )


class Api:
    def __init__(self, *runs, error=None):
        self.all, self.error = list(runs), error

    def runs(self, path, lazy=True):
        if self.error:
            raise self.error
        return iter(self.all)

    def run(self, path):
        return next(run for run in self.all if path.endswith(f"/{run.id}"))


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "local", seed=4, scores=0.5)


def read(*runs, place="me/gans", before=(), error=None):
    found = Found(runs=list(before))
    read_project(place, found, Api(*runs, error=error))
    return found


def test_a_run_has_settings_scores_and_cost(folder):
    summary = {
        "scores/high_quality": 0.25,
        "protocols/high_quality": Nested(PROTOCOL),
        "scores/fid": 12.5,
        "protocols/fid": json.dumps(PROTOCOL | {"metric": "FID"}),
        "scores/diversity": 0.5,
        "protocols/diversity": PROTOCOL,
        "higher_is_better/diversity": True,
        "scores/recall": 0.4,
        "protocols/recall": PROTOCOL,
        "higher_is_better/recall": None,
        "examples_seen": 51200,
        "_runtime": 61.0,
        "generator/adversarial": 0.7,
    }
    found = read(remote(folder, "x1", summary=summary, group="losses", job_type="sweep"))
    (run,) = found.runs
    local = read_comparison([folder]).runs[0]
    assert (run.folder, run.name, run.seed) == (None, "ring_losses", 4)
    assert (run.settings, run.choices) == (local.settings, local.choices)
    assert run.sweep == {"name": "losses", "kind": "sweep"}
    assert (run.seconds, run.examples_seen) == (61.0, 51200)
    scores = {s.name: (s.value, s.better, s.protocol) for s in run.scores}
    assert scores["high_quality"] == (0.25, "higher", PROTOCOL)
    assert scores["fid"] == (12.5, "lower", PROTOCOL | {"metric": "FID"})
    # a recorded direction takes precedence over the direction of the score's name
    assert scores["diversity"] == (0.5, "higher", PROTOCOL)
    assert scores["recall"] == (0.4, None, PROTOCOL)


def test_local_and_remote_runs_of_like_protocols_share_a_group(folder, monkeypatch):
    summary = {"scores/high_quality": 0.3, "protocols/high_quality": PROTOCOL}
    run = remote(folder, "x1", summary=summary)
    run.config["seed"] = run.config["data"]["seed"] = 5
    monkeypatch.setattr("wandb.Api", lambda **options: Api(run))
    monkeypatch.setattr("wandb.teardown", lambda: None)
    comparison = read_comparison([folder, "wandb:me/gans"])
    ((group,),) = [part.groups for part in tabulate(comparison).parts]
    assert group.scores["high_quality"].n == 2
    assert group.scores["high_quality"].mean == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("finished", "finished"),
        ("running", "running"),
        ("failed", "failed"),
        ("crashed", "killed"),
        ("killed", "interrupted"),
    ],
)
def test_states_are_translated(folder, theirs, ours):
    (run,) = read(remote(folder, "x1", theirs, {"error": "ValueError: no"})).runs
    assert (run.state, run.error) == (ours, "ValueError: no")


@pytest.mark.parametrize(
    ("theirs", "said", "ours"),
    [
        ("finished", "pruned", "pruned"),
        ("killed", "pruned", "pruned"),
        ("killed", "interrupted", "interrupted"),
        ("running", "interrupted", "running"),  # resumed
        ("crashed", "interrupted", "killed"),  # resumed, then killed
        ("finished", "great", "finished"),  # not a status of ganlab
    ],
)
def test_a_run_status_in_the_summary_replaces_an_ended_state(folder, theirs, said, ours):
    (run,) = read(remote(folder, "x1", theirs, {"status": said})).runs
    assert run.state == ours


def test_a_score_without_protocol_is_left_out(folder):
    summary = {"scores/fid": 3.0, "scores/kid": "NaN", "protocols/kid": {}}
    found = read(remote(folder, "x1", summary=summary))
    assert found.runs[0].scores == ()
    assert "fid has no protocol" in found.notes[0]
    assert "kid is not a finite number" in found.notes[1]


def test_one_run_is_read_by_id_and_labels_of_equal_names_differ(folder):
    runs = [remote(folder, number, name="same") for number in ("x1", "x2")]
    assert [run.label for run in read(*runs).runs] == ["same (x1)", "same (x2)"]
    assert len(read(*runs, place="me/gans/x2").runs) == 1


def test_a_run_that_was_read_from_its_folder_counts_once(folder):
    (folder / "wandb.json").write_text('{"id": "x1", "project": "gans"}')
    local = read_comparison([folder]).runs
    found = read(remote(folder, "x1"), remote(folder, "x2"), before=local)
    assert [run.folder for run in found.runs] == [folder, None]
    assert "counts once" in found.notes[0]


def test_a_refusal_is_one_note_and_other_runs_are_read(folder, monkeypatch):
    found = read(error=ValueError("Could not find project gans\nmore"))
    (note,) = found.notes
    assert note.startswith("wandb:me/gans: Could not find project gans. Nothing was read")
    monkeypatch.setattr(comparison_wandb, "_logged_in", lambda api: 1 / 0)
    comparison = read_comparison(["wandb:me/gans", folder])
    assert len(comparison.runs) == len(comparison.notes) == 1
    with pytest.raises(RunError, match="wandb login"):
        read_comparison(["wandb:me/gans"])


def test_a_project_without_runs_is_noted():
    assert read().notes == ["wandb:me/gans: has no runs."]


@pytest.mark.parametrize("place", ["gans", "me//gans", "me/gans/runs/x1", ""])
def test_another_form_of_address_is_refused(place):
    with pytest.raises(ConfigError, match="wandb:ENTITY/PROJECT"):
        read_project(place, Found(), Api())
