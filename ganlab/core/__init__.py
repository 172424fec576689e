"""The base classes of all families: games, translators, players, phases and schedules."""

from ganlab.core.module import AdversarialModule, Batch
from ganlab.core.phase import Phase
from ganlab.core.player import Player
from ganlab.core.schedule import LinearDecay, Ramp, Schedule, ScheduledScalars, Steps
from ganlab.core.translator import Direction, Translator

__all__ = [
    "AdversarialModule",
    "Batch",
    "Direction",
    "LinearDecay",
    "Phase",
    "Player",
    "Ramp",
    "Schedule",
    "ScheduledScalars",
    "Steps",
    "Translator",
]
