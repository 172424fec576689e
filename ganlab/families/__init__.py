"""One file per game: its players, and what each player minimises."""

from ganlab.families.bicyclegan import BicycleGAN
from ganlab.families.classifier import Classifier
from ganlab.families.cut import CUT
from ganlab.families.cyclegan import CycleGAN
from ganlab.families.gan import GAN
from ganlab.families.munit import MUNIT
from ganlab.families.pix2pix import Pix2Pix

__all__ = [
    "CUT",
    "GAN",
    "MUNIT",
    "BicycleGAN",
    "Classifier",
    "CycleGAN",
    "Pix2Pix",
]
