"""The pictures of a lecture on GANs, one module each: lessons in place of a training."""

from ganlab.lectures.lesson import Lesson

__all__ = ["Lesson"]
