"""Eleven small games, most with two regularizers and two schedules, whose losses are recorded.

`tests/contract/test_reference_losses.py` compares new losses with the record. After a change that
is meant to change the losses, write a new record with

    python tests/helpers/experiments/reference_games.py

Everything is in float64. After ten batches of an unpaired game, losses on processors that round
differently differ by a tenth in float32, but only by 1e-10 in float64.
"""

import json
import tempfile
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback

from ganlab.cli import main
from ganlab.record.log import read_metrics
from ganlab.runs import session

RECORD = Path(__file__).parents[2] / "contract" / "reference_losses.json"
BATCHES = 20
LR = "model.players.{}.optimizer.lr={}"


def ramp(start, end, examples, shape="linear", delay=0):
    return (
        f"{{_target_: ganlab.core.Ramp, start: {start}, end: {end}, examples: {examples}, "
        f"shape: {shape}, delay: {delay}}}"
    )


def steps(values, at):
    return f"{{_target_: ganlab.core.Steps, values: {values}, at: {at}}}"


def weight(name, schedule):
    return f"loss.regularizers.{name}.weight={schedule}"


COMMON = [
    *("seed=3", f"budget.batches={BATCHES}", "budget.minutes=null", "log_every=1"),
    *("threads=1", "trainer=cpu", "protocol=none", "callbacks.progress.enabled=false"),
    *("callbacks.ema.half_life=100", "callbacks.ema.ramp_up=0.3", "callbacks.samples=null"),
    "callbacks.doctor=null",
]
SMALL_DIGITS = ["data=mnist_5k", "data.batch_size=32", "data.limit=1000"]
SMALL_SHAPES = ["data.size=32", "data.samples=40", "data.test_samples=8", "data.batch_size=2"]
SMALL_POINTS = ["data.batch_size=64", "data.samples=5000"]
SMALL_DISCRIMINATOR = ["model.discriminator.features=8", "model.discriminator.layers=2"]
BOTH_DISCRIMINATORS = ["model.discriminator_a.features=8", "model.discriminator_a.layers=2"]
PAIRS = ["data=shapes", *SMALL_SHAPES]
UNPAIRED = ["data=shapes_unpaired", "loss=lsgan", *SMALL_SHAPES]
GENERATOR = LR.format("generator", ramp("1e-3", "1e-5", 60, "cosine", 4))
DISCRIMINATOR = LR.format("discriminator", steps([5e-4, 1e-4], [26]))

