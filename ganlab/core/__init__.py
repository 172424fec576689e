"""The base classes of all families: games, translators, players, phases and schedules."""

from ganlab.core.latent import LatentModel
from ganlab.core.module import AdversarialModule, Batch
from ganlab.core.offers import Classifies, Encodes, Generates, Scores, Translates
from ganlab.core.phase import Phase
from ganlab.core.player import Player
from ganlab.core.schedule import LinearDecay, ProgressRamp, Ramp, Schedule, ScheduledScalars, Steps
from ganlab.core.translator import Direction, Translator

__all__ = [
    "AdversarialModule",
    "Batch",
    "Classifies",
    "Direction",
    "Encodes",
    "Generates",
    "LatentModel",
    "LinearDecay",
    "Phase",
    "Player",
    "ProgressRamp",
    "Ramp",
    "Schedule",
    "ScheduledScalars",
    "Scores",
    "Steps",
    "Translates",
    "Translator",
]
