"""Sample pictures of a run for the web page: few and small enough for the page to be sent."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image, features

BYTES = 9_500_000  # of all pictures in a page, as text
RUN_BYTES = 900_000  # of one run's at most
MOMENT_BYTES = 6_000  # of one picture, by which the number of moments is chosen
MOMENTS = (2, 24)  # of a run, at least and at most
SIDES = (480, 340, 240, 170, 120, 80)  # pixels along a side of a square picture
QUALITY = 72
HOPE = 1.3  # of the space, up to which a size is tried that the last picture says is too large


def pictures(folder: Path, runs: int) -> tuple[list[dict[str, Any]], list[str]]:
    """The sample pictures of one of `runs` runs through its training, and what could not be read.

    Args:
        folder: the run's.
        runs: in the page, which share its space.

    Returns:
        for each moment `examples`, how many were seen, and `data`, a data URL; and a sentence for
        each picture that is damaged.
    """
    paths = sorted(
        (p for p in (folder / "samples").glob("*.png") if p.stem.isdigit()), key=_examples
    )
    text_bytes = min(RUN_BYTES, BYTES // max(runs, 1))
    space = text_bytes * 3 // 4
    count = min(max(space // MOMENT_BYTES, MOMENTS[0]), MOMENTS[1], len(paths))
    if not count:
        return [], []
    steps = max(count - 1, 1)
    chosen = [paths[round(i * (len(paths) - 1) / steps)] for i in range(count)]
    if count == 1:
        chosen = [paths[-1]]
    opened, notes = {}, []
    for path in dict.fromkeys(chosen):
        try:
            with Image.open(path) as picture:
                opened[path] = _flat(picture)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            notes.append(f"{path.name} cannot be read ({str(error).splitlines()[0]})")
    encoded: dict[Path, bytes] = {}
    last = list(opened.values())[-1:]
    for side in SIDES:
        if sum(len(_encode(picture, side)) for picture in last) * len(opened) > HOPE * space:
            continue
        encoded = {path: _encode(picture, side) for path, picture in opened.items()}
        if sum(map(len, encoded.values())) <= space:
            break
    kind = "webp" if features.check("webp") else "jpeg"
    moments = [
        {
            "examples": _examples(path),
            "data": f"data:image/{kind};base64,{base64.b64encode(data).decode()}",
        }
        for path, data in encoded.items()
    ]
    return moments, notes


def _examples(path: Path) -> int:
    return int(path.stem)


def _flat(picture: Image.Image) -> Image.Image:
    """As RGB; what is transparent becomes white. At most as large as pictures get in the page."""
    if picture.mode in ("RGBA", "LA", "P"):
        picture = picture.convert("RGBA")
        sheet = Image.new("RGBA", picture.size, "white")
        sheet.alpha_composite(picture)
        picture = sheet
    return _resized(picture.convert("RGB"), SIDES[0])


def _resized(picture: Image.Image, side: int) -> Image.Image:
    """Reduced to the area of a square of `side` pixels, never enlarged."""
    factor = side / (picture.width * picture.height) ** 0.5
    if factor >= 1:
        return picture
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BOX if factor < 0.34 else Image.Resampling.HAMMING)


def _encode(picture: Image.Image, side: int) -> bytes:
    file = io.BytesIO()
    picture = _resized(picture, side)
    if features.check("webp"):
        picture.save(file, "WEBP", quality=QUALITY, method=1)
    else:
        picture.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
