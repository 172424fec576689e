"""Each file of `debug=…` does what its description says, with any experiment."""

import json

import pytest
import torch
from helpers.tiny import ARGUMENTS, Given, adam, make_trainer
from lightning.pytorch import Callback

from ganlab.cli import validate
from ganlab.config.groups import options
from ganlab.core import Player
from ganlab.families import GAN
from ganlab.losses import NonSaturating, Wasserstein
from ganlab.networks import MLPDiscriminator, MLPGenerator
from ganlab.runs.train import prepare, train

pytestmark = pytest.mark.usefixtures("no_curves")

BATCHES = 200


@pytest.mark.parametrize("debug", options("debug"))
def test_composes_with_any_experiment(debug, capsys):
    for experiment in ("ring_hinge", "pix2pix_shapes", "lecture/dirac"):
        assert validate.main([f"experiment={experiment}", f"debug={debug}"]) == 0
    assert capsys.readouterr().out.count("valid") == 3


def trained(folder, *overrides):
    config, _ = prepare([*ARGUMENTS, f"run_dir={folder}", "budget.batches=30", *overrides])
    train(config)
    return json.loads((folder / "run.json").read_text())


class Seen(Callback):
    """Records batches, and the lowest real score minus the highest fake score of each batch."""

    def __init__(self):
        self.batches, self.margins = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, *args):
        self.batches.append(batch["example"].clone())

    def on_train_batch_end(self, trainer, pl_module, *args):
        scores = pl_module.watched
        self.margins.append(float(scores["real_scores"].min() - scores["fake_scores"].max()))


def duel(overfit):
    """Train a discriminator on real examples with the same distribution as the samples.

    Return its batches, and whether its scores separate each of the last 50 batches from samples.
    """
    torch.manual_seed(0)
    module = GAN(
        MLPGenerator(64, [64], [64], output="linear"),
        MLPDiscriminator([64], [64]),
        NonSaturating(),
    ).bind({"discriminator": Player(adam(5e-3)), "generator": Player(adam(1e-12))})
    seen, data = Seen(), Given(module.sample(400, seed=3).detach())
    data.batch_size = 4
    make_trainer(seen, batches=BATCHES, overfit_batches=overfit).fit(module, datamodule=data)
    assert module.batches_seen == BATCHES
    return seen.batches, [margin > 0 for margin in seen.margins[-50:]]


def test_overfit_repeats_one_batch_until_it_is_memorised():
    batches, separated = duel(overfit=1)
    assert all(torch.equal(batch, batches[0]) for batch in batches)
    assert all(separated)
    batches, separated = duel(overfit=0)
    assert not torch.equal(batches[0], batches[1])
    assert sum(separated) < 25


def test_overfit_resumes_exactly(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trained(whole, "debug=overfit", "budget.batches=30", "callbacks.doctor=null")
    trained(parts, "debug=overfit", "budget.batches=13", "callbacks.doctor=null")
    config, _ = prepare([f"run={parts}", "resume=true", "budget.batches=30"])
    assert train(config, resume=True) == 0
    assert (parts / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()


def test_profiler_reports_every_hook(tmp_path):
    record = trained(tmp_path / "run", "debug=profiler")
    assert record["status"] == "finished"
    report = (tmp_path / "run/fit-profile.txt").read_text()
    for part in ("run_training_batch", "optimizer_step", "[Callback]Samples.on_train_start"):
        assert part in report


def test_pytorch_profiler_reports_operators_and_a_trace(tmp_path):
    record = trained(tmp_path / "run", "debug=pytorch_profiler", "budget.batches=25")
    assert record["status"] == "finished"
    report = (tmp_path / "run/fit-profile.txt").read_text()
    (steps,) = [line for line in report.splitlines() if line.split()[:1] == ["ProfilerStep*"]]
    assert steps.split()[-1] == "10"
    (optimizers,) = [line for line in report.splitlines() if "]optimizer_step" in line]
    assert optimizers.split()[-1] == "12"  # ten steps of the critic, and two of the generator
    (trace,) = (tmp_path / "run").glob("*.trace.json")
    assert json.loads(trace.read_text())["traceEvents"]


def test_anomaly_names_the_operation(tmp_path, monkeypatch):
    def with_a_root_of_zero(self, real, fake):
        return (
            fake.mean() - real.mean() + (real * 0).sqrt().sum()
        )  # its gradient is 0 times infinity

    monkeypatch.setattr(Wasserstein, "discriminator", with_a_root_of_zero)
    config, _ = prepare([*ARGUMENTS, f"run_dir={tmp_path}", "budget.batches=3", "debug=anomaly"])
    with pytest.raises(RuntimeError, match="MulBackward0"):
        train(config)
    log = (tmp_path / "log.txt").read_text()
    assert "with_a_root_of_zero" in log.partition("Traceback of forward call")[2]
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["status"], record["counters"]["batches_seen"]) == ("failed", 0)
