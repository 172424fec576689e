"""Scenes of a few textured shapes, drawn by vector code at any size from the same description."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

TEXTURES = ("plain", "striped", "dotted", "checked", "grainy", "shaded")  # 0 is the background's
KINDS = ("circle", "square", "triangle")
HUES = ("red", "yellow", "green", "turquoise", "blue", "purple")
# of the classes in a label map: far from each other, red, green and blue each on or off
LABEL_COLOURS = torch.tensor(
    [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]],
    dtype=torch.uint8,
)
_CELLS = 4  # places for shapes, the quarters of the picture; the background is the fifth surface
_SURFACES = _CELLS + 1
_GRAINS = 64  # along a side of the grain, which repeats after that
_GROUND = (0.78, 0.78, 0.76)  # of textured pictures
_PIXELS = 1 << 22  # drawn at a time, which bounds the memory


@dataclass(frozen=True)
class Scenes:
    """What N pictures show, in the unit square: three or four shapes, one in a quarter.

    Attributes:
        there: bool (N, 4), in reading order of the quarters: whether it holds a shape.
        kind: int64 (N, 4), of `KINDS`.
        texture: int64 (N, 5), of `TEXTURES`, from 1 on; the last is the background's, 0.
        large: bool (N, 4).
        centre: (N, 4, 2), x and y in [0, 1].
        radius: (N, 4), of the circle; squares and triangles are about as large.
        hue: int64 (N, 5), of `HUES`.
        colour: (N, 5, 3), the surface's mean RGB in [0, 1]; the background's is light grey.
        contrast: (N, 5), how far lighter and darker parts are from the mean, as a share of it.
        turn: (N, 5), angle of the texture.
        phase: (N, 5, 2), where the texture begins, in its periods.
        period: (N, 5), length of the texture relative to the mean one.
        grain: (N, 64, 64), uniform in [-1, 1].
    """

    there: Tensor
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
        return len(self.there)

    def __getitem__(self, chosen: slice) -> Scenes:
        return Scenes(*(getattr(self, field.name)[chosen] for field in fields(self)))


def imagine(
    n: int, generator: torch.Generator, hues: int = len(HUES), turn: float = 360.0
) -> Scenes:
    """Describe `n` scenes of three or four shapes; texture, colour and all else are independent.

    Args:
        n: how many.
        generator: of all that is drawn, on the CPU.
        hues: how many of `HUES` occur.
        turn: angles of textures are from 0 to so many degrees.
    """

    def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, generator=generator)

    def whole(high: int, *shape: int, low: int = 0) -> Tensor:
        return torch.randint(low, high, (n, *shape), generator=generator)

    count = whole(_CELLS + 1, 1, low=3)
    there = uniform(_CELLS).argsort(1).argsort(1) < count
    large = uniform(_CELLS) < 0.5
    radius = torch.where(large, 0.205, 0.15) * uniform(_CELLS, low=0.94, high=1.04)
    room = (0.245 - 1.08 * radius).unsqueeze(2)  # triangles are the widest
    middle = torch.tensor([[x, y] for y in (0.25, 0.75) for x in (0.25, 0.75)])
    texture = torch.cat([whole(len(TEXTURES), _CELLS, low=1), torch.zeros(n, 1).long()], 1)
    hue = whole(hues, _SURFACES)
    colour = from_hsv(
        (hue + uniform(_SURFACES, low=-0.3, high=0.3)) / len(HUES),
        uniform(_SURFACES, low=0.35, high=0.75),
        uniform(_SURFACES, low=0.45, high=0.7),
    )
    colour[:, _CELLS] = torch.tensor(_GROUND)
    return Scenes(
        there=there,
        kind=whole(len(KINDS), _CELLS),
        texture=texture,
        large=large,
        centre=middle + room * uniform(_CELLS, 2, low=-1.0),
        radius=radius,
        hue=hue,
        colour=colour,
        contrast=uniform(_SURFACES, low=0.4, high=0.5) * (whole(2, _SURFACES) * 2 - 1),
        turn=uniform(_SURFACES, high=math.radians(turn)),
        phase=uniform(_SURFACES, 2),
        period=uniform(_SURFACES, low=0.8, high=1.2),
        grain=uniform(_GRAINS, _GRAINS, low=-1.0),
    )


def from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Colours (…, 3) in [0, 1] of a hue in turns (periodic), saturation and value in [0, 1]."""
    sixth = (hue.unsqueeze(-1) * 6 + torch.tensor([0.0, 4.0, 2.0])).remainder(6)
    pure = ((sixth - 3).abs() - 1).clamp(0, 1)
    return value.unsqueeze(-1) * (1 - saturation.unsqueeze(-1) * (1 - pure))