GAMES = {
    # R1 is due in every 4th step; the half-life of the EMA weights is scheduled too
    "gan": [
        *("model=gan", *SMALL_DIGITS, "model.generator.hidden=[256,256]"),
        *("regularizer=[r1,weight_decay]", "loss.regularizers.r1.every=4"),
        LR.format("generator", ramp("1e-3", "1e-4", 500)),
        weight("r1", ramp(10.0, 1.0, 400, "cosine", 64)),
        "callbacks.ema.half_life=" + ramp(50.0, 400.0, 600, "exponential"),
    ],
    "cgan": [
        *("model=cgan", *SMALL_DIGITS, "model.players.generator.accumulate=3"),
        "regularizer=[gradient_penalty,weight_decay]",
        LR.format("discriminator", steps([5e-4, 2e-4, 1e-4], [100, 400])),
        weight("gradient_penalty", ramp(1.0, 10.0, 500, "exponential")),
    ],
    # the generator takes a step in every 5th batch
    "dcgan_wgan_gp": [
        *("model=dcgan", "loss=wgan_gp", *SMALL_DIGITS, "regularizer=[weight_decay]"),
        *("model.generator.features=8", "model.discriminator.features=8"),
        LR.format("generator", ramp("1e-3", "1e-5", 600, "cosine")),
        weight("gradient_penalty", steps([10.0, 5.0], [330])),
    ],
    # R1 and R2 belong to the loss
    "ring_r3gan": [
        *("model=mlp", "data=ring", "loss=r3gan", *SMALL_POINTS),
        "regularizer=[weight_decay,instance_noise]",
        LR.format("generator", ramp("1e-3", "1e-5", 1200, "exponential")),
        LR.format("discriminator", steps([1e-3, 5e-4], [640])),
        weight("r1", ramp(1.0, 0.1, 1000)),
        "loss.regularizers.instance_noise.sigma.finish=0.5",
    ],
    "ring_unrolled": [
        *("experiment=ring_unrolled", *SMALL_POINTS, "regularizer=[r2,weight_decay]"),
        LR.format("generator", ramp("1e-3", "1e-5", 1200)),
        weight("r2", steps([1.0, 0.3], [700])),
    ],
    "pix2pix": [
        *("model=pix2pix", *PAIRS, *SMALL_DISCRIMINATOR, "model.feature_matching_weight=1.0"),
        *("model.generator.features=8", "model.generator.depth=4"),
        *("regularizer=[r1,weight_decay]", GENERATOR, weight("r1", ramp(1.0, 0.1, 30))),
    ],
    # both pools are full after 3 batches; the generators' gradient is clipped
    "cyclegan": [
        *("model=cyclegan", *UNPAIRED, *BOTH_DISCRIMINATORS, "model.pool_size=5"),
        *("model.generator_ab.features=8", "model.generator_ab.blocks=1"),
        "model.players.generator.gradient_clip=1.0",
        *("regularizer=[r1,weight_decay]", weight("r1", ramp(1.0, 0.1, 30))),
        *(GENERATOR, DISCRIMINATOR),
    ],
    "cut": [
        *("model=cut", *UNPAIRED, *SMALL_DISCRIMINATOR),
        *("model.layers=[0,4,7,10]", "model.patches=16", "model.head_features=16"),
        *("model.generator.features=8", "model.generator.blocks=1"),
        "regularizer=[gradient_penalty,weight_decay]",
        *(GENERATOR, weight("gradient_penalty", ramp(1.0, 0.1, 30))),
    ],
    # the discriminators are nearly flat at the start, so that only a large weight of R1 matters
    "munit": [
        *("model=munit", *UNPAIRED, *BOTH_DISCRIMINATORS),
        *("model.generator_ab.features=8", "model.generator_ab.blocks=1"),
        "model.generator_ab.style_features=16",
        *("regularizer=[r1,weight_decay]", GENERATOR, weight("r1", ramp(3e4, 3e3, 30))),
    ],
    "bicyclegan": [
        *("model=bicyclegan", "loss=lsgan", *PAIRS, "model.encoder.features=8"),
        *("model.generator.features=8", "model.generator.depth=4"),
        *("model.discriminator_encoded.features=8", "model.discriminator_encoded.layers=2"),
        *("regularizer=[r1,weight_decay]", weight("r1", ramp(1.0, 0.1, 30))),
        *(GENERATOR, DISCRIMINATOR),
    ],
    "classifier": [
        *("model=digit_classifier", "loss=none", *SMALL_DIGITS),
        *("+model.shift=2", "+model.smoothing=0.05"),
        LR.format("network", ramp("4e-3", "1e-4", 600, "cosine", 64)),
        "model.players.network.optimizer.betas="
        f"[{ramp(0.5, 0.9, 300)},{steps([0.99, 0.999], [320])}]",
    ],
}


def overrides(game):
    """Return a game's arguments of `ganlab train`; the game's values replace those of COMMON."""
    texts = [*COMMON, *GAMES[game]]
    return list({text.partition("=")[0]: text for text in texts}.values())


class Double(Callback):
    """Converts batches to float64."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        batch |= {k: v.double() for k, v in batch.items() if v.is_floating_point()}


def play(game, folder, patch):
    """Run `ganlab train` for a game; `patch` is pytest's monkeypatch."""
    assemble = session.assemble
    patch.setattr(session, "assemble", lambda *parts: assemble(*parts, Double()))
    patch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    try:
        assert main(["train", *overrides(game), f"run_dir={folder}"]) == 0
    finally:
        torch.set_default_dtype(torch.float32)


def first_losses(folder, digits=7):
    """Return the first ten values of each loss term of a run (columns <player>/<term>)."""
    rows = read_metrics(folder)
    names = dict.fromkeys(name for row in rows for name in row)
    players = {name.partition("/")[0] for name in names if name.endswith("/steps")}
    return {
        name: [float(f"{row[name]:.{digits}g}") for row in rows if name in row][:10]
        for name in names
        if name.partition("/")[0] in players and not name.endswith("/steps")
    }


def write_record():
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for game in GAMES:
            with pytest.MonkeyPatch.context() as patch:
                play(game, Path(folder) / game, patch)
            found[game] = first_losses(Path(folder) / game)
    games = []
    for game, terms in found.items():
        lines = [f'  "{term}": {json.dumps(values)}' for term, values in terms.items()]
        games.append(f'"{game}": {{\n' + ",\n".join(lines) + "\n}")
    RECORD.write_text("{\n" + ",\n".join(games) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write_record()
