"""One PNG that shows a few pictures of a folder."""

from __future__ import annotations

from pathlib import Path

from ganlab.data.readers.decoding import Decoder
from ganlab.files import atomic

_CELL = 128  # pixels: the height of a cell
_TITLE = 16  # pixels above a row


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
        sizes = (Decoder(3).head(file)[:2] for file in files)
        widest = max((width / height for height, width in sizes), default=1.0)
        cell = (max(_CELL, min(2 * _CELL, round(_CELL * widest))), _CELL)
        for first in range(0, len(files), 8):
            pictures = map(Decoder(3).picture, files[first : first + 8])  # one after the other
            cells = [ImageOps.pad(picture, cell, color="white") for picture in pictures]
            strips.append((title if first == 0 else "", cells))
    width = max(sum(cell.width + 2 for cell in cells) for _, cells in strips)
    sheet = Image.new("RGB", (width, len(strips) * (_CELL + _TITLE)), "white")
    for number, (title, cells) in enumerate(strips):
        top, left = number * (_CELL + _TITLE), 0
        shown = title.encode("ascii", "replace").decode()  # Pillow's built-in font is ASCII
        ImageDraw.Draw(sheet).text((2, top + 2), shown, fill="black")
        for cell in cells:
            sheet.paste(cell, (left, top + _TITLE))
            left += cell.width + 2
    with atomic(path) as temporary:
        sheet.save(temporary, format="PNG")
