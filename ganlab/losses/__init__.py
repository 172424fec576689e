"""Objectives of the players: plain callables on tensors of scores."""

from ganlab.losses.adversarial import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Wasserstein,
)
from ganlab.losses.labels import flip_labels
from ganlab.losses.relativistic import RelativisticAverage, RelativisticPairing
from ganlab.losses.unrolling import Unrolling

__all__ = [
    "AdversarialLoss",
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "RelativisticAverage",
    "RelativisticPairing",
    "Unrolling",
    "Wasserstein",
    "flip_labels",
]
