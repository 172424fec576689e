"""Runs, sweeps and checkpoints from elsewhere execute nothing, and write nothing elsewhere."""

import json
import os
import shutil
import sqlite3
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
import yaml
from helpers.tiny import REPOSITORY

from ganlab.cli import main

pytestmark = pytest.mark.usefixtures("no_curves")

TARGET = "hostile_module.act"
CALL = {"_target_": TARGET}
OPTIMIZER = "model.players.generator.optimizer"
# all places of a configuration from which an object is built, and what is put there
PLACES = [
    ("model", CALL),
    ("model._target_", TARGET),
    ("model.generator", CALL),
    ("model.generator.further", [[CALL]]),
    ("model.players.generator", CALL),
    ("model.players.generator._target_", TARGET),
    (OPTIMIZER, CALL | {"_partial_": True}),
    (f"{OPTIMIZER}.lr", CALL),
    ("model.phases", {"generator": {"every": CALL}}),
    ("loss.adversarial", CALL),
    ("loss.regularizers", {"r1": CALL}),
    ("data", CALL),
    ("data.cache", CALL),
    ("budget", CALL),
    ("budget.batches", CALL),
    ("callbacks.ema", CALL),
    ("callbacks.evaluation", CALL),
    ("callbacks.evaluation.protocol.metrics", {"score": CALL}),
    ("callbacks.evaluation.protocol.features", CALL | {"_partial_": True}),
    ("callbacks.samples.folder", CALL),
    ("trainer", CALL),
    ("trainer.accelerator", CALL),
    ("trainer.plugins", [CALL]),
    ("logger.csv", CALL),
    ("logger.further", CALL),
    ("lesson", CALL),
    ("seed", CALL),
    ("name", CALL),
    ("model.generator.latent", "${oc.env:HOSTILE}"),
    ("name", "${oc.env:HOSTILE}"),
    ("callbacks.samples.folder", "ELSEWHERE"),
    ("callbacks.checkpoints.folder", "ELSEWHERE"),
    ("logger.csv.folder", "ELSEWHERE"),
    ("trainer.default_root_dir", "ELSEWHERE"),
    (
        "callbacks.export",
        {
            "_target_": "ganlab.callbacks.ExportWeights",
            "folder": "run",
            "module": "generator",
            "name": "../elsewhere",
        },
    ),
]
BUILDING = {  # commands that build objects of a run
    "sample": "sample run=run n=2",
    "evaluate": "evaluate run=run",
    "evaluate other protocol": "evaluate run=run protocol=modes10k protocol.samples=10",
    "export": "export run=run format=safetensors",
    "translate": "translate run=run input=run output=translated",
    "resume": "train run=run resume=true budget.batches=4",
    "dry run": "train run=run resume=true budget.batches=4 dry_run=true",
    "lesson": "train experiment=lecture/digit_manifold lesson.run=run run_dir=lesson",
    "sweep": "sweep resume sweep",
}
READING = {  # commands that only read records
    "compare": "compare .",
    "page": "compare . --html page.html",
    "doctor": "doctor run=run",
    "status": "sweep status sweep",
}
RING = ["experiment=ring_non_saturating", "data.samples=500", "data.batch_size=16", "log_every=1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, no_curves):
    """Folder with a finished run, and a sweep of one job."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["train", *RING, "budget.batches=2", "run_dir=run"]) == 0
        assert main(["train", "-m", *RING, "budget.batches=2", "run_dir=sweep"]) == 0
    return folder


@pytest.fixture
def here(trained, tmp_path, monkeypatch):
    """Folder with copies of the run and the sweep, and the module that `TARGET` names."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained / "run", tmp_path / "run")
    shutil.copytree(trained / "sweep", tmp_path / "sweep")
    record = tmp_path / "sweep" / "0" / "run.json"  # the sweep's job is still to be trained
    record.write_text(json.dumps(json.loads(record.read_text()) | {"status": "interrupted"}))
    code = tmp_path / "code"
    code.mkdir()
    text = f"open({str(tmp_path / 'executed')!r}, 'w')\ndef act(*_, **__):\n    return None\n"
    (code / "hostile_module.py").write_text(text)
    own = "import ganlab.networks\nclass Own(ganlab.networks.MLPGenerator):\n    pass\n"
    (code / "own_module.py").write_text(own)
    monkeypatch.syspath_prepend(str(code))
    yield tmp_path
    sys.modules.pop("hostile_module", None)


def put(config, place, value, elsewhere):
    """Set the entry of a configuration at a dotted path."""
    *parts, last = place.split(".")
    for part in parts:
        if not isinstance(config.get(part), dict):
            config[part] = {}
        config = config[part]
    config[last] = str(elsewhere) if value == "ELSEWHERE" else deepcopy(value)


def rewrite(path, place, value, elsewhere):
    config = yaml.safe_load(path.read_text())
    put(config, place, value, elsewhere)
    path.write_text(yaml.safe_dump(config))


@pytest.mark.parametrize(("place", "value"), PLACES[:-1])
def test_no_command_builds_what_a_run_names(place, value, here, cli, monkeypatch):
    """Every command refuses the run in one sentence, which names the place; records still read."""
    monkeypatch.setenv("HOSTILE", "secret")
    for run in ("run", "sweep/0"):
        rewrite(here / run / "config.yaml", place, value, here / "elsewhere")
    before = {path: path.read_bytes() for path in here.rglob("*.*") if path.is_file()}
    for command in (*BUILDING.values(), *READING.values()):
        code, printed = cli(*command.split())
        assert not (here / "executed").exists(), command
        assert not (here / "elsewhere").exists(), command
        assert "Traceback" not in printed
        assert "secret" not in printed
        if command in BUILDING.values():
            assert code == 1, command
            assert place in printed, command
            hint = "A lesson uses only" if "lesson" in command else "add trust=true."
            assert hint in printed, command
        else:
            assert code == (1 if place == "lesson" and command == READING["doctor"] else 0), command
    after = {path: path.read_bytes() for path in here.rglob("*.*") if path.is_file()}
    changed = {path.relative_to(here) for path in after if after[path] != before.get(path)}
    mine = {Path("page.html"), Path("run/doctor.json"), Path("sweep/.lock")}
    assert {path for path in changed - mine if path.parts[0] != "lesson"} == set()


@pytest.mark.parametrize("place", ["model._target_", "callbacks.samples.folder", "name"])
def test_the_page_of_a_run_builds_and_resolves_nothing(place, here, cli, monkeypatch):
    """Neither what its config.yaml names, nor what its recorded command would give."""
    monkeypatch.setenv("HOSTILE", "secret")
    value = "${oc.env:HOSTILE}" if place == "name" else TARGET
    rewrite(here / "run" / "config.yaml", place, value, here)
    record = json.loads((here / "run" / "run.json").read_text())
    record["command"].append(f"{place}={value}")
    (here / "run" / "run.json").write_text(json.dumps(record))
    code, printed = cli("report", "run=run")
    assert code == 0
    assert printed.splitlines() == ["ganlab report: loading PyTorch, then the record of run …"]
    assert not (here / "executed").exists()
    page = (here / "run" / "report.html").read_text(encoding="utf-8")
    assert "secret" not in page
    words = "would read other settings" if place == "name" else "only if you know who wrote it"
    assert words in page


GAME = [pair for pair in PLACES if pair[0].split(".")[0] in ("model", "loss")]
OTHERS = [pair for pair in PLACES if pair not in GAME]


@pytest.mark.parametrize("places", [*([pair] for pair in GAME), OTHERS])
def test_no_command_builds_what_a_checkpoint_names(places, here, cli, monkeypatch):
    """A checkpoint's own configuration is compared with the run's, and never built."""
    monkeypatch.setenv("HOSTILE", "secret")
    path = here / "run" / "checkpoints" / "last.ckpt"
    contents = torch.load(path, weights_only=True)
    for place, value in places:
        put(contents["ganlab"]["config"], place, value, here / "elsewhere")
    other = here / "downloaded.ckpt"
    torch.save(contents, other)

    def check(command):
        code, printed = cli(*command.split())
        assert not (here / "executed").exists(), command
        assert not (here / "elsewhere").exists(), command
        is_refused = places[0] in GAME or command == BUILDING["resume"]
        assert code == is_refused, printed
        assert not code or "belongs to another model" in printed or "config.yaml differs" in printed

    for name in ("sample", "evaluate", "export"):
        check(f"{BUILDING[name]} checkpoint={other}")
    shutil.copy(other, path)
    for name in ("sample", "resume"):
        check(BUILDING[name])


@pytest.mark.parametrize(("place", "value"), PLACES[-1:])
def test_a_name_of_a_file_leads_nowhere_else(place, value, here, cli):
    """A constructor refuses it, also on a command line."""
    rewrite(here / "run" / "config.yaml", place, value, None)
    code, printed = cli(*BUILDING["resume"].split())
    assert code == 1
    assert "export.name: received '../elsewhere'" in printed
    assert not list(here.rglob("elsewhere*"))


@pytest.mark.parametrize("command", ["sample", "resume"])
def test_a_folder_behind_a_link_is_not_inside_the_run(command, here, cli):
    (here / "elsewhere").mkdir()
    (here / "run" / "sub").mkdir()
    (here / "run" / "sub" / "link").symlink_to(here / "elsewhere")
    rewrite(here / "run" / "config.yaml", "logger.csv.folder", "run/sub/link", None)
    code, printed = cli(*BUILDING[command].split())
    assert code == 1
    assert "outside the run's folder" in printed
    assert not any((here / "elsewhere").iterdir())


def test_a_job_behind_a_link_is_not_trained(here, cli):
    (here / "sweep" / "0").rename(here / "elsewhere")
    (here / "sweep" / "0").symlink_to(here / "elsewhere")
    before = {path: path.read_bytes() for path in (here / "elsewhere").rglob("*.*")}
    code, printed = cli("sweep", "resume", "sweep")
    assert code == 1
    assert "is a symbolic link" in printed
    assert {path: path.read_bytes() for path in (here / "elsewhere").rglob("*.*")} == before


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("launcher", ["hydra.launcher._target_=hostile_module.act"], "may hold a command or code"),
        ("launcher", ["hydra.launcher.setup=[touch executed]"], "may hold a command or code"),
        ("launcher", ["hydra.launcher.partition='a\nb'"], "may hold a command or code"),
        ("launcher", ["hydra.job.env_set.PATH=."], "may hold a command or code"),
        (
            "overrides",
            [*RING, "model.generator._target_=hostile_module.act"],
            "model.generator._target_ names hostile_module.act",
        ),
        (
            "overrides",
            [*RING, "+model.generator.further={_target_: hostile_module.act}"],
            "model.generator.further._target_ names hostile_module.act",
        ),
        ("overrides", [*RING, "name=${oc.env:HOSTILE}"], "would read other settings"),
        ("overrides", [*RING, "name=$\\{oc.env:HOSTILE\\}"], "would read other settings"),
        ("overrides", [*RING, "+x=" + "[" * 3000], "is nested too deeply"),
        ("folder", "../elsewhere", "is damaged"),
        ("folder", "/elsewhere", "is damaged"),
        ("folder", "a/b", "is damaged"),
        ("cwd", "code", ""),
    ],
)
def test_a_sweep_from_elsewhere(key, value, reason, here, cli, monkeypatch):
    """Its launcher's settings, overrides, folders and working directory execute nothing."""
    monkeypatch.setenv("HOSTILE", "secret")
    path = here / "sweep" / "sweep.json"
    content = json.loads(path.read_text())
    (content["jobs"][0] if key in ("overrides", "folder") else content)[key] = value
    path.write_text(json.dumps(content))
    shutil.rmtree(here / "sweep" / "0")
    code, printed = cli("sweep", "resume", "sweep")
    assert code == (1 if reason else 0), printed
    assert reason in printed
    assert not reason or not (here / "sweep" / "0").exists()
    assert not (here / "executed").exists()
    assert not (here / "elsewhere").exists()
    assert not (here.parent / "elsewhere").exists()
    assert "secret" not in printed + "".join(p.read_text() for p in here.rglob("config.yaml"))
    assert "Traceback" not in printed


