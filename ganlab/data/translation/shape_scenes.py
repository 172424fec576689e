"""Scenes of a few textured shapes: described once in the unit square, and drawn at any size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

TEXTURES = ("plain", "striped", "dotted", "checked", "grainy", "shaded")  # 0 is the background
KINDS = ("circle", "square", "triangle")
HUES = ("red", "yellow", "green", "turquoise", "blue", "purple")
# RGB of each class in a label map; channels are 0 or 255, so that the colours are far apart
LABEL_COLOURS = torch.tensor(
    [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]],
    dtype=torch.uint8,
)
_QUARTERS = 4  # of a picture; each quarter has room for one shape
_SURFACES = _QUARTERS + 1  # the shapes, then the background
_GRAINS = 64  # grains along a side of a scene's random pattern, which repeats beyond them
_GROUND = (0.78, 0.78, 0.76)  # RGB of the background in textured pictures
_PIXELS = 1 << 22  # pixels that are drawn at a time, to bound the memory


@dataclass(frozen=True)
class Scenes:
    """What N pictures show in the unit square: three or four shapes, at most one per quarter.

    Surfaces 0 to 3 are the shapes at the top left, top right, bottom left and bottom right. Surface
    4 is the background, whose texture is 0 and whose colour is light grey.

    Attributes:
        present: bool (N, 4), whether a quarter holds a shape.
        kind: int64 (N, 4), index of `KINDS`.
        texture: int64 (N, 5), index of `TEXTURES`.
        large: bool (N, 4), whether a shape is large.
        centre: (N, 4, 2), x and y in [0, 1].
        radius: (N, 4), radius of a circle; squares and triangles are about as large as the circle.
        hue: int64 (N, 5), index of `HUES`.
        colour: (N, 5, 3), mean RGB of a surface in [0, 1].
        contrast: (N, 5), amplitude of a texture relative to the mean colour; negative if inverted.
        turn: (N, 5), angle of a texture, in radians.
        phase: (N, 5, 2), offset of a texture along its two axes, in periods.
        period: (N, 5), period of a texture divided by the mean period.
        grain: (N, 64, 64), random values of grainy textures, uniform in [-1, 1].
    """

    present: Tensor
    kind: Tensor
    texture: Tensor
    large: Tensor
    centre: Tensor
    radius: Tensor
    hue: Tensor
    colour: Tensor
    contrast: Tensor
    turn: Tensor
    phase: Tensor
    period: Tensor
    grain: Tensor

    def __len__(self) -> int:
        return len(self.present)

    def __getitem__(self, chosen: slice) -> Scenes:
        return Scenes(*(getattr(self, field.name)[chosen] for field in fields(self)))


def sample_scenes(
    n: int, generator: torch.Generator, hues: int = len(HUES), turn: float = 360.0
) -> Scenes:
    """Return `n` random scenes of three or four shapes; kind, texture and hue are independent.

    Args:
        n: number of scenes.
        generator: source of all random numbers, on the CPU.
        hues: number of hues that occur; they are the first in `HUES`.
        turn: largest angle of a texture, in degrees; the smallest is 0.
    """

    def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, generator=generator)

    def integers(high: int, *shape: int, low: int = 0) -> Tensor:
        return torch.randint(low, high, (n, *shape), generator=generator)

    count = integers(_QUARTERS + 1, 1, low=3)
    present = uniform(_QUARTERS).argsort(1).argsort(1) < count
    large = uniform(_QUARTERS) < 0.5
    radius = torch.where(large, 0.205, 0.15) * uniform(_QUARTERS, low=0.94, high=1.04)
    room = (0.245 - 1.08 * radius).unsqueeze(2)  # maximum shift of a centre, also for triangles
    middle = torch.tensor([[x, y] for y in (0.25, 0.75) for x in (0.25, 0.75)])
    texture = torch.cat([integers(len(TEXTURES), _QUARTERS, low=1), torch.zeros(n, 1).long()], 1)
    hue = integers(hues, _SURFACES)
    colour = from_hsv(
        (hue + uniform(_SURFACES, low=-0.3, high=0.3)) / len(HUES),
        uniform(_SURFACES, low=0.35, high=0.75),
        uniform(_SURFACES, low=0.45, high=0.7),
    )
    colour[:, _QUARTERS] = torch.tensor(_GROUND)
    return Scenes(
        present=present,
        kind=integers(len(KINDS), _QUARTERS),
        texture=texture,
        large=large,
        centre=middle + room * uniform(_QUARTERS, 2, low=-1.0),
        radius=radius,
        hue=hue,
        colour=colour,
        contrast=uniform(_SURFACES, low=0.4, high=0.5) * (integers(2, _SURFACES) * 2 - 1),
        turn=uniform(_SURFACES, high=math.radians(turn)),
        phase=uniform(_SURFACES, 2),
        period=uniform(_SURFACES, low=0.8, high=1.2),
        grain=uniform(_GRAINS, _GRAINS, low=-1.0),
    )


def from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Return RGB (…, 3) in [0, 1], given hues (of period 1), saturations and values in [0, 1]."""
    sixth = (hue.unsqueeze(-1) * 6 + torch.tensor([0.0, 4.0, 2.0])).remainder(6)
    pure = ((sixth - 3).abs() - 1).clamp(0, 1)
    return value.unsqueeze(-1) * (1 - saturation.unsqueeze(-1) * (1 - pure))


