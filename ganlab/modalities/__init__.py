"""Modalities, such as images or points: how examples are normalised, drawn and saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.modalities.base import Modality, PictureOptions
from ganlab.modalities.image import IMAGE
from ganlab.modalities.points import POINTS

MODALITIES = (IMAGE, POINTS)

__all__ = ["IMAGE", "MODALITIES", "POINTS", "Modality", "PictureOptions", "of_raw", "of_shape"]


def of_shape(shape: Sequence[int]) -> Modality:
    """Return the modality of examples of a shape, for networks that were built without a data set.

    Raises:
        ConfigError: if no modality has examples of this shape.
    """
    matches = (m for m in MODALITIES if m.fits(shape))
    return _first(matches, f"an example of shape {tuple(shape)}", "examples")


def of_raw(examples: Tensor, where: str = "examples") -> Modality:
    """Return the modality of raw examples that come without a data set.

    Raises:
        ConfigError: if no modality has such raw examples; the message begins with `where`.
    """
    what = f"{examples.dtype} of shape {tuple(examples.shape)}"
    return _first((m for m in MODALITIES if m.is_raw(examples)), what, where)


def _first(matches: Iterator[Modality], received: str, where: str) -> Modality:
    for modality in matches:
        return modality
    allowed = ", or ".join(modality.raw for modality in MODALITIES)
    raise ConfigError(f"{where}: received {received}; needs {allowed}.")
