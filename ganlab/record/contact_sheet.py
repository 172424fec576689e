"""Draws `contact_sheet.png`: a run's sample pictures at several times."""

from __future__ import annotations

from pathlib import Path

from ganlab.files import atomic

_WIDEST = 2048  # pixels


def save_contact_sheet(folder: Path, rows: int = 12) -> None:
    """Draw `contact_sheet.png`: sample pictures of a run, evenly spaced in time.

    Of a grid only the first row is shown; a plot is shown completely. What is wider than 2,048
    pixels is reduced. Damaged pictures are left out. Nothing is drawn if the run has no sample
    pictures.

    Args:
        folder: the run's folder.
        rows: largest number of evenly spaced pictures; the last picture is always added.
    """
    from PIL import Image, ImageDraw

    unreadable = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)

    paths = sorted((folder / "samples").glob("*.png"))
    paths = [p for p in paths if p.stem.isdecimal() and not p.is_symlink()]
    if not paths:
        return
    step = max(1, -(-len(paths) // rows))
    chosen = paths[::step] if paths[-1] in paths[::step] else [*paths[::step], paths[-1]]
    strips = []
    for path in chosen:
        if not path.is_file():
            continue
        try:
            with Image.open(path, formats=("PNG",)) as picture:
                height = int(picture.info.get("row_height", picture.height))
                strip = picture.crop((0, 0, picture.width, height)).convert("RGB")
        except unreadable:
            continue  # damaged after it was drawn; the others are shown
        strip.thumbnail((_WIDEST, strip.height))
        strips.append((path.stem, strip))
    if not strips:
        return
    width = max(s.width for _, s in strips)
    height = sum(s.height + 14 for _, s in strips)
    sheet = Image.new("RGB", (width, height), "white")
    y = 0
    for stem, strip in strips:
        ImageDraw.Draw(sheet).text((2, y + 1), f"{int(stem):,} examples", fill="black")
        sheet.paste(strip, (0, y + 14))
        y += strip.height + 14
    with atomic(folder / "contact_sheet.png") as temporary:
        sheet.save(temporary, format="PNG")
