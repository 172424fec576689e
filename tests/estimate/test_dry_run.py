"""`dry_run=true`: its numbers equal those of the run itself, and it writes nothing."""

import json
import signal
import time

import pytest
from helpers.tiny import ARGUMENTS, tiny_gan
from torch.optim import SGD

from ganlab.cli import main
from ganlab.config.checks import check
from ganlab.core import Player
from ganlab.core.build import build_module
from ganlab.errors import DataError
from ganlab.estimate import costs
from ganlab.estimate.costs import CallbackCost, Costs, period_of
from ganlab.estimate.dry_run import dry_run, estimate, length_of, moments
from ganlab.estimate.report import describe, tree
from ganlab.metrics import ModeCoverage
from ganlab.record.stored import relocated
from ganlab.runs.train import prepare, train


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Return an empty working folder; the cache folder is empty too, the measurement short."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(costs, "SECONDS", 0.05)
    return tmp_path / "work"


MEASURED = Costs(
    seconds=0.9, examples=8, samples=200, callbacks={"checkpoints": CallbackCost(7.0, 5.0)}
)


def composed(*overrides):
    config, _ = prepare([*ARGUMENTS, "dry_run=true", *overrides])
    check(config)
    return config


def test_counts_are_those_of_the_run(empty_folder):
    overrides = ["budget.batches=20", "callbacks.samples.every_examples=48"]
    found = estimate(composed(*overrides))
    assert list(empty_folder.iterdir()) == []

    config, _ = prepare([*ARGUMENTS, *overrides, "run_dir=run"])
    assert train(config) == 0
    counters = json.loads((empty_folder / "run/run.json").read_text())["counters"]
    assert counters["steps"] == found.length.steps == {"discriminator": 20, "generator": 4}
    assert counters["examples_seen"] == found.length.examples == 160
    assert counters["batches_seen"] == found.length.batches == 20
    assert found.length.epochs == 20 / 25
    pictures = list((empty_folder / "run/samples").iterdir())
    assert len(pictures) == found.length.calls["samples"]
    assert found.costs.bytes["samples"] == pytest.approx(pictures[0].stat().st_size, rel=0.5)

    module = build_module(config)
    for name, count in found.networks.items():
        assert count == sum(p.numel() for p in module.get_submodule(name).parameters())
    assert found.players == {"discriminator": 33, "generator": 154} == found.networks


def test_memory_is_exact():
    memory = estimate(composed("budget.batches=20")).memory
    assert memory["parameters"] == memory["gradients"] == 4 * (33 + 154)
    assert memory["optimizers"] == 2 * memory["parameters"]  # Adam's two moments
    assert memory["ema"] == 4 * 154

    players = ("generator", "discriminator")
    sgd = [f"model.players.{p}.optimizer._target_=torch.optim.SGD" for p in players]
    sgd += [f"model.players.{p}.optimizer.betas=null" for p in players]
    memory = estimate(composed("budget.batches=20", "callbacks.ema=null", *sgd)).memory
    assert memory["optimizers"] == memory["ema"] == 0


def test_report_names_everything_and_nothing_is_written(empty_folder, capsys):
    config = composed("budget.batches=20", "run_dir=planned", "callbacks.checkpoints.keep_every=80")
    assert dry_run(config) == 0
    assert list(empty_folder.iterdir()) == []
    text = capsys.readouterr().out
    for part in (
        "  model: ganlab.families.GAN",
        "budget.batches=20 ends the run after 20 batches, 160 examples, 0.8 epochs",
        "4 optimizer steps, due every 5 batches",
        "planned\n    config.yaml",
        "metrics.csv",
        "previous.ckpt, 2 <examples>.ckpt",
        "expected: ",
        "of the whole process",
    ):
        assert part in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("limit", "batches"),
    [
        ("examples=90", 12),
        ("epochs=2", 50),
        ("epochs=0.5", 13),
        ("epochs=0.28", 7),
        ("minutes=1", 49),
    ],
)
def test_the_first_limit_ends_the_run(limit, batches):
    config = composed(f"budget.{limit}", "budget.batches=100")
    found = length_of(config, MEASURED, build_module(config))
    assert (found.batches, found.examples) == (batches, 8 * batches)
    assert found.limit == f"budget.{limit}"
    assert found.epochs == batches / 25


def test_the_end_of_the_last_phase_ends_the_run():
    phases = ("model.phases.generator.until=90", "model.phases.discriminator.until_batches=3")
    config = composed("budget.batches=100", *phases)
    found = length_of(config, MEASURED, build_module(config))
    assert (found.limit, found.batches) == ("the last phase", 12)
    assert found.steps == {"discriminator": 3, "generator": 2}
    assert estimate(config).length.limit == "the last phase"  # measured in more than 12 batches


