"""Sets of drawn shapes: pairs of label map and textured picture, and two unpaired styles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.data.base import SPLITS, TensorDataModule
from ganlab.data.checks import check_classes, check_integer, check_positive
from ganlab.data.translation.base import TranslationData
from ganlab.data.translation.shape_scenes import (
    HUES,
    STYLES,
    TEXTURES,
    Canvas,
    Scenes,
    by_day,
    captions_of,
    draw_scenes,
    label_map,
    sample_scenes,
    segments_of,
    textured,
)
from ganlab.errors import one_of

Directions = Literal["a_to_b", "b_to_a"]
_SEED = 0x736861706573  # decides the scenes, which are the same in every run
_SIZES = (16, 1024)  # pixels along a side


class DrawnScenes(TranslationData):
    """The base of sets whose pictures are drawings of random scenes; a subclass draws them.

    Args:
        size: pixels along a side.
        samples, test_samples: number of scenes in the training split and in the test split.
        hues: number of hues that occur; they are the first in
            `ganlab.data.translation.shape_scenes.HUES`.
        channels: must be 3.
        direction: "a_to_b" translates side A into side B, "b_to_a" the reverse.
        batch_size, seed: as in `TensorDataModule`; the seed decides only the examples' order, as
            the scenes are the same in every run.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    has_pairs = True
    turn = 360.0  # textures have angles from 0 to this many degrees

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
        self.size = check_integer("size", size, *_SIZES)
        self.counts = {
            "train": check_integer("samples", samples, 1),
            "test": check_integer("test_samples", test_samples, 1),
        }
        self.hues = check_integer("hues", hues, 1, len(HUES))
        one_of("data.direction", direction, ("a_to_b", "b_to_a"))
        self.direction = direction

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """(3, size, size) of both sides."""
        return dict.fromkeys(self.keys, (self.channels, self.size, self.size))

    def scenes(self, split: str, part: int = 0) -> Scenes:
        """Return the scenes of "train" or "test"; each `part` gives equally many other scenes."""
        one_of("split", split, SPLITS)
        seed = mix(_SEED, SPLITS.index(split), part)
        return sample_scenes(
            self.counts[split], torch.Generator().manual_seed(seed), self.hues, self.turn
        )

    def draw(self, scenes: Scenes, draw: Callable[[Canvas], Tensor]) -> Tensor:
        """Return the results of `draw` for all scenes, at the set's size."""
        return draw_scenes(scenes, self.size, draw)

    def sided(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Return the pictures of sides A and B under the keys that the direction gives them."""
        pair = (a, b) if self.direction == "a_to_b" else (b, a)
        return dict(zip(self.keys, pair, strict=True))


class Shapes(DrawnScenes):
    """Three or four textured shapes: maps of their classes (A), and pictures of them (B).

    A shape's class is its texture: striped, dotted, checked, grainy or shaded. Plain is the
    background. A texture's colour, orientation, phase and period are random, and the map does not
    contain them. So the mean of all pictures that fit a map is grey and flat, and a generator
    cannot reproduce the textures of the target. Besides "source" and "target" a split has
    "segments", uint8 (N, size, size): the class of each pixel, an index of `class_names`.

    Args:
        period: mean period of the textures in pixels; None for 5, or for 5/64 of a `size` above 64.
        turn: textures have angles from 0 to this many degrees; 360 for any angle. Smaller ranges
            are easier to learn.
        source_channels: must be 3.
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
        self.source_channels, self.turn = source_channels, check_positive("turn", turn, zero=True)
        self.period = (
            5 * max(1.0, self.size / 64) if period is None else check_positive("period", period)
        )

    @property
    def has_segments(self) -> bool:
        """Whether targets are pictures, whose classes are in "segments"; False if they are maps."""
        return self.direction == "a_to_b"

    @property
    def training_rows(self) -> dict[str, Tensor]:
        """Both sides of the training split, without segments."""
        return {key: self.train[key] for key in self.keys}

    def load(self, split: str) -> dict[str, Tensor]:
        """Return both sides and the segments of a split's scenes."""
        scenes = self.scenes(split)
        segments = self.draw(scenes, segments_of)
        pictures = self.draw(scenes, lambda canvas: textured(canvas, self.period))
        return {**self.sided(label_map(segments), pictures), "segments": segments}

    def captions(self, split: str) -> list[str]:
        """Return a caption for each scene of a split; see `captions_of`.

        Raises:
            ConfigError: if `split` is not "train" or "test".
        """
        return captions_of(self.scenes(split))


class ShapesUnpaired(DrawnScenes):
    """Coloured shapes by day (A), and with bright rims in the evening or at night (B), unpaired.

    The colours of B are darker and bluer than those of A, and change smoothly with them. So the
    natural translation is the translation nearest to the identity. The shapes' hues are random, so
    a translation can exchange or forget hues, and every translated picture still looks real. In the
    training split the two sides show different scenes; in the test split, row i of both sides shows
    the same scene.

    Args:
        style: style of B. In the "evening" the whole picture is darker. At "night", which is
            harder, the ground is darker than the shapes, while by day it is lighter.
        size, samples, test_samples, hues, channels, direction, batch_size, seed: as in
            `DrawnScenes`; each side has `samples` scenes.

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
        """Return both sides: different scenes in "train", the same scenes in "test"."""
        b_scenes = self.scenes(split, part=1 if split == "train" else 0)
        b = self.draw(b_scenes, STYLES[self.style])
        return self.sided(self.draw(self.scenes(split), by_day), b)


class ShapeSegments(TensorDataModule):
    """The pictures of `Shapes` as "example" and the class of each pixel as "label".

    The segmenter that scores translations is trained on this set. Labels are int64
    (N, size, size), each an index of `class_names`.

    Args:
        classes: must be 6, or None.
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
        check_classes(classes, self.classes, self.title)
        self.scenes = Shapes(
            size=size, samples=samples, test_samples=test_samples, period=period, channels=channels
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, size, size) of one picture."""
        return self.scenes.shape

    @property
    def classes(self) -> int:
        """Number of textures."""
        return len(TEXTURES)

    def load(self, split: str) -> dict[str, Tensor]:
        """Return pictures and the class of each of their pixels."""
        rows = self.scenes.load(split)
        return {"example": rows["target"], "label": rows["segments"].long()}
