"""One file per game: who plays, and what each player minimises."""

from ganlab.families.classifier import Classifier
from ganlab.families.cyclegan import CycleGAN
from ganlab.families.gan import GAN
from ganlab.families.pix2pix import Pix2Pix

__all__ = [
    "GAN",
    "Classifier",
    "CycleGAN",
    "Pix2Pix",
]
