"""Apply a network that maps pictures to pictures to a picture of any size, whole or in tiles."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.metrics.memory import DEFAULT_MEMORY
from ganlab.modalities import IMAGE

LARGE = 2**20  # pixels above which a picture is tiled by default
TILE = 512  # pixels along a side of a tile by default
_BYTES = 20  # memory of each value of a row of tiles: sums, and copies while they are rounded
SMALLEST = 32  # minimum pixels along a side of a network's input


def translate_picture(
    network: Callable[[Tensor], Tensor],
    picture: Tensor,
    *,
    multiple: int = 1,
    tile: int | None = None,
    overlap: int | None = None,
    progress: Callable[[float], object] = lambda share: None,
    memory: int = DEFAULT_MEMORY,
) -> Tensor:
    """Return a picture's translation, which has the picture's size.

    The picture is padded so that both sides are multiples of `multiple` and at least 32 pixels. The
    padding reflects the picture, or repeats its border if the picture is smaller than the padding.
    It is cut off the result.

    A picture is cut into overlapping tiles if it has more than 2²⁰ pixels, or if `tile` is given
    and the picture is larger. The results of tiles are blended with smooth weights that add up to
    one. At a tile's inner edges, a quarter of the overlap has weight 0, since there the network
    does not see what lies outside the tile. The result therefore equals the result without tiles
    if each of its pixels depends only on input pixels within a quarter of the overlap. With
    instance normalisation the two results differ, since the statistics of each tile are used
    instead of the statistics of the picture.

    Args:
        network: maps (1, C, h, w) in [−1, 1] to (1, C', h, w). If it uses noise, the noise should
            be the same for each tile.
        picture: uint8 (C, H, W) in [0, 255], or float in [−1, 1].
        multiple: h and w are multiples of this number.
        tile: side of a tile; None for no tiles in pictures of up to 2²⁰ pixels, and 512, rounded up
            to `multiple`, in larger pictures.
        overlap: minimum pixels that neighbouring tiles share; None for a quarter of a tile.
        memory: bytes that a row of tiles may take; `metrics_memory`.
        progress: called with the share of the picture that was done since the last call.

    Returns:
        uint8 (C', H, W) in [0, 255] on the CPU.

    Raises:
        ConfigError: the network does not support the tile, the overlap exceeds half a tile, the
            network's results differ in size from its inputs, or a row of tiles takes more than
            `memory`.
    """
    padded, (top, left) = _pad(picture, multiple)
    height, width = padded.shape[1:]
    if tile is None and height * width <= LARGE:
        tile_height, tile_width, overlap = height, width, 0
    else:
        side, overlap = check_tile(tile, overlap, multiple)
        tile_height, tile_width = min(side, height), min(side, width)
    rows = _windows(height, tile_height, overlap)
    columns = _windows(width, tile_width, overlap)
    starts = [y for y, _ in rows] + [height]
    result, strip = None, None  # strip: sums of the rows that tiles may still be added to
    for index, (y, down) in enumerate(rows):
        for x, across in columns:
            part = padded[:, y : y + tile_height, x : x + tile_width].unsqueeze(0)
            part = IMAGE.normalise(part)
            output = network(part).float().cpu()
            if output.shape[2:] != part.shape[2:]:
                raise ConfigError(
                    f"run: the generator turns {_size(part)} into {_size(output)} pixels; "
                    "translate only supports generators that keep the size."
                )
            if strip is None or result is None:
                channels = output.shape[1]
                _check_memory(channels * tile_height * width, tile_width, memory)
                strip = torch.zeros(channels, tile_height, width)
                result = torch.empty(channels, height, width, dtype=torch.uint8)
            strip[:, :, x : x + tile_width] += output[0] * down[:, None] * across
            progress(1 / (len(rows) * len(columns)))
        done = starts[index + 1] - y  # no later tile reaches these rows
        result[:, y : y + done] = IMAGE.denormalise(strip[:, :done])
        strip[:, : tile_height - done] = strip[:, done:].clone()
        strip[:, tile_height - done :] = 0
    return result[:, top : top + picture.shape[1], left : left + picture.shape[2]]


def _check_memory(values: int, tile: int, memory: int) -> None:
    """Raise a ConfigError if a row of tiles, in which results are blended, takes too much."""
    needed = _BYTES * values
    if needed > memory:
        raise ConfigError(
            f"metrics_memory: a row of tiles of {tile} pixels takes {-(-needed // 2**20):,} MiB, "
            f"more than {memory // 2**20:,} MiB. Set metrics_memory={-(-needed // 2**20)}MiB, or "
            "use smaller tiles (tile=SIDE)."
        )


def check_tile(tile: int | None, overlap: int | None, multiple: int) -> tuple[int, int]:
    """Return the side and the overlap of tiles, with defaults filled in; see `translate_picture`.

    Raises:
        ConfigError: the network does not support the tile, or the overlap exceeds half a tile.
    """
    smallest = _rounded_up(SMALLEST, multiple)
    side = tile or _rounded_up(TILE, multiple)
    if side % multiple or side < smallest:
        lower = max(smallest, side // multiple * multiple)
        nearby = sorted({lower, _rounded_up(max(side, smallest), multiple)})
        raise ConfigError(
            f"tile: received {side}; this generator supports multiples of {multiple} of at least "
            f"{smallest}, such as {' or '.join(map(str, nearby))}."
        )
    overlap = side // 4 if overlap is None else overlap
    if not 0 <= overlap <= side // 2:
        raise ConfigError(
            f"overlap: received {overlap}; with tiles of {side} pixels allowed 0 … {side // 2}."
        )
    return side, overlap


def _windows(length: int, tile: int, overlap: int) -> list[tuple[int, Tensor]]:
    """Return for each tile along one axis its first position and its weights (tile,).

    Tiles are evenly spaced. At each position the weights of the tiles that cover it add up to one.
    """
    count = 1 if tile >= length else -(-(length - overlap) // (tile - overlap))
    starts = [round(i * (length - tile) / max(1, count - 1)) for i in range(count)]
    total, weights = torch.zeros(length), []
    margin = overlap // 4
    distance = torch.arange(tile) + 0.5 - margin
    rise = (distance / max(1, overlap - 2 * margin)).clamp(0, 1)
    rise = torch.sin(rise * torch.pi / 2).square() if overlap else torch.ones(tile)
    for index, start in enumerate(starts):
        weight = torch.ones(tile)
        if index > 0:
            weight = weight * rise
        if index < count - 1:
            weight = weight * rise.flip(0)
        total[start : start + tile] += weight
        weights.append(weight)
    return [(s, w / total[s : s + tile]) for s, w in zip(starts, weights, strict=True)]


def _pad(picture: Tensor, multiple: int) -> tuple[Tensor, tuple[int, int]]:
    """Return the padded picture, and the (top, left) position of the picture in it."""
    offsets = []
    for axis in (1, 2):
        side = picture.shape[axis]
        more = _rounded_up(max(side, SMALLEST), multiple) - side
        before = more // 2
        offsets.append(before)
        if more:
            index = torch.arange(-before, side + more - before)
            if more - before < side:  # a reflection of the picture fills the padding
                index = side - 1 - (side - 1 - index.abs()).abs()
            picture = picture.index_select(axis, index.clamp(0, side - 1).to(picture.device))
    return picture, (offsets[0], offsets[1])


def _rounded_up(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple


def _size(pictures: Tensor) -> str:
    return f"{pictures.shape[3]}×{pictures.shape[2]}"
