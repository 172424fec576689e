"""Sets of drawn shapes: label maps and textured pictures (pairs), two styles (no pairs)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.data.base import SPLITS, TensorDataModule
from ganlab.data.checks import agree_on_classes, positive, whole
from ganlab.data.translation.base import TranslationData
from ganlab.data.translation.shape_scenes import (
    HUES,
    STYLES,
    TEXTURES,
    Canvas,
    Scenes,
    by_day,
    captions_of,
    drawn,
    imagine,
    label_map,
    segments_of,
    textured,
)
from ganlab.errors import one_of

Directions = Literal["a_to_b", "b_to_a"]
_SEED = 0x736861706573  # of the scenes, the same for every run
_SIZES = (16, 1024)  # pixels along a side


class DrawnScenes(TranslationData):
    """Scenes that both sides show; a subclass draws them.

    Args:
        size: pixels along a side.
        samples, test_samples: scenes of the training and of the test split.
        hues: how many hues occur, the first of `ganlab.data.translation.shape_scenes.HUES`.
        channels: 3, checked.
        direction: which side is translated into which.
        batch_size, seed: as in `TensorDataModule`; the seed is of the order alone, the scenes are
            the same in every run.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    has_pairs = True
    turn = 360.0  # degrees, of textures

    def __init__(
        self,
        size: int = 64,
        samples: int = 2000,
        test_samples: int = 500,
        hues: int = len(HUES),
        channels: int = 3,
        direction: Directions = "a_to_b",
        batch_size: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        one_of("data.channels", channels, (3,))
        self.channels = channels
        self.size = whole("size", size, *_SIZES)
        self.counts = {
            "train": whole("samples", samples, 1),
            "test": whole("test_samples", test_samples, 1),
        }
        self.hues = whole("hues", hues, 1, len(HUES))
        one_of("data.direction", direction, ("a_to_b", "b_to_a"))
        self.direction = direction

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """(3, size, size) of both sides."""
        return dict.fromkeys(self.keys, (self.channels, self.size, self.size))

    def scenes(self, split: str, part: int = 0) -> Scenes:
        """The scenes of "train" or "test"; another part has as many other ones."""
        one_of("split", split, SPLITS)
        seed = mix(_SEED, SPLITS.index(split), part)
        return imagine(
            self.counts[split], torch.Generator().manual_seed(seed), self.hues, self.turn
        )

    def draw(self, scenes: Scenes, draw: Callable[[Canvas], Tensor]) -> Tensor:
        """Scenes at the set's size."""
        return drawn(scenes, self.size, draw)

    def sided(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Pictures of the two sides under their keys, in the direction of the translation."""
        pair = (a, b) if self.direction == "a_to_b" else (b, a)
        return dict(zip(self.keys, pair, strict=True))


class Shapes(DrawnScenes):
    """Three or four textured shapes: maps of their classes (A), and pictures of them (B).

    A class is a texture: striped, dotted, checked, grainy, shaded; plain is the background. Its
    colour, orientation, phase and period are random and nothing in the map tells them: the mean of
    all possible pictures is grey and flat, and one with textures has others than the target.
    Besides "source" and "target" a split has "segments", uint8 (N, size, size): the class of each
    pixel, an index of `class_names`.

    Args:
        period: mean length of a texture in pixels; None for 5, and more in pictures above 64.
        turn: textures have angles from 0 to so many degrees; 360 for any, less is easier.
        source_channels: 3, checked.
        size, samples, test_samples, hues, channels, direction, batch_size, seed: as in
            `DrawnScenes`.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    keys = provides = ("source", "target")
    class_names = TEXTURES

    def __init__(
        self,
        period: float | None = None,
        turn: float = 360.0,
        source_channels: int = 3,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        one_of("data.source_channels", source_channels, (3,))
        self.source_channels, self.turn = source_channels, positive("turn", turn, zero=True)
        self.period = 5 * max(1.0, self.size / 64) if period is None else positive("period", period)

    @property
    def has_segments(self) -> bool:
        """Whether what is translated into is what the segments are of: pictures, not maps."""
        return self.direction == "a_to_b"

    @property
    def training_rows(self) -> dict[str, Tensor]:
        """The two sides alone."""
        return {key: self.train[key] for key in self.keys}

    def load(self, split: str) -> dict[str, Tensor]:
        """Both sides and the segments of a split's scenes."""
        scenes = self.scenes(split)
        segments = self.draw(scenes, segments_of)
        pictures = self.draw(scenes, lambda canvas: textured(canvas, self.period))
        return {**self.sided(label_map(segments), pictures), "segments": segments}

    def captions(self, split: str) -> list[str]:
        """What each scene of a split shows; see `captions_of`.

        Raises:
            ConfigError: for another split than "train" or "test".
        """
        return captions_of(self.scenes(split))


class ShapesUnpaired(DrawnScenes):
    """Coloured shapes by day (a), and others in the evening or at night with a bright rim (b).

    Colours are darker and bluer there, by a smooth map: the natural translation is the one that is
    nearest to the identity. The shapes' hues are random: a translation that looks real in every
    picture may have exchanged or forgotten them. Training pictures of the two sides show different
    scenes; row i of both sides of the test split shows the same one.

    Args:
        style: of b: "evening", where all of a picture is darker, or "night", where the ground is
            darker than the shapes and by day it is lighter, which is harder.
        size, samples, test_samples, hues, channels, direction, batch_size, seed: as in
            `DrawnScenes`; `samples` is of each side.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    keys = provides = ("a", "b")
    independent = True

    def __init__(self, style: Literal["evening", "night"] = "evening", **common: Any) -> None:
        super().__init__(**common)
        one_of("data.style", style, tuple(STYLES))
        self.style = style

    def load(self, split: str) -> dict[str, Tensor]:
        """Both sides: of the same scenes to test with, of different ones to train on."""
        other = self.scenes(split, part=1 if split == "train" else 0)
        b = self.draw(other, STYLES[self.style])
        return self.sided(self.draw(self.scenes(split), by_day), b)


class ShapeSegments(TensorDataModule):
    """The pictures of `Shapes` as "example", the class of each pixel as "label": for a segmenter.

    Labels are int64 (N, size, size), each an index of `class_names`.

    Args:
        classes: 6, checked.
        size, samples, test_samples, period, channels, batch_size, seed: as in `Shapes`.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    class_names = TEXTURES

    def __init__(
        self,
        size: int = 64,
        samples: int = 2000,
        test_samples: int = 500,
        period: float | None = None,
        channels: int = 3,
        classes: int | None = len(TEXTURES),
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        agree_on_classes(classes, self.classes, self.title)
        self.scenes = Shapes(
            size=size, samples=samples, test_samples=test_samples, period=period, channels=channels
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, size, size)."""
        return self.scenes.shape

    @property
    def classes(self) -> int:
        """One for each texture."""
        return len(TEXTURES)

    def load(self, split: str) -> dict[str, Tensor]:
        """Pictures and the classes of their pixels."""
        rows = self.scenes.load(split)
        return {"example": rows["target"], "label": rows["segments"].long()}
