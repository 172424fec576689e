"""Losses of the players: plain objects and functions on tensors, mostly of scores."""

from ganlab.losses.adversarial import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Wasserstein,
)
from ganlab.losses.contrastive import PatchNCE
from ganlab.losses.labels import flip_labels
from ganlab.losses.relativistic import RelativisticAverage, RelativisticPairing
from ganlab.losses.scales import Scores, flat_scores, mean_scores, over_scales
from ganlab.losses.unrolling import Unrolling
from ganlab.losses.variational import kl_to_standard_normal

__all__ = [
    "AdversarialLoss",
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "PatchNCE",
    "RelativisticAverage",
    "RelativisticPairing",
    "Scores",
    "Unrolling",
    "Wasserstein",
    "flat_scores",
    "flip_labels",
    "kl_to_standard_normal",
    "mean_scores",
    "over_scales",
]