def test_a_reproduction_from_elsewhere(here, cli):
    """Overrides that its folder holds may name no other code; overrides that are typed may."""
    tiny = ["budget.batches=2", "data.samples=300", "protocol.samples=100"]
    arguments = ["reproduce", "ring_wgan_gp", "out=r", "scale=1"]
    own = "model.generator._target_=hostile_module.act"
    code, printed = cli(*arguments, *tiny, "dry_run=true")
    assert code == 0, printed
    plan = {
        "name": "reproduce/ring_wgan_gp",
        "kind": "reproduce",
        "experiment": "ring_wgan_gp",
        "seeds": [0],
        "scale": 1,
        "overrides": [*tiny[:2], own],
        "protocol_overrides": [],
        "jobs": [{"job": 0, "folder": "0", "overrides": []}],
    }
    Path("r").mkdir()
    Path("r/sweep.json").write_text(json.dumps(plan))
    code, printed = cli("reproduce", "ring_wgan_gp", "out=r")
    assert code == 1
    assert "model.generator._target_ names hostile_module.act" in printed
    assert not (here / "executed").exists()
    cli("reproduce", "ring_wgan_gp", "out=r", "trust=true")
    assert (here / "executed").exists()


@pytest.mark.parametrize("command", ["sample", "evaluate", "resume", "sweep"])
def test_own_code_is_built_with_trust(command, here, cli):
    """trust=true builds the user's own class, in the command and in the jobs that it starts."""
    for run in ("run", "sweep/0"):
        path = here / run / "config.yaml"
        rewrite(path, "model.generator._target_", "own_module.Own", None)
        checkpoint = here / run / "checkpoints" / "last.ckpt"
        contents = torch.load(checkpoint, weights_only=True)
        put(contents["ganlab"]["config"], "model.generator._target_", "own_module.Own", None)
        torch.save(contents, checkpoint)
    words = BUILDING[command].split()
    code, printed = cli(*words)
    assert code == 1
    assert "own_module.Own" in printed
    code, printed = cli(*words, "trust=true")
    assert code == 0, printed


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_jobs_inherit_the_trust_of_what_is_typed(launcher, here, cli, monkeypatch):
    """A class that is typed on the command line of a sweep is built in its jobs."""
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    monkeypatch.setenv("PYTHONPATH", str(here / "code"))
    words = [*RING, "budget.batches=1", "model.generator._target_=own_module.Own"]
    code, printed = cli("train", "-m", *words, "run_dir=own", f"hydra/launcher={launcher}")
    assert code == 0, printed
    code, printed = cli("sweep", "resume", "own")
    assert code == 1
    assert "own_module.Own" in printed


