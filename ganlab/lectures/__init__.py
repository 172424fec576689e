"""Lecture experiments on GANs, one module each; a run makes a lesson, not a trained model."""

from ganlab.lectures.lesson import Lesson

__all__ = ["Lesson"]
