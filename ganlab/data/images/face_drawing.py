"""Cartoon faces, drawn from attributes that determine the whole picture."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

# names and values of attributes; those in PERSON are equal in all pictures of a person
PERSON = {
    "hair": ("bald", "straight", "wavy"),
    "length": ("short", "long"),
    "bangs": ("no", "yes"),
    "hair_colour": ("black", "brown", "blond", "gray", "red"),
    "skin": ("pale", "light", "tan", "brown", "dark"),
    "eyes": ("brown", "blue", "green"),
    "brows": ("thin", "bushy"),
    "beard": ("none", "mustache", "goatee", "both"),
}
PICTURE = {
    "glasses": ("no", "yes"),
    "smiling": ("no", "yes"),
    "mouth_open": ("no", "yes"),
    "narrow_eyes": ("no", "yes"),
    "lipstick": ("no", "yes"),
    "earrings": ("no", "yes"),
    "rosy_cheeks": ("no", "yes"),
    "shirt": ("white", "black", "red", "green", "blue"),
    "background": ("gray", "rose", "sand", "lime", "mint", "sky", "blue", "violet"),
}
ATTRIBUTES = PERSON | PICTURE
POSE = ("x", "y", "width")  # the head's position, in half pictures from the middle, and width

COLOURS = {
    "hair_colour": ((28, 24, 26), (101, 60, 30), (235, 200, 110), (165, 165, 170), (176, 66, 30)),
    "skin": ((250, 228, 212), (236, 196, 164), (208, 158, 112), (150, 98, 62), (94, 60, 42)),
    "eyes": ((88, 52, 24), (50, 104, 200), (46, 140, 70)),
    "shirt": ((240, 240, 240), (40, 40, 44), (190, 40, 50), (40, 130, 70), (40, 70, 170)),
    "background": (
        (190, 190, 190),
        (240, 180, 190),
        (226, 204, 160),
        (200, 226, 140),
        (160, 226, 200),
        (160, 206, 240),
        (100, 130, 210),
        (190, 160, 226),
    ),
}
FIXED = {
    "white": (250, 250, 250),
    "pupil": (10, 10, 12),
    "mouth": (70, 10, 20),
    "lipstick": (200, 20, 60),
    "lips": (150, 72, 66),
    "frame": (16, 16, 60),
    "gold": (255, 200, 20),
    "cheeks": (240, 120, 120),
}
_AT_ONCE = 1 << 20  # pixels drawn at a time, counted before averaging


def imagine_faces(n: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Return random attributes of `n` faces of at most n / 4 people, sampled independently.

    Returns:
        A dict. Each key of `ATTRIBUTES` maps to int64 (n,), indices into the attribute's tuple of
        values. "person" maps to int64 (n,), the number of each face's person, from 1 on. Each name
        in `POSE` maps to float32 (n,). Bald people have neither long hair nor bangs.
    """

    def sampled(table: dict[str, tuple[str, ...]], count: int) -> dict[str, Tensor]:
        return {
            name: torch.randint(len(values), (count,), generator=generator)
            for name, values in table.items()
        }

    people = max(1, n // 4)
    traits = sampled(PERSON, people)
    hair = torch.rand(people, generator=generator)
    traits["hair"] = 1 + (hair < 0.5).long()
    traits["hair"][hair > 0.875] = 0
    for name in ("length", "bangs"):
        traits[name] *= traits["hair"] > 0
    person = torch.randint(people, (n,), generator=generator)
    pose = 0.06 * (2 * torch.rand(3, n, generator=generator) - 1)
    return {
        **{name: values[person] for name, values in traits.items()},
        **sampled(PICTURE, n),
        "person": person + 1,
        **dict(zip(POSE, (pose[0], pose[1], 1 + pose[2]), strict=True)),
    }


def draw_faces(faces: dict[str, Tensor], size: int) -> Tensor:
    """Return pictures of faces: uint8 (n, 3, size, size) in [0, 255].

    Every surface has one colour without shading. Edges are smooth, as each pixel is the mean of
    2 × 2 points, or of 4 × 4 points for sizes below 64.

    Args:
        faces: the attributes, as returned by `imagine_faces`.
        size: pixels along a side.
    """
    factor = 4 if size < 64 else 2
    step = max(1, _AT_ONCE // (size * factor) ** 2)
    parts = []
    for first in range(0, len(faces["x"]), step):
        part = {name: values[first : first + step] for name, values in faces.items()}
        parts.append(_draw(part, size, factor))
    return torch.cat(parts)


def _draw(faces: dict[str, Tensor], size: int, factor: int) -> Tensor:
    line = (torch.arange(size * factor) + 0.5) / (size * factor) * 2 - 1
    pose = {name: faces[name].view(-1, 1, 1) for name in POSE}
    u = (line.view(1, 1, -1) - pose["x"]) / pose["width"]
    v = line.view(1, -1, 1) - pose["y"]
    colours = [_palette("background", faces)]
    layer = torch.zeros(len(u), size * factor, size * factor, dtype=torch.uint8)  # topmost layer
    for mask, colour in _layers(faces, u, v):
        layer = torch.where(mask, len(colours), layer)
        colours.append(colour)
    colours = torch.stack(colours, 2)  # (n, 3, layers)
    flat = layer.flatten(1).long().unsqueeze(1).expand(-1, 3, -1)
    picture = colours.gather(2, flat).view(-1, 3, *layer.shape[1:])
    return avg_pool2d(picture, factor).round_().to(torch.uint8)


def _palette(name: str, faces: dict[str, Tensor]) -> Tensor:
    return torch.tensor(COLOURS[name], dtype=torch.float32)[faces[name]]


def _layers(faces: dict[str, Tensor], u: Tensor, v: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the painted layers from back to front: a mask, bool (n, H, W), and colours (n, 3).

    Args:
        faces: the faces' attributes.
        u: (n, 1, W), horizontal coordinates of the pixels, in half pictures to the right of the
            face's middle.
        v: (n, H, 1), vertical coordinates, in half pictures below the face's middle.
    """

    def fixed(name: str) -> Tensor:
        return torch.tensor(FIXED[name], dtype=torch.float32).expand(len(u), 3)

    def has(name: str, *values: int) -> Tensor:
        return torch.isin(faces[name], torch.tensor(values or (1,))).view(-1, 1, 1)

    def oval(x: float, y: float, width: float | Tensor, height: float | Tensor) -> Tensor:
        return ((u - x) / width) ** 2 + ((v - y) / height) ** 2 < 1

    def oval_pair(x: float, y: float, width: float, height: float | Tensor) -> Tensor:
        return ((u.abs() - x) / width) ** 2 + ((v - y) / height) ** 2 < 1

    skin, hair = _palette("skin", faces), _palette("hair_colour", faces)
    wave = has("hair", 2)
    back = 0.64 + wave * 0.05 * torch.sin(16 * v)
    yield has("length") * (u.abs() < back) * (v > 0) * (v < 0.8), hair
    yield oval(0, 1.1, 0.85, 0.4), _palette("shirt", faces)
    yield (u.abs() < 0.18) * (v > 0.4) * (v < 0.85), 0.88 * skin
    yield oval_pair(0.5, 0.08, 0.1, 0.13), skin
    yield has("earrings") * oval_pair(0.55, 0.26, 0.06, 0.06), fixed("gold")
    yield oval(0, 0.1, 0.5, 0.62), skin
    yield has("rosy_cheeks") * oval_pair(0.3, 0.31, 0.09, 0.09), fixed("cheeks")

    outline = 1 + wave * 0.06 * torch.sin(14 * torch.atan2(u, -v))
    top = (u / (0.57 * outline)) ** 2 + ((v - 0.1) / (0.74 * outline)) ** 2 < 1
    line = torch.where(has("bangs"), -0.2, -0.42 + 0.9 * u**2)
    yield has("hair", 1, 2) * top * (v < line.clamp(max=0.02)), hair

    opening = torch.where(has("narrow_eyes"), 0.035, 0.075)
    white = oval_pair(0.2, 0.05, 0.11, opening)
    yield white, fixed("white")
    yield white * oval_pair(0.2, 0.05, 0.055, 0.055), _palette("eyes", faces)
    yield white * oval_pair(0.2, 0.05, 0.025, 0.025), fixed("pupil")
    thick = torch.where(has("brows"), 0.045, 0.018)
    yield ((u.abs() - 0.2).abs() < 0.13) * ((v + 0.1).abs() < thick), 0.9 * hair
    yield oval(0, 0.24, 0.06, 0.045), 0.85 * skin

    bend = torch.where(has("smiling"), 0.52 - 1.8 * u**2, 0.48 + 0.0 * u)
    depth = has("mouth_open") * 0.11 * (1 - (u / 0.19) ** 2)
    lips = torch.where(has("lipstick"), 0.04, 0.022)
    colour = torch.where(faces["lipstick"].view(-1, 1) == 1, fixed("lipstick"), fixed("lips"))
    wide = u.abs() < 0.2
    yield wide * (v > bend - lips) * (v < bend + depth + lips), colour
    yield wide * (v > bend) * (v < bend + depth), fixed("mouth")
    yield has("beard", 1, 3) * oval(0, 0.365, 0.22, 0.05), hair
    yield has("beard", 2, 3) * oval(0, 0.7, 0.14, 0.07), hair

    ring = oval_pair(0.2, 0.05, 0.175, 0.175) & ~oval_pair(0.2, 0.05, 0.14, 0.14)
    bar = (v - 0.03).abs() < 0.018
    sides = (u.abs() < 0.05) | ((u.abs() > 0.34) & (u.abs() < 0.5))
    yield has("glasses") * (ring | (bar & sides)), fixed("frame")