@dataclass(frozen=True)
class Canvas:
    """Where the surfaces of scenes lie on pixels.

    Attributes:
        scenes: what is drawn.
        x, y: (size,) pixel centres in [0, 1].
        owner: int64 (N, size, size), the surface of each pixel: a quarter's shape, or 4.
        depth: (N, size, size), how far inside its shape a pixel is, in [0, 1]; 0 outside.
    """

    scenes: Scenes
    x: Tensor
    y: Tensor
    owner: Tensor
    depth: Tensor

    def of_owner(self, values: Tensor) -> Tensor:
        """Values (N, 5) of surfaces, or (N, 4) of shapes and 0, as (N, size, size) of pixels."""
        if values.shape[1] == _CELLS:
            values = torch.cat([values, torch.zeros_like(values[:, :1])], 1)
        return values.gather(1, self.owner.flatten(1)).view(self.owner.shape)

    def coloured(self, values: Tensor) -> Tensor:
        """Colours (N, 5, 3) of surfaces as (N, 3, size, size) of pixels."""
        return torch.stack([self.of_owner(channel) for channel in values.unbind(2)], 1)


def lay_out(scenes: Scenes, size: int) -> Canvas:
    """Find out which shape each pixel's centre is in; shapes do not overlap."""
    line = (torch.arange(size) + 0.5) / size
    owner = torch.full((len(scenes), size, size), _CELLS)
    depth = torch.zeros(len(scenes), size, size)
    for cell in range(_CELLS):
        x = line.view(1, 1, -1) - scenes.centre[:, cell, 0].view(-1, 1, 1)
        y = line.view(1, -1, 1) - scenes.centre[:, cell, 1].view(-1, 1, 1)
        radius, kind = scenes.radius[:, cell].view(-1, 1, 1), scenes.kind[:, cell].view(-1, 1, 1)
        circle = radius - (x.square() + y.square()).sqrt()
        square = 0.86 * radius - torch.maximum(x.abs(), y.abs())
        fall = y - 0.31 * radius  # from the triangle's own middle, so that its box is centred
        triangle = 0.62 * radius - torch.maximum(fall, x.abs() * math.sqrt(0.75) - fall / 2)
        inside = torch.where(kind == 0, circle, torch.where(kind == 1, square, triangle))
        inside = inside * scenes.there[:, cell].view(-1, 1, 1)
        owner[inside > 0] = cell
        depth = torch.maximum(depth, inside)
    return Canvas(scenes, line, line, owner, depth)


def segments_of(canvas: Canvas) -> Tensor:
    """The class of each pixel, an index of `TEXTURES`: uint8 (N, size, size)."""
    return canvas.of_owner(canvas.scenes.texture).to(torch.uint8)


def label_map(segments: Tensor) -> Tensor:
    """Classes uint8 (N, H, W) as colours of `LABEL_COLOURS`: uint8 (N, 3, H, W)."""
    return LABEL_COLOURS[segments.long()].permute(0, 3, 1, 2).contiguous()


def textured(canvas: Canvas, period: float) -> Tensor:
    """Pictures of textured surfaces under a fixed light, each shape with a dark outline.

    A texture makes its surface lighter and darker about a mean that does not depend on the texture.

    Args:
        canvas: where the surfaces are.
        period: mean length of a texture, in pixels.

    Returns:
        uint8 (N, 3, size, size) in [0, 255].
    """
    scenes, size = canvas.scenes, len(canvas.x)
    turn, scale = canvas.of_owner(scenes.turn), canvas.of_owner(scenes.period) * period / size
    cos, sin = turn.cos(), turn.sin()
    x, y = canvas.x.view(1, 1, -1), canvas.y.view(1, -1, 1)
    u = (x * cos + y * sin) / scale + canvas.of_owner(scenes.phase[:, :, 0])
    v = (y * cos - x * sin) / scale + canvas.of_owner(scenes.phase[:, :, 1])
    radius = canvas.of_owner(scenes.radius).clamp_min(1e-6)
    left = x - canvas.of_owner(scenes.centre[:, :, 0])
    down = y - canvas.of_owner(scenes.centre[:, :, 1])
    cells = (2 * u).floor().long() % _GRAINS * _GRAINS + (2 * v).floor().long() % _GRAINS
    waves = (2 * math.pi * u, 2 * math.pi * v)
    patterns = (
        torch.zeros_like(u),
        (2 * waves[0].sin()).clamp(-1, 1),
        (2 * (waves[0].cos() + waves[1].cos()) - 1).clamp(-0.6, 1.4),
        (3 * (waves[0] / 1.5).sin() * (waves[1] / 1.5).sin()).clamp(-1, 1),
        scenes.grain.flatten(1).gather(1, cells.flatten(1)).view(u.shape) * 1.2,
        ((left * cos + down * sin) / radius).clamp(-1, 1),
    )
    texture = canvas.of_owner(scenes.texture)
    pattern = torch.stack(patterns).gather(0, texture.unsqueeze(0)).squeeze(0)
    light = 1.12 - 0.24 * y
    shade = light * (1 + canvas.of_owner(scenes.contrast) * pattern)
    outline = (canvas.owner < _CELLS) & (canvas.depth < max(1.0, size / 64) / size)
    shade = torch.where(outline, 0.35, shade)
    return _bytes(canvas.coloured(scenes.colour) * shade.unsqueeze(1))


