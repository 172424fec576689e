"""What `logger=wandb` writes, read back from W&B's own files."""

import json
import os
import signal
import time

import pytest
from helpers.runs.wandb_files import offline_runs
from helpers.tiny import ARGUMENTS, run_python

from ganlab.callbacks import Samples
from ganlab.errors import NonFiniteLossError
from ganlab.record.log import read_metrics
from ganlab.runs.train import prepare, train

pytestmark = pytest.mark.usefixtures("no_curves")

LEFT = [
    a
    for a in ARGUMENTS
    if a.split("=")[0] not in ("evaluation", "callbacks.samples.every_examples")
]
WANDB = [
    "protocol=modes10k",
    "protocol.samples=200",
    "callbacks.samples.every_examples=16",
    "logger=wandb",
    "logger.wandb.group=sweeps",
    "logger.wandb.job_type=sweep",
    "logger.wandb.tags=[mine]",
    "logger.wandb.log_checkpoints=true",
]
KEY = "0123456789abcdef" * 3  # as long as a key of W&B's is


def run(folder, *more, batches=6):
    return train(*prepare([*LEFT, *WANDB, f"budget.batches={batches}", f"run_dir={folder}", *more]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, no_curves):
    """A run of six batches, resumed up to eight."""
    folder = tmp_path_factory.mktemp("wandb") / "run"
    assert run(folder) == 0
    assert train(*prepare([f"run={folder}", "resume=true", "budget.batches=8"])) == 0
    return folder


@pytest.fixture(scope="module")
def parts(folder):
    return offline_runs(folder)


def test_config_tags_and_group_are_recorded(folder, parts):
    first = parts[0]
    assert first.config["loss"]["adversarial"]["_target_"] == "ganlab.losses.Wasserstein"
    assert first.config["model"]["generator"]["hidden"] == [8]
    assert first.config["seed"] == 0
    assert list(first.run.tags) == ["mine", "model=mlp", "data=ring", "loss=wgan_gp"]
    assert (first.run.run_group, first.run.job_type) == ("sweeps", "sweep")
    assert first.run.display_name == "mlp_ring_wgan_gp/run"
    assert (first.exit_codes, first.summary["status"]) == ([0], "finished")


def test_values_are_those_of_metrics_csv_over_examples(folder, parts):
    assert parts[0].metrics == {"examples_seen": "", "*": "examples_seen"}
    rows = {row["examples_seen"]: row for row in read_metrics(folder)}
    for part, examples in zip(parts, (32, 64), strict=True):
        values = part.rows("discriminator/adversarial")
        assert values == [(examples, rows[examples]["discriminator/adversarial"])]


def test_scores_are_in_the_summary_with_their_protocol(folder, parts):
    scores = json.loads((folder / "run.json").read_text())["scores"]
    summary = parts[-1].summary
    assert scores
    for name, score in scores.items():
        assert summary[f"scores/{name}"] == score["value"]
        assert summary[f"protocols/{name}"] == score["protocol"]
        assert summary[f"higher_is_better/{name}"] == score["higher_is_better"]
    assert (summary["examples_seen"], summary["batches_seen"]) == (64, 8)
    assert summary["peak_memory_mib"] > 0


def test_pictures_are_logged_at_their_examples_and_copied(folder, parts):
    drawn = sorted(int(path.stem) for path in (folder / "samples").glob("*.png"))
    logged = [at for part in parts for at, _ in part.rows("samples/grid")]
    assert logged == drawn == [0, 16, 32, 48, 64]
    assert [part.rows("samples/contact_sheet")[0][0] for part in parts] == [48, 64]
    for part, segment in zip(parts, segments(folder), strict=True):
        for _, picture in part.rows("samples/grid"):
            assert (segment / "files" / picture["path"]).stat().st_size == picture["size"]


def test_a_resumed_run_continues_the_same_wandb_run(folder, parts):
    identity = json.loads((folder / "wandb.json").read_text())
    assert [part.run.run_id for part in parts] == [identity["id"]] * 2
    assert [part.run.project for part in parts] == ["ganlab"] * 2
    assert all(part.run.resume for part in parts)  # `wandb sync` joins such parts


def test_the_checkpoint_artifact_is_a_complete_run(folder, parts):
    artifact = next(a for a in parts[0].artifacts if a.type == "model")
    assert "last" in artifact.aliases
    names = {entry.path for entry in artifact.manifest.contents}
    assert names == {"checkpoints/last.ckpt", "config.yaml"}


def test_nothing_is_written_elsewhere(folder, parts):
    contents = [e for part in parts for a in part.artifacts for e in a.manifest.contents]
    assert contents
    assert all(entry.local_path.startswith(str(folder)) for entry in contents)
    assert not {"WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_MODE"} & set(os.environ)


def test_two_jobs_of_one_process_are_two_runs_with_their_own_ends(tmp_path, monkeypatch):
    """The first job fails, and so does its W&B log; Ctrl-C ends the second."""
    before = dict(os.environ)
    with monkeypatch.context() as patch:
        patch.setattr("wandb.sdk.wandb_run.Run.log", lambda *values: {}["gone"])
        with pytest.raises(NonFiniteLossError):
            run(tmp_path / "0", "model.players.discriminator.optimizer.lr=1e38", batches=50)
    assert dict(os.environ) == before

    def interrupt(self, trainer, module, *args):
        if module.batches_seen == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Samples, "on_train_batch_start", interrupt)
    assert run(tmp_path / "1", batches=50) == 130
    (failed,), (stopped,) = (offline_runs(tmp_path / job) for job in "01")
    assert (failed.exit_codes, failed.summary["status"]) == ([1], "failed")
    assert failed.history == []
    assert failed.summary["error"].startswith("NonFiniteLossError: The term")
    assert (stopped.exit_codes, stopped.summary["status"]) == ([255], "interrupted")
    assert "error" not in stopped.summary
    assert failed.run.run_id != stopped.run.run_id


def test_a_run_is_logged_offline_with_one_message_if_the_server_refuses(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    started = time.monotonic()
    assert run(tmp_path / "run", "logger.wandb.offline=false", batches=2) == 0
    assert time.monotonic() - started < 30
    said = capsys.readouterr().err
    assert said.count("Weights & Biases refused") == 1
    assert f"ganlab wandb sync {tmp_path / 'run'}" in said
    (part,) = offline_runs(tmp_path / "run")
    assert part.exit_codes == [0]
    assert part.summary["examples_seen"] == 16
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_a_killed_process_keeps_what_it_logged(tmp_path):
    script = f"""
import os, signal, sys, time
from types import SimpleNamespace as Module
os.environ["WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL"] = "0.2"  # seconds; 15 unless told
# stubs of Lightning, which takes seconds to import
sys.modules["lightning"] = sys.modules["lightning.pytorch"] = Module()
sys.modules["lightning.pytorch.loggers"] = Module(Logger=object)
sys.modules["lightning.pytorch.utilities"] = Module(rank_zero_only=lambda function: function)
from ganlab.record.wandb_logger import WandB
logger = WandB({str(tmp_path)!r}, "killed")
logger.start({{"seed": 3}})
for n in range(100):
    logger.log_metrics({{"loss": float(n)}}, step=n)
time.sleep(1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_python(script).returncode == -signal.SIGKILL
    (part,) = offline_runs(tmp_path)
    assert len(part.rows("loss")) == 100
    assert part.config["seed"] == 3
    assert part.exit_codes == []


def segments(folder):
    return sorted(folder.glob("wandb/offline-run-*"), key=lambda path: path.stat().st_mtime_ns)
