"""One file per game: who plays, and what each player minimises."""

from ganlab.families.classifier import Classifier
from ganlab.families.gan import GAN

__all__ = ["GAN", "Classifier"]
