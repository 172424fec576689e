"""The game that every family plays."""

from ganlab.core.module import AdversarialModule, Batch
from ganlab.core.player import Player
from ganlab.core.schedule import Ramp, Schedule, ScheduledScalars, Steps

__all__ = [
    "AdversarialModule",
    "Batch",
    "Player",
    "Ramp",
    "Schedule",
    "ScheduledScalars",
    "Steps",
]