def test_what_is_typed_is_not_trusted_in_a_folder_from_elsewhere(here, cli, monkeypatch):
    """A typed class of one's own does not let other jobs, trials and seeds of a folder run code."""
    pytest.importorskip("optuna")
    monkeypatch.setenv("PYTHONPATH", str(here / "code"))
    words = [*RING, "budget.batches=1", "model.generator._target_=own_module.Own"]
    assert cli("train", "-m", *words, "run_dir=own")[0] == 0
    (here / "own" / "sweep.json").unlink()
    code, printed = cli("train", "-m", *words, "run_dir=own")
    assert code == 1
    assert "own holds folders of jobs, but no sweep.json" in printed

    search = ["tune", *words, "loss=hinge,non_saturating", "trials=1", "study=own"]
    search += ["score=high_quality", "protocol.samples=50"]
    assert cli(*search)[0] == 0
    trial = here / "outputs" / "tune" / "own" / "0"
    for is_changed in (False, True):
        with sqlite3.connect(trial.parent / "study.db") as database:
            database.execute("UPDATE trials SET state = 'RUNNING'")
        (trial / "run.json").write_text('{"status": "planned"}')
        if is_changed:
            rewrite(trial / "config.yaml", "logger.more", {"_target_": "hostile_module.act"}, None)
        code, printed = cli(*search)
        assert code == is_changed, printed
    assert "holds another configuration than this search gives the trial" in printed

    again = ["reproduce", "ring_wgan_gp", "out=r", "scale=0.001", "data.samples=300"]
    again += ["protocol.samples=100", words[-1]]
    cli(*again)
    seed = here / "r" / "0"
    for is_changed in (False, True):
        (seed / "run.json").write_text('{"status": "planned"}')
        if is_changed:
            rewrite(seed / "config.yaml", "logger.more", {"_target_": "hostile_module.act"}, None)
        code, printed = cli(*again)
        assert is_changed or json.loads((seed / "run.json").read_text())["status"] == "finished"
    assert "logger.more._target_ names hostile_module.act" in printed
    assert not (here / "executed").exists()


@pytest.mark.contract
def test_ranks_and_trials_inherit_the_trust_of_what_is_typed(here, cli, monkeypatch):
    """A job over two processes, and a trial, build the user's own class."""
    monkeypatch.setenv("PYTHONPATH", f"{here / 'code'}{os.pathsep}{REPOSITORY}")
    words = [*RING, "budget.batches=2", "model.generator._target_=own_module.Own"]
    code, printed = cli("train", "-m", *words, "trainer=ddp_cpu", "run_dir=two")
    assert code == 0, printed
    pytest.importorskip("optuna")
    words += ["protocol.samples=50", "loss=hinge,non_saturating"]
    code, printed = cli("tune", *words, "trials=2", "study=own", "score=high_quality")
    assert code == 0, printed
