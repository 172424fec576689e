"""The doctor on twelve runs, six of them broken on purpose; slow, as it takes minutes.

The doctor's thresholds were set on runs with other seeds.
"""

import pytest

from ganlab.cli import main
from ganlab.reports.doctor.diagnosis import diagnose

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

LEAN = [
    "threads=1",
    "trainer=cpu",
    "callbacks.progress.enabled=false",
    "callbacks.samples=null",
    "++callbacks.doctor={_target_: ganlab.callbacks.doctor.Doctor, every_examples: 8000}",
]
UNSCORED = ["callbacks.evaluation=null", "callbacks.checkpoints.monitor=null"]
DISCRIMINATOR = "model.players.discriminator.optimizer.lr"
GENERATOR = "model.players.generator.optimizer.lr"

RUNS = {
    "learning rate of D × 50": (
        "discriminator_too_strong",
        ["experiment=ring_hinge", f"{DISCRIMINATOR}=0.05", "budget.batches=2000"],
    ),
    "G frozen": (
        "generator_not_moving",
        ["experiment=ring_non_saturating", f"{GENERATOR}=0.0", "budget.batches=1000"],
    ),
    "minimax with a saturated D: ten steps of it at five times the rate for one of G": (
        "discriminator_too_strong",
        [
            "experiment=ring_minimax",
            "model.players.generator.every=10",
            f"{DISCRIMINATOR}=5e-3",
            "budget.batches=2000",
        ],
    ),
    "ring with a collapsing setup: momentum, a leaky ReLU and no noise": (
        "collapse",
        [
            "experiment=ring_non_saturating",
            "~loss.regularizers.instance_noise",
            "model.discriminator.activation=leaky_relu",
            f"{GENERATOR.replace('lr', 'betas')}=[0.9,0.999]",
            f"{DISCRIMINATOR.replace('lr', 'betas')}=[0.9,0.999]",
            "budget.batches=1500",
        ],
    ),
    "200 training examples": (
        "memorisation",
        [
            "experiment=quickstart",
            "data.limit=200",
            *UNSCORED,
            "log_every=25",
            "budget.examples=60000",
        ],
    ),
    "learning rates × 1000": (
        "divergence",
        [
            "experiment=ring_non_saturating",
            f"{DISCRIMINATOR}=1.0",
            f"{GENERATOR}=1.0",
            "budget.batches=1000",
        ],
    ),
    "healthy: ring, non-saturating with instance noise that fades": (
        "healthy",
        ["experiment=ring_non_saturating"],
    ),
    "healthy: ring, relativistic with R1 and R2": (
        "healthy",
        ["experiment=ring_r3gan", "budget.batches=3000"],
    ),
    "healthy: ring, Wasserstein with gradient penalty": (
        "healthy",
        ["experiment=ring_wgan_gp", "budget.batches=3000"],
    ),
    "healthy: moons, least squares": (
        "healthy",
        ["experiment=ring_lsgan", "data=two_moons", "budget.batches=4000"],
    ),
    "healthy: digits": (
        "healthy",
        ["experiment=quickstart", *UNSCORED, "log_every=25", "budget.examples=30000"],
    ),
    "healthy: digits of a class, batch norm in D": (
        "healthy",
        ["experiment=cdcgan_mnist_5k", *UNSCORED, "log_every=20", "budget.examples=20000"],
    ),
}


def test_the_doctor_is_right_on_eleven_of_twelve_runs(tmp_path):
    wrong = {}
    for number, (name, (condition, arguments)) in enumerate(RUNS.items()):
        folder = tmp_path / str(number)
        main(["train", *arguments, *LEAN, "seed=0", f"run_dir={folder}"])
        found = diagnose(folder)[0]
        if found.condition != condition:
            wrong[name] = (condition, found.condition, found.evidence)
    assert len(wrong) <= 1, wrong
