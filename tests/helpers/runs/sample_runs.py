"""Writes run folders with curves and pictures but without training, for tests that read many."""

import json
import math
import random
from pathlib import Path

import numpy as np
from PIL import Image

TERMS = ("adversarial", "penalty", "steps", "lr")
PROTOCOL = {"metric": "Fréchet distance", "generated_samples": 5000, "weights": "ema"}
CONFIG = """\
name: {name}
seed: {seed}
run_dir: {folder}
log_every: 50
data: {{_target_: ganlab.data.MNIST5k, classes: 10, batch_size: 64}}
loss:
  adversarial: {{_target_: ganlab.losses.{loss}}}
model:
  _target_: ganlab.families.GAN
  players:
    generator: {{every: 1, optimizer: {{lr: {lr}}}}}
    discriminator: {{every: 1, optimizer: {{lr: {lr}}}}}
{more}
"""


def sample_run(
    folder, number=0, *, name="sample", rows=40, pictures=3, side=116, more="", extra=0, **record
):
    """Write the folder of a finished run with a row every 3,200 examples, and return the folder.

    The log has falling losses that start at about `number` + 1, `extra` more quantities, and the
    score `fd` in every tenth row.
    """
    folder = Path(folder)
    (folder / "samples").mkdir(parents=True)
    chance = random.Random(number)
    loss = ("Hinge", "Wasserstein")[number % 2]
    players = ("discriminator", "generator")
    names = [f"{player}/{term}" for player in players for term in TERMS]
    names += [f"doctor/extra_{i}" for i in range(extra)]
    lines = [",".join(["examples_seen", *names, "fd"])]
    for row in range(1, rows + 1):
        values = [f"{(number + 1) / math.sqrt(row) + chance.gauss(0, 0.01):.8f}" for _ in names]
        score = f"{100 / row + number:.6f}" if row % 10 == 0 else ""
        lines.append(",".join([str(3200 * row), *values, score]))
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    times = [f"{3200 * row},{50 * row},{6.0 * row},533.3" for row in range(5, rows + 1, 5)]
    header = "examples_seen,batches_seen,seconds,examples_per_second"
    (folder / "timing.csv").write_text("\n".join([header, *times]) + "\n")
    settings = {"name": name, "seed": number, "folder": folder, "loss": loss, "lr": 1e-4}
    (folder / "config.yaml").write_text(CONFIG.format(**settings, more=more), encoding="utf-8")
    score = {"value": 10.0 - number % 7, "protocol": {"protocol": "fd5k", **PROTOCOL}}
    told = {
        "status": "finished",
        "error": None,
        "name": name,
        "seed": number,
        "started": f"2026-01-{1 + number % 28:02d}T10:00:00+0000",
        "choices": {"model": "dcgan", "loss": loss.lower(), "data": "mnist_5k"},
        "counters": {"examples_seen": 3200 * rows, "batches_seen": 50 * rows, "steps": {}},
        "scores": {"fd": score | {"higher_is_better": False}},
        "seconds": 6.0 * rows,
        "peak_memory_mib": 800.0 + number,
    }
    (folder / "run.json").write_text(json.dumps(told | record), encoding="utf-8")
    noise = np.random.default_rng(number)
    for i in range(pictures):
        examples = 3200 * rows * i // max(pictures - 1, 1)
        tones = noise.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(tones).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(folder / "samples" / f"{examples:012d}.png")
    return folder
