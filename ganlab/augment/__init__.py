"""Augmentations of what a discriminator sees, through which gradients pass."""

from ganlab.augment.ada import ADA
from ganlab.augment.base import Augmentation, Inputs
from ganlab.augment.diff_augment import DiffAugment
from ganlab.augment.noise import InstanceNoise

__all__ = ["ADA", "Augmentation", "DiffAugment", "Inputs", "InstanceNoise"]
