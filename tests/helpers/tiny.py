"""Tiny games, data and trainers, for tests of callbacks, loggers, runs and the like."""

import functools
import os
import subprocess
import sys
import warnings
from pathlib import Path

import torch
from lightning.pytorch import Trainer

from ganlab.callbacks import Budget
from ganlab.core import Player
from ganlab.data import Ring, Synthetic, TensorDataModule
from ganlab.families import GAN
from ganlab.losses import NonSaturating
from ganlab.networks import LabelledDiscriminator, LabelledGenerator, MLPDiscriminator, MLPGenerator

REPOSITORY = Path(__file__).parents[2]

# arguments of `ganlab train`: a run on points with a few milliseconds per batch, in which the
# generator takes a step only every 5 batches
ARGUMENTS = [
    "model=mlp",
    "data=ring",
    "loss=wgan_gp",
    "protocol=none",
    "trainer=cpu",
    "data.samples=200",
    "data.batch_size=8",
    "model.generator.hidden=[8]",
    "model.discriminator.hidden=[8]",
    "log_every=4",
    "callbacks.progress.enabled=false",
    "callbacks.checkpoints.every_examples=120",
    "callbacks.samples.every_examples=null",
    "budget.minutes=null",
]


def sgd(lr=0.1, **options):
    return functools.partial(torch.optim.SGD, lr=lr, **options)


def adam(lr=1e-3, betas=(0.5, 0.999)):
    return functools.partial(torch.optim.Adam, lr=lr, betas=betas)


def tiny_gan(cls=GAN, players=None, phases=None, seed=0, **options):
    """Return a game on points of the plane; its initial weights are always the same."""
    torch.manual_seed(1234)
    module = cls(
        MLPGenerator(4, [2], [8], output="linear"),
        MLPDiscriminator([2], [8], activation="tanh"),
        **{"adversarial": NonSaturating(), **options},
    )
    module.seed = seed
    return module.bind(players or {role: Player(sgd()) for role in module.roles}, phases)


def tiny_labelled(players=None, dropout=0.3):
    """Return a conditional game on images of `tiny_images`, with batch norm and dropout."""
    torch.manual_seed(1234)
    module = GAN(
        LabelledGenerator(MLPGenerator(7, [1, 8, 8], [8], norm="batch"), classes=3),
        LabelledDiscriminator(
            MLPDiscriminator([64 + 3], [8], dropout=dropout),
            classes=3,
            how="concat",
            shape=[1, 8, 8],
        ),
        NonSaturating(smoothing=0.1, flip=0.1),
    )
    return module.bind(players or {role: Player(sgd()) for role in module.roles})


class Given(TensorDataModule):
    """Data module of the given images."""

    classes = None

    def __init__(self, images):
        super().__init__()
        self.images = images

    @property
    def shape(self):
        return tuple(self.images.shape[1:])

    def load(self, split):
        return {"example": self.images}


def tiny_ring(batch_size=4, samples=40, seed=0):
    return Ring(samples=samples, batch_size=batch_size, seed=seed)


def tiny_images(batch_size=4, samples=40, size=8, classes=3):
    return Synthetic(size=size, channels=1, classes=classes, samples=samples, batch_size=batch_size)


def make_trainer(*callbacks, batches=None, logger=False, **options):
    """Return a CPU trainer with a budget of `batches`; if None, a callback must end the run."""
    budget = [Budget(batches=batches)] if batches else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Trainer(
            **{"accelerator": "cpu", "devices": 1, "strategy": "auto"} | options,
            callbacks=[*budget, *callbacks],
            logger=logger,
            max_epochs=-1,
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )


def fit(module, *callbacks, batches=None, data=None, ckpt_path=None, **options):
    """Train a module, on `tiny_ring` by default, and return the trainer."""
    trainer = make_trainer(*callbacks, batches=batches, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, datamodule=data or tiny_ring(), ckpt_path=ckpt_path, weights_only=True)
    return trainer


def run_python(code_or_args, timeout=120, **options):
    """Run a script's text, or Python with arguments, in the repository; return the process."""
    arguments = ["-c", code_or_args] if isinstance(code_or_args, str) else code_or_args
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )


def start_python(arguments, folder=REPOSITORY, environment=None, **options):
    """Start Python with further environment variables; return the running process."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=_environment() | (environment or {}),
        text=True,
        **options,
    )


def _environment():
    paths = [str(REPOSITORY), str(REPOSITORY / "tests")]
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