def by_day(canvas: Canvas) -> Tensor:
    """Pictures of plain coloured shapes on light paper: uint8 (N, 3, size, size) in [0, 255]."""
    return _bytes(_on(_paper(canvas), canvas, canvas.coloured(vivid(canvas.scenes))))


def in_the_evening(canvas: Canvas) -> Tensor:
    """The same in two thirds of the light, which is bluer, and with a bright rim around each shape.

    uint8 (N, 3, size, size) in [0, 255].
    """
    light = torch.tensor([0.62, 0.66, 0.8])
    return _rimmed(canvas, _paper(canvas) * light.view(1, 3, 1, 1), vivid(canvas.scenes) * light)


def by_night(canvas: Canvas) -> Tensor:
    """The same on a dark sky, colours a little bluer, and with a bright rim around each shape.

    uint8 (N, 3, size, size) in [0, 255].
    """
    sky = torch.tensor([0.05, 0.08, 0.22]).view(1, 3, 1, 1) * (0.6 + 0.9 * canvas.y.view(-1, 1))
    return _rimmed(canvas, sky, vivid(canvas.scenes) * torch.tensor([0.88, 0.94, 1.0]))


STYLES = {"evening": in_the_evening, "night": by_night}


def _paper(canvas: Canvas) -> Tensor:
    return torch.tensor([0.93, 0.9, 0.84]).view(1, 3, 1, 1) * (1.05 - 0.1 * canvas.y.view(-1, 1))


def _rimmed(canvas: Canvas, ground: Tensor, colours: Tensor) -> Tensor:
    size = len(canvas.x)
    shapes = canvas.coloured(colours)
    rim = (canvas.depth < max(1.0, size / 32) / size).unsqueeze(1)
    return _bytes(_on(ground, canvas, torch.where(rim, 0.5 * shapes + 0.5, shapes)))


def vivid(scenes: Scenes) -> Tensor:
    """The surfaces' colours (N, 5, 3) at full value and more saturated, which are told apart."""
    pure = scenes.colour / scenes.colour.amax(2, keepdim=True)
    return 0.95 * (1 - 1.25 * (1 - pure))


def _on(ground: Tensor, canvas: Canvas, shapes: Tensor) -> Tensor:
    return torch.where((canvas.owner < _CELLS).unsqueeze(1), shapes, ground)


def _bytes(images: Tensor) -> Tensor:
    return images.mul(255).round_().clamp_(0, 255).to(torch.uint8)


def drawn(scenes: Scenes, size: int, draw: Callable[[Canvas], Tensor]) -> Tensor:
    """All that `draw` gives of the scenes' canvases, in parts so that little memory is used."""
    step = max(1, _PIXELS // (size * size))
    return torch.cat(
        [draw(lay_out(scenes[i : i + step], size)) for i in range(0, len(scenes), step)]
    )


def captions_of(scenes: Scenes) -> list[str]:
    """What each scene shows, the shapes of a row from left to right and the rows from the top.

    For example "a large red striped circle left of a small blue dotted square, above a small
    yellow grainy triangle".
    """
    columns = (scenes.there, scenes.large, scenes.hue, scenes.texture, scenes.kind)
    captions = []
    for there, large, hue, texture, kind in zip(*(c.tolist() for c in columns), strict=True):
        names = [
            f"a {'large' if large[i] else 'small'} {HUES[hue[i]]} {TEXTURES[texture[i]]} "
            f"{KINDS[kind[i]]}"
            if there[i]
            else ""
            for i in range(_CELLS)
        ]
        pairs = (names[:2], names[2:])
        rows = [" left of ".join(filter(None, pair)) for pair in pairs]
        captions.append(", above ".join(filter(None, rows)))
    return captions
