"""The Weights & Biases logger and its pictures, with a fake or offline W&B run."""

import json
import os
import sys
import threading

import pytest
import torch
from helpers.runs.wandb_files import offline_runs
from helpers.tiny import fit, tiny_gan, tiny_images, tiny_labelled
from helpers.tiny_translation import TinyPairs, tiny_pix2pix
from lightning.pytorch.utilities import rank_zero_only

from ganlab.callbacks import Samples
from ganlab.callbacks.wandb_media import WandBMedia
from ganlab.errors import ConfigError
from ganlab.record.wandb_logger import WandB


class FakeRun:
    """Replaces a W&B run, and records what is logged."""

    def __init__(self):
        self.logged, self.summary, self.exit_codes = [], {}, []

    def log(self, values):
        self.logged.append(values)

    def finish(self, exit_code):
        self.exit_codes.append(exit_code)

    def get(self, key):
        return [(row["examples_seen"], row[key]) for row in self.logged if key in row]


def fake_logger(folder):
    logger = WandB(folder)
    logger.run = FakeRun()
    return logger


def test_tags_are_a_list(tmp_path):
    with pytest.raises(ConfigError, match=r"tags: received 'mine'; needs a list, \[mine\]"):
        WandB(tmp_path, tags="mine")


def test_disabled_is_respected(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    logger = WandB(tmp_path / "run")
    assert "WANDB_MODE=disabled" in logger.start({})
    logger.log_metrics({"a": 1.0}, step=3)
    logger.summarise({"a": 1})
    logger.finish("finished")
    assert not (tmp_path / "run").exists()


def test_other_ranks_have_no_wandb_run(tmp_path, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = WandB(tmp_path / "run")
    assert logger.start({}) is None
    assert logger.run is None
    assert not (tmp_path / "run").exists()


def test_wandb_never_asks_for_a_login(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr("wandb.errors.term._isatty", lambda stream: True)
    logger = WandB(tmp_path / "run", tags=["t" * 100], offline=False)
    message = logger.start({"name": "x", "choices": {"loss": "hinge", "experiment": None}})
    logger.finish("finished")
    assert message.startswith("Weights & Biases refused: No API key configured.")
    assert "`wandb login`" in message
    (part,) = offline_runs(tmp_path / "run")
    assert list(part.run.tags) == ["t" * 64, "loss=hinge"]
    assert part.run.display_name == "x/run"
    assert (part.run.run_group, part.exit_codes) == ("", [0])


def test_an_error_ends_the_logging_and_not_the_run(tmp_path, capsys):
    logger = fake_logger(tmp_path)
    run = logger.run
    run.log = lambda values: {}["gone"]
    for step in range(3):
        logger.log_metrics({"a": 1.0}, step=step)
    logger.summarise({"a": 1.0})
    logger.finish("failed", ValueError("no"))
    assert capsys.readouterr().err.count("Weights & Biases") == 1
    assert "a" not in run.summary
    # how the run ended is sent nevertheless
    assert run.exit_codes == [1]
    assert (run.summary["status"], run.summary["error"]) == ("failed", "ValueError: no")


@pytest.mark.parametrize(
    ("status", "code"), [("finished", 0), ("failed", 1), ("interrupted", 255), ("pruned", 255)]
)
def test_exit_code_and_summary_tell_how_a_run_ended(tmp_path, status, code):
    logger = fake_logger(tmp_path)
    run = logger.run
    logger.finish(status)
    assert (run.exit_codes, run.summary["status"]) == ([code], status)


@pytest.mark.parametrize("offline", [True, False])
def test_without_the_wandb_module_the_run_continues(tmp_path, monkeypatch, capsys, offline):
    monkeypatch.setitem(sys.modules, "wandb", None)
    logger, environment = WandB(tmp_path, offline=offline), dict(os.environ)
    assert logger.start({}).endswith("The run continues without W&B.")
    fit(tiny_gan(), Samples(str(tmp_path)), WandBMedia(logger, tmp_path), batches=1)
    logger.finish("finished")
    assert dict(os.environ) == environment
    assert "Weights & Biases" not in capsys.readouterr().err


def test_an_unfinished_upload_is_reported(tmp_path, capsys):
    logger = fake_logger(tmp_path)
    logger.run.finish = lambda exit_code: {}["too late"]
    logger.finish("finished")
    assert f"`wandb sync --include-online {tmp_path / 'wandb'}`" in capsys.readouterr().err
    assert logger.run is None


def test_a_wandb_process_that_does_not_end_is_not_waited_for(tmp_path, monkeypatch):
    never = threading.Event()
    monkeypatch.setattr("wandb.teardown", never.wait)
    monkeypatch.setattr("ganlab.record.wandb_logger.TEAR_DOWN", 0.05)
    logger = fake_logger(tmp_path)
    run = logger.run
    logger.finish("finished")
    assert run.exit_codes == [0]
    never.set()


def test_a_wandb_run_is_continued_only_in_its_project(tmp_path):
    identity = {"id": "abc", "project": "ganlab", "entity": "team", "url": None}
    (tmp_path / "wandb.json").write_text(json.dumps(identity))
    assert WandB(tmp_path)._read_identity()["id"] == "abc"
    assert WandB(tmp_path, entity="team")._read_identity()["id"] == "abc"
    for other in ({"project": "other"}, {"entity": "others"}):
        assert WandB(tmp_path, **other)._read_identity() == {}
    (tmp_path / "wandb.json").write_text('{"id": "ab')
    assert WandB(tmp_path)._read_identity() == {}


def test_pictures_are_those_that_were_drawn_and_the_table_shows_the_grids_samples(tmp_path):
    logger, module = fake_logger(tmp_path), tiny_labelled()
    drawing = Samples(str(tmp_path), every_examples=8, n=6)
    fit(module, drawing, WandBMedia(logger, tmp_path, samples=5), batches=3, data=tiny_images())
    names = sorted(path.stem for path in (tmp_path / "samples").glob("*.png"))
    assert [at for at, _ in logger.run.get("samples/grid")] == [int(name) for name in names]
    assert [at for at, _ in logger.run.get("samples/contact_sheet")] == [12]
    ((at, table),) = logger.run.get("samples/table")
    assert at == 12
    assert table.columns == ["latent", "label", "sample"]
    assert [row[:2] for row in table.data] == [[0, 0], [1, 1], [2, 2], [3, 0], [4, 1]]
    images = module.sample(labels=torch.arange(6) % 3, seed=0)
    for row, image in zip(table.data, images, strict=False):
        shown = torch.tensor(list(row[2].image.getdata())).reshape(8, 8)
        assert torch.equal(shown, image[0].add(1).mul(127.5).round().to(torch.uint8))


def test_a_translators_table_has_pictures_beside_their_translations(tmp_path):
    logger = fake_logger(tmp_path)
    drawing = Samples(str(tmp_path), every_examples=None, pictures=3)
    fit(
        tiny_pix2pix(),
        drawing,
        WandBMedia(logger, tmp_path),
        batches=1,
        data=TinyPairs(batch_size=4),
    )
    ((_, table),) = logger.run.get("samples/table")
    assert table.columns == ["picture", "source", "generated", "target"]
    assert [row[0] for row in table.data] == [0, 1, 2]


def test_points_have_pictures_and_no_table(tmp_path):
    logger = fake_logger(tmp_path)
    fit(tiny_gan(), Samples(str(tmp_path)), WandBMedia(logger, tmp_path), batches=1)
    assert [at for at, _ in logger.run.get("samples/grid")] == [0, 4]
    assert logger.run.get("samples/table") == []


@pytest.mark.parametrize("broken", ["000000000000", "000000000008", "contact_sheet"])
def test_a_picture_that_cannot_be_sent_does_not_end_the_training(
    tmp_path, monkeypatch, capsys, broken
):
    """The parameters are pictures at the start, after a batch, and at the end."""
    monkeypatch.setattr("wandb.Image", lambda image, caption=None: 1 / (broken not in str(image)))
    module, drawing = tiny_labelled(), Samples(str(tmp_path), every_examples=8, n=6)
    fit(module, drawing, WandBMedia(fake_logger(tmp_path), tmp_path), batches=3, data=tiny_images())
    assert module.examples_seen == 12
    assert capsys.readouterr().err.count("Weights & Biases: division by zero.") == 1


def test_nothing_is_sampled_without_a_wandb_run(tmp_path):
    media, asked = WandBMedia(WandB(tmp_path), tmp_path), []

    class Asked:
        """Replaces the trainer and the game, and records every access."""

        def __getattr__(self, name):
            asked.append(name)
            raise AttributeError(name)

    media.on_train_batch_end(Asked(), Asked())
    media.on_train_end(Asked(), Asked())
    assert asked == []
    assert list(tmp_path.iterdir()) == []
