"""Sample pictures of a run for the web page, reduced so that the page stays small."""

from __future__ import annotations

import base64
import io
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image, features

from ganlab.config.values import METRICS_MEMORY

BYTES = 9_500_000  # maximum for all pictures of a page, as text
RUN_BYTES = 900_000  # maximum for the pictures of one run, as text
MOMENT_BYTES = 6_000  # assumed for one picture when the number of moments is chosen
MOMENTS = (2, 24)  # minimum and maximum of pictures of a run
SIDES = (480, 340, 240, 170, 120, 80)  # possible sides of a square picture, in pixels
QUALITY = 72
THREADS = 8  # threads that call `pictures` at once
_LARGE = Lock()  # held while a large picture is reduced
_PIXEL_BYTES = 16  # memory of a pixel while a picture is reduced: up to four copies
# A side is tried if the estimate for it is no more than this many times the available space. The
# estimate assumes that all pictures need as many bytes as the last one.
TOLERANCE = 1.3


def pictures(
    folder: Path, runs: int, memory: int = METRICS_MEMORY
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the sample pictures of one run through its training, and notes on damaged pictures.

    Args:
        folder: the run's folder.
        runs: the number of runs in the page, among which `BYTES` are divided.
        memory: bytes that the pictures of all threads may take while they are reduced. A picture
            that takes more than half of them is left out.

    Returns:
        For each picture a dict of `examples`, the number of examples seen, and `data`, a data URL;
        and for each damaged picture a sentence.
    """
    samples = folder / "samples"
    # a link could lead to a picture that is not the run's, and the page may be passed on
    found = [] if samples.is_symlink() else samples.glob("*.png")
    paths = sorted(
        (p for p in found if p.stem.isdecimal() and p.is_file() and not p.is_symlink()),
        key=_examples,
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
            with Image.open(path, formats=("PNG",)) as picture:
                needed = _PIXEL_BYTES * picture.width * picture.height
                if needed > memory // 2:
                    notes.append(
                        f"{path.name} is left out: {picture.width}×{picture.height} pixels need "
                        f"metrics_memory={-(-2 * needed // 2**20)}MiB"
                    )
                    continue
                # all threads together take the other half
                with _LARGE if needed > memory // 2 // THREADS else nullcontext():
                    opened[path] = _flat(picture)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            notes.append(f"{path.name} cannot be read ({str(error).splitlines()[0]})")
    encoded: dict[Path, bytes] = {}
    last = list(opened.values())[-1:]
    for side in SIDES:
        if sum(len(_encode(picture, side)) for picture in last) * len(opened) > TOLERANCE * space:
            continue
        encoded = {path: _encode(picture, side) for path, picture in opened.items()}
        if sum(map(len, encoded.values())) <= space:
            break
    format_name = "webp" if features.check("webp") else "jpeg"
    moments = [
        {
            "examples": _examples(path),
            "data": f"data:image/{format_name};base64,{base64.b64encode(data).decode()}",
        }
        for path, data in encoded.items()
    ]
    return moments, notes


def _examples(path: Path) -> int:
    return int(path.stem)


def _flat(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB on white, reduced to the largest of `SIDES`."""
    if picture.mode in ("RGBA", "LA", "P"):
        picture = picture.convert("RGBA")
        sheet = Image.new("RGBA", picture.size, "white")
        sheet.alpha_composite(picture)
        picture = sheet
    return _resized(picture.convert("RGB"), SIDES[0])


def _resized(picture: Image.Image, side: int) -> Image.Image:
    """Return a picture reduced to an area of side × side pixels; never enlarge it."""
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
