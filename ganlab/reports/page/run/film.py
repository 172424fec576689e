"""The film of a run's samples through training: for its page, and as an animated GIF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ganlab.files import atomic
from ganlab.reports.page.pictures import resized

FRAMES = 32  # maximum of pictures in the film
SIDE = 1024  # side of the largest square picture, in pixels
BYTES = 1_500_000  # maximum for the film in the page, before it becomes text
# side and quality, the best first; see `pictures.fitted`
ATTEMPTS = ((SIDE, None), (SIDE, 90), (SIDE, 75))
ATTEMPTS += tuple((side, 72) for side in (720, 480, 340, 240, 160))

GIF_BYTES = 1_400_000
GIF_ATTEMPTS = ((32, 480), (16, 480), (16, 340), (8, 340), (8, 240), (8, 160), (4, 100))
COLOURS = 64
MILLISECONDS = 6000  # duration of the film, without its last picture
SHOWN = (100, 500)  # minimum and maximum of milliseconds for which a picture is shown
LAST_SHOWN = 3000  # milliseconds for which the last picture is shown


def save_gif(pictures: Sequence[Image.Image], path: Path, hint: str) -> bytes:
    """Write pictures as an animated GIF that repeats for ever, and return the file's bytes.

    The film has at most `GIF_BYTES` bytes: pictures are left out or reduced until it has.

    Args:
        pictures: RGB pictures, at least one. All are drawn in the size of the last one.
        path: where the film is written; a missing folder is created.
        hint: what a user can do if the file cannot be written, see `ganlab.files.atomic`.

    Raises:
        RunError: the file cannot be written.
    """
    with atomic(path, hint) as temporary:
        for count, side in GIF_ATTEMPTS:
            frames = _frames(pictures, count, side)
            shown = min(max(MILLISECONDS // max(len(frames) - 1, 1), SHOWN[0]), SHOWN[1])
            frames[0].save(
                temporary,
                "GIF",
                save_all=True,
                append_images=frames[1:],
                duration=[*[shown] * (len(frames) - 1), LAST_SHOWN],
                loop=0,
            )
            if (data := temporary.read_bytes()) and len(data) <= GIF_BYTES:
                break
    return data


def _frames(pictures: Sequence[Image.Image], count: int, side: int) -> list[Image.Image]:
    """Return up to `count` pictures of equal size and palette, with the first and the last."""
    last = resized(pictures[-1], side)
    count = min(count, len(pictures))
    places = (round(i * (len(pictures) - 1) / max(count - 1, 1)) for i in range(count - 1))
    chosen = [*(pictures[place] for place in places), pictures[-1]]
    same = [p if p.size == last.size else p.resize(last.size, Image.Resampling.BOX) for p in chosen]
    strip = Image.new("RGB", (sum(p.width for p in same[-8:]), last.height))
    for place, picture in enumerate(same[-8:]):
        strip.paste(picture, (place * last.width, 0))
    palette = strip.quantize(COLOURS, Image.Quantize.MEDIANCUT)
    return [p.quantize(palette=palette, dither=Image.Dither.NONE) for p in same]
