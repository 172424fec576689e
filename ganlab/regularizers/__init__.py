"""Regularizers of discriminators: penalties, constraints and noise."""

from ganlab.regularizers.adversary import Adversary
from ganlab.regularizers.base import Regularizer, Regularizers
from ganlab.regularizers.constraints import InstanceNoise, SpectralNorm, WeightClipping, WeightDecay
from ganlab.regularizers.penalties import R1, R2, GradientPenalty, LocalPenalty
from ganlab.regularizers.spectral_norm import spectral_normalize

__all__ = [
    "R1",
    "R2",
    "Adversary",
    "GradientPenalty",
    "InstanceNoise",
    "LocalPenalty",
    "Regularizer",
    "Regularizers",
    "SpectralNorm",
    "WeightClipping",
    "WeightDecay",
    "spectral_normalize",
]
