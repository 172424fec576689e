"""Lightning callbacks: EMA weights, budget, pictures, scores, checkpoints, progress and more."""

from ganlab.callbacks.budget import Budget
from ganlab.callbacks.checkpoints import Checkpoints
from ganlab.callbacks.doctor import Doctor
from ganlab.callbacks.ema import EMA
from ganlab.callbacks.evaluation import Evaluation
from ganlab.callbacks.export import ExportWeights
from ganlab.callbacks.progress import Progress
from ganlab.callbacks.samples import Samples
from ganlab.callbacks.tracking import Tracking

__all__ = [
    "EMA",
    "Budget",
    "Checkpoints",
    "Doctor",
    "Evaluation",
    "ExportWeights",
    "Progress",
    "Samples",
    "Tracking",
]
