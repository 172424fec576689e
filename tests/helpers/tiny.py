"""A tiny game and its trainer, for tests of everything that happens around a game."""

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

# of `ganlab train`: a run on points of a few milliseconds a batch, the generator moving rarely
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


def tiny_gan(cls=GAN, players=None, seed=0, **options):
    """A game on points of the plane, its weights a function of the seed alone."""
    torch.manual_seed(1234)
    module = cls(
        MLPGenerator(4, [2], [8], output="linear"),
        MLPDiscriminator([2], [8], activation="tanh"),
        players or {"discriminator": Player(sgd()), "generator": Player(sgd())},
        **{"adversarial": NonSaturating(), **options},
    )
    module.seed = seed
    return module


def tiny_labelled(players=None, dropout=0.3):
    """A conditional game on the images of `tiny_images`, with batch norm and dropout."""
    torch.manual_seed(1234)
    return GAN(
        LabelledGenerator(MLPGenerator(7, [1, 8, 8], [8], norm="batch"), classes=3),
        LabelledDiscriminator(
            MLPDiscriminator([64 + 3], [8], dropout=dropout),
            classes=3,
            how="concat",
            shape=[1, 8, 8],
        ),
        players or {"discriminator": Player(sgd()), "generator": Player(sgd())},
        NonSaturating(smoothing=0.1, flip=0.1),
    )


class Given(TensorDataModule):
    """Images that a test has, as a data module."""

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
    """A CPU trainer that runs for `batches`, or for the budget among the callbacks."""
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
    """Train for some batches, and give the trainer back."""
    trainer = make_trainer(*callbacks, batches=batches, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, datamodule=data or tiny_ring(), ckpt_path=ckpt_path, weights_only=True)
    return trainer


def run_python(code_or_args, timeout=120, **options):
    """A Python process in the repository: a script's text, or arguments of the interpreter."""
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
    """A Python process that goes on by itself, in a folder and with further variables."""
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