@dataclass(frozen=True)
class Canvas:
    """The surface of every pixel in pictures of scenes.

    Attributes:
        scenes: the scenes.
        x, y: (size,), pixel centres in [0, 1].
        surface: int64 (N, size, size), index of the surface at a pixel; 4 is the background.
        depth: (N, size, size), distance from a shape's edge to a pixel inside it; 0 outside.
    """

    scenes: Scenes
    x: Tensor
    y: Tensor
    surface: Tensor
    depth: Tensor

    def per_pixel(self, values: Tensor) -> Tensor:
        """Return a value for each pixel, (N, size, size), given a value per surface, (N, 5).

        If only the shapes have values, (N, 4), the background's value is 0.
        """
        if values.shape[1] == _QUARTERS:
            values = torch.cat([values, torch.zeros_like(values[:, :1])], 1)
        return values.gather(1, self.surface.flatten(1)).view(self.surface.shape)

    def coloured(self, values: Tensor) -> Tensor:
        """Return pixels (N, 3, size, size) in the colours (N, 5, 3) of their surfaces."""
        return torch.stack([self.per_pixel(channel) for channel in values.unbind(2)], 1)


def canvas_of(scenes: Scenes, size: int) -> Canvas:
    """Return the canvas of scenes, `size` pixels along a side; shapes do not overlap."""
    line = (torch.arange(size) + 0.5) / size
    surface = torch.full((len(scenes), size, size), _QUARTERS)
    depth = torch.zeros(len(scenes), size, size)
    for i in range(_QUARTERS):
        dx = line.view(1, 1, -1) - scenes.centre[:, i, 0].view(-1, 1, 1)
        dy = line.view(1, -1, 1) - scenes.centre[:, i, 1].view(-1, 1, 1)
        radius, kind = scenes.radius[:, i].view(-1, 1, 1), scenes.kind[:, i].view(-1, 1, 1)
        # distances from the edge, positive inside the shape
        circle = radius - (dx.square() + dy.square()).sqrt()
        square = 0.86 * radius - torch.maximum(dx.abs(), dy.abs())
        below = dy - 0.31 * radius  # below the centroid; the triangle's bounding box is centred
        triangle = 0.62 * radius - torch.maximum(below, dx.abs() * math.sqrt(0.75) - below / 2)
        inside = torch.where(kind == 0, circle, torch.where(kind == 1, square, triangle))
        inside = inside * scenes.present[:, i].view(-1, 1, 1)
        surface[inside > 0] = i
        depth = torch.maximum(depth, inside)
    return Canvas(scenes, line, line, surface, depth)


def segments_of(canvas: Canvas) -> Tensor:
    """Return the class of each pixel, an index of `TEXTURES`: uint8 (N, size, size)."""
    return canvas.per_pixel(canvas.scenes.texture).to(torch.uint8)


def label_map(segments: Tensor) -> Tensor:
    """Return classes, uint8 (N, H, W), in the `LABEL_COLOURS`: uint8 (N, 3, H, W)."""
    return LABEL_COLOURS[segments.long()].permute(0, 3, 1, 2).contiguous()


def textured(canvas: Canvas, period: float) -> Tensor:
    """Return pictures of textured surfaces under a fixed light; shapes have a dark outline.

    A texture makes its surface lighter and darker around a mean that is equal for all textures.

    Args:
        canvas: the surface of every pixel.
        period: mean period of the textures, in pixels.

    Returns:
        uint8 (N, 3, size, size) in [0, 255].
    """
    scenes, size = canvas.scenes, len(canvas.x)
    angle, length = canvas.per_pixel(scenes.turn), canvas.per_pixel(scenes.period) * period / size
    cos, sin = angle.cos(), angle.sin()
    x, y = canvas.x.view(1, 1, -1), canvas.y.view(1, -1, 1)
    u = (x * cos + y * sin) / length + canvas.per_pixel(scenes.phase[:, :, 0])
    v = (y * cos - x * sin) / length + canvas.per_pixel(scenes.phase[:, :, 1])
    radius = canvas.per_pixel(scenes.radius).clamp_min(1e-6)
    dx = x - canvas.per_pixel(scenes.centre[:, :, 0])
    dy = y - canvas.per_pixel(scenes.centre[:, :, 1])
    grains = (2 * u).floor().long() % _GRAINS * _GRAINS + (2 * v).floor().long() % _GRAINS
    waves = (2 * math.pi * u, 2 * math.pi * v)
    patterns = (  # in the order of TEXTURES
        torch.zeros_like(u),
        (2 * waves[0].sin()).clamp(-1, 1),
        (2 * (waves[0].cos() + waves[1].cos()) - 1).clamp(-0.6, 1.4),
        (3 * (waves[0] / 1.5).sin() * (waves[1] / 1.5).sin()).clamp(-1, 1),
        scenes.grain.flatten(1).gather(1, grains.flatten(1)).view(u.shape) * 1.2,
        ((dx * cos + dy * sin) / radius).clamp(-1, 1),
    )
    texture = canvas.per_pixel(scenes.texture)
    pattern = torch.stack(patterns).gather(0, texture.unsqueeze(0)).squeeze(0)
    light = 1.12 - 0.24 * y
    shade = light * (1 + canvas.per_pixel(scenes.contrast) * pattern)
    outline = (canvas.surface < _QUARTERS) & (canvas.depth < max(1.0, size / 64) / size)
    shade = torch.where(outline, 0.35, shade)
    return _to_uint8(canvas.coloured(scenes.colour) * shade.unsqueeze(1))


