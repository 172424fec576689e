"""Draws `contact_sheet.png`: a run's sample pictures at several times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ganlab.files import atomic

_WIDEST, _HIGHEST = 2048, 1536  # pixels of the sheet, without the lines of text
_TEXT = 14  # pixels of the text
_LINE, _GAP = 20, 12  # pixels: a line of text, and the space between two pictures
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def save_contact_sheet(folder: Path, moments: int = 12) -> None:
    """Draw `contact_sheet.png`: sample pictures of a run, evenly spaced in time.

    Of a grid only the first row is shown; a plot is shown completely. The pictures are arranged in
    rows, left to right, so that they can be as large as possible and the sheet is about square.
    They are reduced, never enlarged, so that the sheet has at most 2,048 × 1,536 pixels, besides
    its text. Pictures that cannot be read are left out. Nothing is drawn if the run has no sample
    pictures.

    One picture is read at a time. Pillow refuses pictures of more than 179 million pixels.

    Args:
        folder: the run's folder.
        moments: largest number of pictures; the first and the last picture are always among them.
    """
    paths = (folder / "samples").glob("*.png")
    paths = [p for p in paths if p.stem.isdecimal() and p.is_file() and not p.is_symlink()]
    paths.sort(key=lambda path: int(path.stem))
    count = min(moments, len(paths))
    steps = max(count - 1, 1)
    chosen = [paths[round(i * (len(paths) - 1) / steps)] for i in range(count)]
    tiles = [(f"{int(path.stem):,} examples", tile) for path in chosen if (tile := _read(path))]
    if tiles:
        with atomic(folder / "contact_sheet.png") as temporary:
            _sheet(tiles).save(temporary, format="PNG")


def _read(path: Path) -> Image.Image | None:
    """Return a sample picture, of a grid only the first row; None if it cannot be read."""
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            height = min(int(picture.info.get("row_height", picture.height)), picture.height)
            tile = picture.crop((0, 0, picture.width, height)).convert("RGB")
    except _UNREADABLE:
        return None  # damaged after it was drawn; the others are shown
    tile.thumbnail((_WIDEST, _HIGHEST))
    return tile


def _sheet(tiles: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(_TEXT)
    width = max(tile.width for _, tile in tiles)
    height = max(tile.height for _, tile in tiles)
    columns, scale = _layout(len(tiles), width, height)
    texts = max(math.ceil(font.getlength(text)) for text, _ in tiles)
    cell = max(round(width * scale), texts) + _GAP
    line = round(height * scale) + _LINE + _GAP
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * cell + _GAP, rows * line + _GAP), "white")
    for index, (text, tile) in enumerate(tiles):
        row, column = divmod(index, columns)
        left, top = column * cell + _GAP, row * line + _GAP
        ImageDraw.Draw(sheet).text((left, top), text, fill="black", font=font)
        size = max(1, round(tile.width * scale)), max(1, round(tile.height * scale))
        reduced = tile if size == tile.size else tile.resize(size, Image.Resampling.LANCZOS)
        sheet.paste(reduced, (left, top + _LINE))
    return sheet


def _layout(count: int, width: int, height: int) -> tuple[int, float]:
    """Return a number of columns, and the scale of tiles of width × height pixels, at most 1.

    The scale is the largest that fits. Of equal ones, that of the sheet nearest to a square is
    chosen.
    """

    def quality(columns: int) -> tuple[float, float]:
        across, down = columns * width, -(-count // columns) * height
        scale = min(1.0, _WIDEST / across, _HIGHEST / down)
        return scale, -abs(math.log(across / down))

    columns = max(range(1, count + 1), key=quality)
    return columns, quality(columns)[0]
