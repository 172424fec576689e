"""Pictures of a run for a web page, reduced so that the page stays small."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image, features

from ganlab.config.values import METRICS_MEMORY

BYTES = 9_500_000  # maximum for all pictures of a page of many runs, as text
RUN_BYTES = 900_000  # maximum for the pictures of one of these runs, as text
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
    """Return the sample pictures of one run of many, and notes on damaged pictures.

    Args:
        folder: the run's folder.
        runs: the number of runs in the page, among which `BYTES` are divided.
        memory: bytes that the pictures of all threads may take while they are reduced. A picture
            that takes more than half of them is left out.

    Returns:
        For each picture a dict of `examples`, the number of examples seen, and `data`, a data URL;
        and for each damaged picture a sentence.
    """
    space = min(RUN_BYTES, BYTES // max(runs, 1)) * 3 // 4
    count = min(max(space // MOMENT_BYTES, MOMENTS[0]), MOMENTS[1])
    opened, notes = read_pictures(sample_paths(folder, count), SIDES[0], memory)
    return moments(fitted(opened, space, [(side, QUALITY) for side in SIDES])), notes


def sample_paths(folder: Path, most: int) -> list[Path]:
    """Return up to `most` of a run's sample pictures at even distances, the last one always."""
    samples = folder / "samples"
    # a link could lead to a picture that is not the run's, and the page may be passed on
    found = [] if samples.is_symlink() else samples.glob("*.png")
    paths = sorted(
        (p for p in found if p.stem.isdecimal() and p.is_file() and not p.is_symlink()),
        key=_examples,
    )
    count = min(most, len(paths))
    if count < 2:
        return paths[-1:] if count else []
    places = (round(i * (len(paths) - 1) / (count - 1)) for i in range(count))
    return list(dict.fromkeys(paths[place] for place in places))


def read_pictures(
    paths: Iterable[Path], side: int, memory: int = METRICS_MEMORY
) -> tuple[dict[Path, Image.Image], list[str]]:
    """Return pictures as RGB on white, and for each one that cannot be shown a sentence.

    Args:
        paths: PNG files.
        side: pictures of more than side × side pixels are reduced to this area.
        memory: see `pictures`.
    """
    opened, notes = {}, []
    for path in paths:
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
                    opened[path] = _flat(picture, side)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            notes.append(f"{path.name} cannot be read ({str(error).splitlines()[0]})")
    return opened, notes


def fitted(
    opened: dict[Path, Image.Image], space: int, attempts: Sequence[tuple[int, int | None]]
) -> dict[Path, str]:
    """Return pictures as data URLs, encoded by the first attempt that fits into a space, or last.

    Args:
        opened: the pictures.
        space: bytes for all of them, before they become text.
        attempts: pairs of a side, see `read_pictures`, and a quality of 1 to 100, None for
            lossless; the best comes first.
    """
    encoded: dict[Path, tuple[str, bytes]] = {}
    last = list(opened.values())[-1:]
    for side, quality in attempts:
        estimate = sum(len(_encode(picture, side, quality)[1]) for picture in last) * len(opened)
        if estimate > TOLERANCE * space:
            continue
        encoded = {path: _encode(picture, side, quality) for path, picture in opened.items()}
        if sum(len(data) for _, data in encoded.values()) <= space:
            break
    return {path: data_url(*pair) for path, pair in encoded.items()}


def moments(encoded: dict[Path, str]) -> list[dict[str, Any]]:
    """Return sample pictures as the page's scripts read them, see `pictures`."""
    return [{"examples": _examples(path), "data": url} for path, url in encoded.items()]


def data_url(kind: str, data: bytes) -> str:
    """Return bytes as a data URL of the media type image/`kind`."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _examples(path: Path) -> int:
    return int(path.stem)


def _flat(picture: Image.Image, side: int) -> Image.Image:
    """Return a picture as RGB on white, reduced to an area of side × side pixels."""
    if picture.mode in ("RGBA", "LA", "P"):
        picture = picture.convert("RGBA")
        sheet = Image.new("RGBA", picture.size, "white")
        sheet.alpha_composite(picture)
        picture = sheet
    return resized(picture.convert("RGB"), side)


def resized(picture: Image.Image, side: int) -> Image.Image:
    """Return a picture reduced to an area of side × side pixels; never enlarge it."""
    factor = side / (picture.width * picture.height) ** 0.5
    if factor >= 1:
        return picture
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BOX if factor < 0.34 else Image.Resampling.HAMMING)


def _encode(picture: Image.Image, side: int, quality: int | None) -> tuple[str, bytes]:
    """Return the kind of file, such as "webp", and its bytes."""
    kind = "webp" if features.check("webp") else "png" if quality is None else "jpeg"
    options = {"lossless": True, "quality": 40} if quality is None else {"quality": quality}
    file = io.BytesIO()
    resized(picture, side).save(file, kind.upper(), method=1, **options)
    return kind, file.getvalue()
