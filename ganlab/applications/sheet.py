"""Write results to files: pictures of 1 to 4 channels, and a sheet of inputs above results."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

from ganlab.data.readers.decoding import Decoder
from ganlab.errors import ConfigError
from ganlab.files import atomic
from ganlab.modalities.grid import sans, save_png, shortened

CELL = 256  # maximum pixels along the longer side of a picture on the sheet
GAP = 6  # pixels between pictures


def save_picture(pixels: Tensor, path: Path) -> None:
    """Write uint8 pixels (C, H, W) of 1 to 4 channels as a PNG; 2 channels are grey and alpha.

    Raises:
        ConfigError: there are more than 4 channels.
    """
    if len(pixels) > 4:
        raise ConfigError(
            f"run: the generator makes {len(pixels)} channels; a PNG supports only 1 to 4."
        )
    if len(pixels) != 2:
        save_png(pixels, path)
        return
    with atomic(path) as temporary:
        Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(temporary, format="PNG")


def save_sheet(pairs: list[tuple[Path, Path]], direction: str, path: Path) -> None:
    """Write a picture of inputs, each with its name above it and its result below it.

    Args:
        pairs: the files of each input and its result.
        direction: the label of the row of results.
        path: where the sheet is written.
    """
    font = sans(12)
    columns = [(_thumbnail(source), _thumbnail(result)) for source, result in pairs]
    widths = [max(picture.width for picture in column) for column in columns]
    heights = [max(picture.height for picture in row) for row in zip(*columns, strict=True)]
    left, top = 2 * GAP + int(font.getlength(direction)), 20
    size = (left + sum(widths) + GAP * len(widths), top + sum(heights) + 2 * GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    tops = (top, top + heights[0] + GAP)
    for y, height, title in zip(tops, heights, ("input", direction), strict=True):
        draw.text((GAP, y + height // 2), title, fill="black", font=font, anchor="lm")
    x = left
    for (source, _), column, width in zip(pairs, columns, widths, strict=True):
        draw.text((x, 2), shortened(source.name, font, width), fill="black", font=font)
        for y, picture in zip(tops, column, strict=True):
            sheet.paste(picture, (x, y))
        x += width + GAP
    with atomic(path) as temporary:
        sheet.save(temporary, format="PNG")


def _thumbnail(path: Path) -> Image.Image:
    """Return a picture, reduced or enlarged so that its longer side has 128 to 256 pixels.

    Small pictures are enlarged by a whole factor.
    """
    pixels = Decoder(3, max_pixels=2**62)(path)  # no limit: the size was checked before
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    longer = max(picture.size)
    if longer > CELL:
        picture.thumbnail((CELL, CELL))
        return picture
    factor = max(1, -(-CELL // 2 // longer))
    return picture.resize(
        (picture.width * factor, picture.height * factor), Image.Resampling.NEAREST
    )
