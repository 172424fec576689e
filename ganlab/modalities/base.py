"""What all modalities have in common: the one interface to what kind of thing an example is."""

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
class Beside:
    """What a picture of samples shows besides them.

    Attributes:
        columns: of a grid; about square for None.
        real: raw examples.
        score: the discriminator's scores of normalised samples.
    """

    columns: int | None = None
    real: Tensor | None = None
    score: Callable[[Tensor], Tensor] | None = None


NOTHING = Beside()


class Modality(ABC):
    """What kind of thing an example is. Whoever must know asks it, and no tensor's rank or type.

    Raw examples are as data sets, files and metrics hold them; normalised ones are as networks see
    and make them. A modality has no state.

    Attributes:
        name: "image" or "points"; of the kinds to come "series", "tokens", "audio", "video",
            "voxels" and "table".
        raw: what raw examples are, for messages.
        files: which files samples are written to, for messages.
        span: by what raw numbers are divided where distances are to be of the order of 1.
        is_differentiable: whether gradients reach a sample; not through tokens.
    """

    name: ClassVar[str]
    raw: ClassVar[str]
    files: ClassVar[str]
    span: ClassVar[float] = 1.0
    is_differentiable: ClassVar[bool] = True

    @abstractmethod
    def fits(self, shape: Sequence[int]) -> bool:
        """Whether one example may have this shape."""

    @abstractmethod
    def is_raw(self, examples: Tensor) -> bool:
        """Whether these are raw examples (N, *shape)."""

    def normalise(self, raw: Tensor) -> Tensor:
        """Raw examples as networks see them, floats, on their device; by default they stay."""
        return raw

    def denormalise(self, samples: Tensor) -> Tensor:
        """The inverse of `normalise`; where raw examples are whole numbers, rounded and clamped."""
        return samples.float()

    def shrink(self, examples: Tensor) -> Tensor:
        """Raw or normalised examples made small enough to measure many distances between them.

        Their type and the scale of their numbers stay.
        """
        return examples

    def rescale(self, samples: Tensor) -> Tensor:
        """Normalised samples on the scale of raw ones, without rounding."""
        return samples

    @abstractmethod
    def draw(self, samples: Tensor, path: Path, beside: Beside = NOTHING) -> None:
        """Write one picture (PNG) of a set of normalised samples.

        Args:
            samples: (N, *shape).
            path: of the picture.
            beside: what to show with them, as far as the modality can.

        Raises:
            ConfigError: samples that cannot be drawn, e.g. points in more than two dimensions.
        """

    @abstractmethod
    def save(self, sample: Tensor, path: Path) -> None:
        """Write one normalised sample (*shape) to a file that people open.

        Args:
            sample: to write.
            path: without an ending; the modality adds its own.

        Raises:
            ConfigError: samples of this modality have no files of their own.
        """

    @abstractmethod
    def arrays(self, samples: Tensor) -> dict[str, np.ndarray]:
        """Normalised samples, on the CPU, as arrays for a `.npz`, by their names there."""

    def picture(self, sample: Tensor) -> Picture | None:
        """One normalised sample as a picture; None where it is seen only among others."""
        return None

    @abstractmethod
    def example(self, shape: Sequence[int], n: int = 2) -> Tensor:
        """Raw examples (n, *shape), always the same, to check networks with."""

    def check(self, examples: Tensor, where: str) -> None:
        """Raise a ConfigError, which begins with `where`, for tensors that are no raw examples."""
        if not self.is_raw(examples):
            raise ConfigError(
                f"{where}: received {examples.dtype} of shape {tuple(examples.shape)}; needs "
                f"{self.raw}. Convert normalised ones with "
                f"ganlab.modalities.{self.name.upper()}.denormalise."
            )
