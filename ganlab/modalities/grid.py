"""PNG files of images: grids, and rows with titles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from PIL.Image import Image
from PIL.ImageFont import FreeTypeFont
from torch import Tensor

from ganlab.files import atomic
from ganlab.modalities.pixels import denormalise
from ganlab.modalities.terminal import MOST, SIDE

_LINE = 20  # pixels: a line of text


def save_grid(images: Tensor, path: Path, columns: int | None = None) -> None:
    """Write images (N, C, H, W) as one PNG grid, about square if `columns` is None.

    Images are uint8 in [0, 255] or floats in [−1, 1]. Images of 1, 3 and 4 channels are shown
    unchanged; of 2 channels only the first is shown. Small images are enlarged by an integer factor
    so that a cell is at least 56 pixels wide.
    """
    from PIL import Image

    n, channels, height, width = images.shape
    factor = max(1, -(-56 // width))
    columns = min(columns or max(1, round(n**0.5)), n)
    gap = 2 if n > 1 else 0
    cell, line = factor * width + gap, factor * height + gap
    size = columns * cell + gap, -(-n // columns) * line + gap
    grid = Image.new("RGBA" if channels == 4 else "RGB", size, 0)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        place = column * cell + gap, row * line + gap
        grid.paste(as_picture(_enlarged(image, factor)), place)
    _save(grid, path, row_height=str(factor * height + 2))


def save_rows(
    rows: Mapping[str, Tensor],
    path: Path,
    *,
    below: tuple[str, Sequence[str]] | None = None,
    note: str = "",
    most: int | None = None,
) -> None:
    """Write rows of images (N, C, H, W) in [−1, 1] as one PNG, each row to the right of its title.

    Rows may differ in the number of images and channels, but not in height and width. Small images
    are enlarged by an integer factor so that a cell is at least 56 pixels wide.

    Args:
        rows: maps each row's title to its images.
        path: where the PNG is written.
        below: a title, and short texts that stand below the columns.
        note: a sentence at the bottom.
        most: maximum pixels along the longer side of an image; None for no maximum.
    """
    from PIL import Image, ImageDraw

    height, width = next(iter(rows.values())).shape[-2:]
    factor = max(1, -(-56 // width))
    shrink = min(1.0, (most or 1e9) / (factor * max(height, width)))
    cell, line = (max(1, round(shrink * factor * side)) + 2 for side in (width, height))
    font = sans(12)
    titles = [*rows, below[0]] if below else [*rows]
    margin = 8 + max(int(font.getlength(title)) for title in titles)
    columns = max(map(len, rows.values()))
    size = (margin + columns * cell, len(rows) * line + 2)
    lines = _wrapped(note, font, size[0] - 8)
    texts = (_LINE if below else 0) + _LINE * len(lines)
    sheet = Image.new("RGB", (size[0], size[1] + texts), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (title, images) in enumerate(rows.items()):
        position = (4, row * line + line // 2)
        draw.text(position, title, fill="black", font=font, anchor="lm")
        for column, image in enumerate(images):
            picture = as_picture(_enlarged(image, factor)).convert("RGB")
            if shrink < 1:
                picture = picture.resize((cell - 2, line - 2))
            sheet.paste(picture, (margin + column * cell, row * line + 2))
    middle = size[1] + _LINE // 2
    if below:
        draw.text((4, middle), below[0], fill="black", font=font, anchor="lm")
        for column, text in enumerate(below[1]):
            left = margin + column * cell + cell // 2
            draw.text((left, middle), text, fill="black", font=font, anchor="mm")
        middle += _LINE
    for number, text in enumerate(lines):
        draw.text((4, middle + number * _LINE), text, fill="black", font=font, anchor="lm")
    with atomic(path) as temporary:
        sheet.save(temporary, format="PNG", compress_level=4)


def thumbnails(images: Tensor) -> list[Image]:
    """Return the first images (N, C, H, W), uint8 or floats in [−1, 1], as RGB pictures.

    They are at most `terminal.MOST` pictures, at most `terminal.SIDE` pixels high.
    """
    small = []
    for image in images[:MOST]:
        picture = as_picture(_enlarged(image, 1)).convert("RGB")
        picture.thumbnail((picture.width, SIDE))
        small.append(picture)
    return small


def beside(rows: Sequence[Sequence[Image]]) -> list[Image]:
    """Return, for each place of the rows, their RGB pictures of one size side by side."""
    from PIL import Image

    joined = []
    for pictures in zip(*rows, strict=False):
        width, height = pictures[0].size
        sheet = Image.new("RGB", (len(pictures) * width, height))
        for number, picture in enumerate(pictures):
            sheet.paste(picture, (number * width, 0))
        joined.append(sheet)
    return joined


def _wrapped(text: str, font: FreeTypeFont, width: int) -> list[str]:
    """Return a text as lines of at most `width` pixels, or of one word."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def sans(size: int) -> FreeTypeFont:
    """Return Matplotlib's DejaVu Sans, `size` pixels high; it has arrows and European letters."""
    from matplotlib import get_data_path
    from PIL.ImageFont import truetype

    return truetype(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def shortened(text: str, font: FreeTypeFont, width: float) -> str:
    """Return a text of at most `width` pixels; what is cut off its end becomes "…"."""
    while font.getlength(text) > width and len(text) > 1:
        text = text.removesuffix("…")[:-1] + "…"
    return text


def as_picture(pixels: Tensor) -> Image:
    """Return uint8 pixels (C, H, W) as a picture; of 2 channels only the first is used."""
    from PIL.Image import fromarray

    return fromarray(pixels[0].numpy() if len(pixels) < 3 else pixels.permute(1, 2, 0).numpy())


def save_png(pixels: Tensor, path: Path, **texts: str) -> None:
    """Write uint8 pixels (C, H, W), C 1 to 4, as a PNG, with `texts` as its text entries."""
    _save(as_picture(pixels), path, **texts)


def _enlarged(image: Tensor, factor: int) -> Tensor:
    """Return an image (C, H, W), uint8 or float in [−1, 1], as uint8 and larger by a factor."""
    image = image.detach().cpu()
    pixels = image if image.dtype == torch.uint8 else denormalise(image)
    return pixels.repeat_interleave(factor, 1).repeat_interleave(factor, 2)


def _save(picture: Image, path: Path, **texts: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    with atomic(path) as temporary:
        picture.save(temporary, format="PNG", compress_level=4, pnginfo=info)
