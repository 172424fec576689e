"""One PNG that shows a few pictures of a folder."""

from __future__ import annotations

from pathlib import Path

from ganlab.data.readers.decoding import Decoder
from ganlab.files import atomic
from ganlab.modalities.grid import sans, shortened
from ganlab.printable import printable

_CELL = 128  # pixels: the largest height of a picture; the largest width is twice as much
_TITLE = 20  # pixels above a row
_GAP = 4  # pixels between two pictures


def save_samples(rows: dict[str, list[Path]], path: Path) -> None:
    """Write rows of pictures under their titles as one PNG.

    Args:
        rows: maps each row's title to its files, which can be decoded; at least one file.
        path: where the PNG is written.

    Raises:
        RunError: the PNG cannot be written.
    """
    from PIL import Image, ImageDraw, ImageOps

    strips = []
    for title, files in rows.items():
        for first in range(0, len(files), 8):
            pictures = map(Decoder(3).picture, files[first : first + 8])  # one after the other
            cells = [ImageOps.contain(picture, (2 * _CELL, _CELL)) for picture in pictures]
            strips.append((title if first == 0 else "", cells))
    width = max(_CELL, *(sum(cell.width + _GAP for cell in cells) for _, cells in strips))
    sheet = Image.new("RGB", (width, len(strips) * (_CELL + _TITLE)), "white")
    font = sans(12)
    for number, (title, cells) in enumerate(strips):
        top, left = number * (_CELL + _TITLE), 0
        text = shortened(printable(title), font, width - 4)
        ImageDraw.Draw(sheet).text((2, top + 2), text, fill="black", font=font)
        for cell in cells:
            sheet.paste(cell, (left, top + _TITLE + (_CELL - cell.height) // 2))
            left += cell.width + _GAP
    with atomic(path) as temporary:
        sheet.save(temporary, format="PNG")
