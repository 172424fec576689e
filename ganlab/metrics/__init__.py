"""Scores, each with its protocol."""

from ganlab.metrics.accuracy import AccuracyProtocol
from ganlab.metrics.digits import DigitFeatures, DigitProtocol
from ganlab.metrics.frechet import FrechetDistance, frechet_distance
from ganlab.metrics.modes import ModeCoverage, ModeProtocol
from ganlab.metrics.protocol import Protocol, Score

__all__ = [
    "AccuracyProtocol",
    "DigitFeatures",
    "DigitProtocol",
    "FrechetDistance",
    "ModeCoverage",
    "ModeProtocol",
    "Protocol",
    "Score",
    "frechet_distance",
]
