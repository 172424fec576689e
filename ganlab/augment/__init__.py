"""Augmentations of what a discriminator sees, through which gradients pass."""

from ganlab.augment.base import Augmentation, Inputs
from ganlab.augment.noise import InstanceNoise

__all__ = ["Augmentation", "Inputs", "InstanceNoise"]