def by_day(canvas: Canvas) -> Tensor:
    """Return plain shapes on light paper: uint8 (N, 3, size, size) in [0, 255]."""
    return _to_uint8(_over(_paper(canvas), canvas, canvas.coloured(vivid(canvas.scenes))))


def in_the_evening(canvas: Canvas) -> Tensor:
    """Return plain shapes with bright rims on dim paper: uint8 (N, 3, size, size) in [0, 255]."""
    light = torch.tensor([0.62, 0.66, 0.8])  # two thirds of the light by day, and bluer
    return _rimmed(canvas, _paper(canvas) * light.view(1, 3, 1, 1), vivid(canvas.scenes) * light)


def by_night(canvas: Canvas) -> Tensor:
    """Return plain shapes with bright rims on a dark sky: uint8 (N, 3, size, size) in [0, 255]."""
    sky = torch.tensor([0.05, 0.08, 0.22]).view(1, 3, 1, 1) * (0.6 + 0.9 * canvas.y.view(-1, 1))
    return _rimmed(canvas, sky, vivid(canvas.scenes) * torch.tensor([0.88, 0.94, 1.0]))  # bluer


STYLES = {"evening": in_the_evening, "night": by_night}


def _paper(canvas: Canvas) -> Tensor:
    return torch.tensor([0.93, 0.9, 0.84]).view(1, 3, 1, 1) * (1.05 - 0.1 * canvas.y.view(-1, 1))


def _rimmed(canvas: Canvas, ground: Tensor, colours: Tensor) -> Tensor:
    size = len(canvas.x)
    shapes = canvas.coloured(colours)
    rim = (canvas.depth < max(1.0, size / 32) / size).unsqueeze(1)
    return _to_uint8(_over(ground, canvas, torch.where(rim, 0.5 * shapes + 0.5, shapes)))


def vivid(scenes: Scenes) -> Tensor:
    """Return the surfaces' colours (N, 5, 3), at full value and saturated, so that hues differ."""
    pure = scenes.colour / scenes.colour.amax(2, keepdim=True)
    return 0.95 * (1 - 1.25 * (1 - pure))


def _over(ground: Tensor, canvas: Canvas, shapes: Tensor) -> Tensor:
    return torch.where((canvas.surface < _QUARTERS).unsqueeze(1), shapes, ground)


def _to_uint8(images: Tensor) -> Tensor:
    return images.mul(255).round_().clamp_(0, 255).to(torch.uint8)


def draw_scenes(scenes: Scenes, size: int, draw: Callable[[Canvas], Tensor]) -> Tensor:
    """Return the results of `draw` for all scenes, computed in parts to bound the memory."""
    step = max(1, _PIXELS // (size * size))
    return torch.cat(
        [draw(canvas_of(scenes[i : i + step], size)) for i in range(0, len(scenes), step)]
    )


def captions_of(scenes: Scenes) -> list[str]:
    """Return a caption for each scene: rows from top to bottom, shapes in a row left to right.

    For example "a large red striped circle left of a small blue dotted square, above a small
    yellow grainy triangle".
    """
    columns = (scenes.present, scenes.large, scenes.hue, scenes.texture, scenes.kind)
    captions = []
    for present, large, hue, texture, kind in zip(*(c.tolist() for c in columns), strict=True):
        names = [
            f"a {'large' if large[i] else 'small'} {HUES[hue[i]]} {TEXTURES[texture[i]]} "
            f"{KINDS[kind[i]]}"
            if present[i]
            else ""
            for i in range(_QUARTERS)
        ]
        rows = [" left of ".join(filter(None, row)) for row in (names[:2], names[2:])]
        captions.append(", above ".join(filter(None, rows)))
    return captions