def test_time_counts_batches_and_callbacks():
    config = composed("budget.batches=100", "callbacks.checkpoints.every_examples=400")
    found = length_of(config, MEASURED, build_module(config))
    assert found.calls == {"checkpoints": 2}
    assert found.seconds == pytest.approx(100 * 0.9 + 7.0 + 1 * 5.0)
    minutes = composed("budget.minutes=1", "callbacks.checkpoints.every_examples=80")
    found = length_of(minutes, MEASURED, build_module(minutes))
    assert found.batches == 43  # 0.9 s a batch, and a checkpoint of 5 s every ten batches
    assert found.seconds == pytest.approx(60, abs=6)


def test_several_processes_share_the_examples():
    config = composed("budget.batches=20", "trainer=ddp_cpu")
    found = estimate(config)
    assert found.ranks == 2
    assert (found.length.batches, found.length.examples, found.length.epochs) == (20, 320, 20 / 12)
    assert "measured in one process" in describe(config, found)


def test_scores_are_timed_unless_they_take_too_long(monkeypatch):
    overrides = ["budget.batches=20", "protocol=modes10k", "protocol.samples=200"]
    found = estimate(composed(*overrides))
    assert found.length.calls["evaluation"] == 1
    assert 0 < found.costs.callbacks["evaluation"].first < 30
    monkeypatch.setattr(costs, "CALLS_WITHIN", 1e-4)
    found = estimate(composed(*overrides))
    assert "longer" in found.costs.reasons["evaluation"]
    assert found.length.calls["evaluation"] == 1
    assert "evaluation" not in found.costs.callbacks


def test_a_score_is_stopped_wherever_it_takes_long(monkeypatch, capsys):
    """Also where no samples are generated any more; the timer of the caller goes on."""
    monkeypatch.setattr(ModeCoverage, "compute", lambda self: time.sleep(100))
    monkeypatch.setattr(costs, "CALLS_WITHIN", 0.5)
    before = signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        found = estimate(composed("budget.batches=20", "protocol=modes10k", "protocol.samples=200"))
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
    assert found.costs.reasons["evaluation"] == "it takes longer than 0.5 s"
    assert "measuring scores, for 0.5 s at most" in capsys.readouterr().err


def test_slow_batches_end_the_measurement_even_in_the_warm_up(monkeypatch):
    monkeypatch.setattr(costs, "LONGEST", 0.0)
    found = estimate(composed("budget.batches=20"))
    assert (found.costs.batches, found.costs.warm_up) == (1, 0)
    assert found.costs.seconds > 0


def test_missing_data_raises_as_in_training(empty_folder):
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        estimate(image_config("data.download=false"))


def test_missing_downloads_are_named_but_not_made(empty_folder):
    config = image_config()
    found = estimate(config)
    (path,) = found.missing
    assert path == empty_folder / "none/MNIST/raw/train-images-idx3-ubyte.gz"
    assert found.costs is None
    assert found.players["generator"] == found.networks["generator"] > 0
    assert not [p for p in empty_folder.rglob("*") if p.is_file()]
    assert "not downloaded yet, from https://" in describe(config, found)


def image_config(*overrides):
    small = ["model=gan", "data=mnist", "data.root=none", "trainer=cpu", "protocol=none"]
    config, _ = prepare([*small, "dry_run=true", *overrides])
    check(config)
    return config


def test_a_dry_run_of_a_lesson_says_what_it_writes(empty_folder, capsys):
    assert main(["train", "experiment=lecture/dirac", "dry_run=true"]) == 0
    text = capsys.readouterr().out
    assert "two minutes" in text
    assert "figure.png" in text
    assert "lesson: ganlab.lectures.dirac.lesson" in text
    assert list(empty_folder.iterdir()) == []


def test_moments_are_batches_that_reach_a_multiple_of_a_cadence():
    assert moments([None], 8, 20) == {20}
    assert moments([48], 8, 20) == {6, 12, 18, 20}
    assert moments([50], 8, 20) == {7, 13, 19, 20}
    assert moments([50, 48], 8, 12) == {6, 7, 12}
    assert moments([3], 8, 4) == {1, 2, 3, 4}


def test_small_parts():
    both = {"discriminator": Player(SGD, every=2, accumulate=3), "generator": Player(SGD)}
    assert period_of(tiny_gan(players=both), {"regularizers": {"r": {"every": 4}}}) == 24
    moved = relocated({"a": ["out/run", "out/run/x", "out/runs", 3]}, "out/run", "t")
    assert moved == {"a": ["t", "t/x", "out/runs", 3]}
    assert CallbackCost(3.0, 1.0).times(0) == 0
    assert CallbackCost(3.0, 1.0).times(3) == 5
    nested = {"a": {"_target_": "m.C", "x": [1, None]}, "b": [{"c": True}], "d": {}}
    assert tree(nested) == ["a: m.C", "  x: [1, null]", "b:", "  -", "    c: true", "d: {}"]
