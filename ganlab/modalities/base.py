"""The interface of all modalities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL.Image import Image as Picture
from torch import Tensor

from ganlab.errors import ConfigError


@dataclass(frozen=True)
class PictureOptions:
    """Options of a picture of samples, and what the picture shows besides the samples.

    Attributes:
        columns: the number of columns of a grid; None for a grid that is about square.
        real: raw examples to show with the samples; None for no examples.
        score: returns the discriminator's scores (N,) of normalised samples; None for no scores.
    """

    columns: int | None = None
    real: Tensor | None = None
    score: Callable[[Tensor], Tensor] | None = None


NO_OPTIONS = PictureOptions()


class Modality(ABC):
    """All code that depends on whether examples are images, points or something else.

    Other code asks the modality, and does not look at the dimensions or type of a tensor. Data
    sets, files and metrics hold raw examples; networks take and return normalised examples. A
    modality has no state.

    Attributes:
        name: "image" or "points"; planned are "series", "tokens", "audio", "video", "voxels" and
            "table".
        raw: a description of raw examples, for messages.
        files: a description of the files that samples are written to, for messages.
        span: the number that raw values are divided by, so that distances are of order 1.
        is_differentiable: whether gradients flow through a sample to the generator; false for
            tokens.
    """

    name: ClassVar[str]
    raw: ClassVar[str]
    files: ClassVar[str]
    span: ClassVar[float] = 1.0
    is_differentiable: ClassVar[bool] = True

    @abstractmethod
    def fits(self, shape: Sequence[int]) -> bool:
        """Whether an example may have this shape."""

    @abstractmethod
    def is_raw(self, examples: Tensor) -> bool:
        """Whether `examples` are raw examples (N, *shape)."""

    def normalise(self, raw: Tensor) -> Tensor:
        """Return raw examples as floats for networks, on the same device; by default unchanged."""
        return raw

    def denormalise(self, samples: Tensor) -> Tensor:
        """Return raw examples, the inverse of `normalise`; integers are rounded and clamped."""
        return samples.float()

    def shrink(self, examples: Tensor) -> Tensor:
        """Return raw or normalised examples, reduced so that many distances can be computed.

        The type and the range of the values do not change.
        """
        return examples

    def rescale(self, samples: Tensor) -> Tensor:
        """Return normalised samples on the scale of raw examples, without rounding."""
        return samples

    @abstractmethod
    def draw(self, samples: Tensor, path: Path, options: PictureOptions = NO_OPTIONS) -> None:
        """Write one picture (PNG) of a set of normalised samples.

        Args:
            samples: the normalised samples (N, *shape).
            path: where the picture is written.
            options: the options; a modality ignores options that it does not support.

        Raises:
            ConfigError: if the samples cannot be drawn, e.g. points in more than two dimensions.
        """

    @abstractmethod
    def save(self, sample: Tensor, path: Path) -> None:
        """Write one normalised sample (*shape) to a file in a common format.

        Args:
            sample: the sample.
            path: the file's path without an ending; the modality adds the ending.

        Raises:
            ConfigError: if this modality has no file format for a single sample.
        """

    @abstractmethod
    def arrays(self, samples: Tensor) -> dict[str, np.ndarray]:
        """Return the raw values of normalised samples on the CPU, as named arrays for a `.npz`."""

    def picture(self, sample: Tensor) -> Picture | None:
        """Return one normalised sample as a picture; None if one sample cannot be drawn alone."""
        return None

    @abstractmethod
    def example(self, shape: Sequence[int], n: int = 2) -> Tensor:
        """Return raw examples (n, *shape) to check networks with; all calls return equal values."""

    def check(self, examples: Tensor, where: str) -> None:
        """Raise a ConfigError that begins with `where` unless `examples` are raw examples."""
        if not self.is_raw(examples):
            raise ConfigError(
                f"{where}: received {examples.dtype} of shape {tuple(examples.shape)}; needs "
                f"{self.raw}. Convert normalised examples with "
                f"ganlab.modalities.{self.name.upper()}.denormalise."
            )
