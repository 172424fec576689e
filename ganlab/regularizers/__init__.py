"""Regularizers of networks: penalties and constraints, mostly of discriminators."""

from ganlab.regularizers.adversary import Adversary
from ganlab.regularizers.base import Penalty, Regularizer, Regularizers
from ganlab.regularizers.constraints import SpectralNorm, WeightClipping, WeightDecay
from ganlab.regularizers.lecam import LeCam
from ganlab.regularizers.penalties import R1, R2, GradientPenalty, LocalPenalty
from ganlab.regularizers.spectral_norm import spectral_normalize
from ganlab.regularizers.step import Score, Step

__all__ = [
    "R1",
    "R2",
    "Adversary",
    "GradientPenalty",
    "LeCam",
    "LocalPenalty",
    "Penalty",
    "Regularizer",
    "Regularizers",
    "Score",
    "SpectralNorm",
    "Step",
    "WeightClipping",
    "WeightDecay",
    "spectral_normalize",
]
