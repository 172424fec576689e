"""Pictures as terminal text: kitty's and iTerm2's protocols, and half-blocks in 24-bit colour."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from PIL import Image

Method = Literal["kitty", "iterm2", "half_blocks"]

SIDE = 128  # pixels; a sample needs no longer side to be shown in a terminal
MOST = 60  # samples that are shown: ten columns of at most six rows
_COLUMNS, _ROWS = 10, 6
_FRAME = 40_000  # most bytes of a picture of half-blocks
_CELLS = range(2_000, 999, -200)  # most cells to try for it; 1,000 always fit into _FRAME
_PIXELS = 100_000  # most pixels of a picture that is sent as a PNG
_CELL = 9, 18  # pixels of a character cell; the true size may differ, their ratio hardly does
_CHUNK = 4096  # kitty's limit on the base64 text of one escape sequence
_TRUECOLOR = ("alacritty", "foot", "wezterm", "xterm-direct", "xterm-ghostty", "xterm-kitty")


@dataclass(frozen=True)
class Shown:
    """A picture as text for a terminal.

    Attributes:
        lines: the lines that the picture takes; none if it has no room.
        overlay: escape sequences that draw the picture over the lines, which are then empty. They
            are to be written at the start of the first line, and may move the cursor.
    """

    lines: tuple[str, ...] = ()
    overlay: str = ""


def picture_method(environment: Mapping[str, str]) -> Method | None:
    """Return how a terminal with UTF-8 shows pictures; None if it is not known to show any.

    Within tmux and screen only half-blocks are used, since pictures of the other methods do not
    move with the text there.

    Args:
        environment: the environment variables, such as TERM and COLORTERM.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if not {"TMUX", "STY"} & environment.keys() and not term.startswith(("screen", "tmux")):
        # an editor that was started in kitty inherits KITTY_WINDOW_ID, but sets TERM_PROGRAM
        in_kitty = "KITTY_WINDOW_ID" in environment and not program
        if term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty" or in_kitty:
            return "kitty"
        over_ssh = not program and environment.get("LC_TERMINAL") == "iTerm2"
        if program in ("iTerm.app", "WezTerm") or over_ssh:
            return "iterm2"
    is_truecolor = environment.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    return "half_blocks" if is_truecolor or term in _TRUECOLOR else None


def shown(
    pictures: Sequence[Image.Image], columns: int, lines: int, method: Method, identity: int = 1
) -> Shown:
    """Return a grid of the first pictures, in reading order, within the given room.

    At most 6 rows of 10 pictures are shown; of large pictures fewer, so that each can be seen.

    Args:
        pictures: RGB pictures of one size, at least one.
        columns: the most columns of text.
        lines: the most lines of text.
        method: how the terminal shows pictures.
        identity: for kitty, the number of the picture, which replaces an earlier one of that
            number.
    """
    if method == "half_blocks":
        text: list[str] = []
        for cells in _CELLS:
            layout = _layout(pictures, (columns, 2 * lines), 2 * cells, gap=1, sides=(0.4, 11, 36))
            text = half_blocks(_grid(pictures, layout, gap=1)) if layout else []
            if sum(len(line.encode()) + 1 for line in text) <= _FRAME:
                break
        return Shown(tuple(text))
    forget = f"\x1b_Ga=d,d=I,i={identity},q=2\x1b\\" if method == "kitty" else ""
    room, gap = (columns * _CELL[0], lines * _CELL[1]), 2
    layout = _layout(pictures, room, room[0] * room[1], gap, sides=(2, 54, 160))
    if layout is None:
        return Shown(overlay=forget)
    taken = [-(-pixels // cell) for pixels, cell in zip(layout.size(gap), _CELL, strict=True)]
    sent = _grid(pictures, layout.reduced(pictures[0].height), gap=1)
    png = io.BytesIO()
    sent.save(png, "PNG")
    data = base64.standard_b64encode(png.getvalue()).decode()
    if method == "kitty":
        overlay = forget + _kitty(data, *taken, identity)
    else:
        overlay = (
            f"\x1b]1337;File=inline=1;size={len(png.getvalue())};width={taken[0]};"
            f"height={taken[1]};preserveAspectRatio=0:{data}\x1b\\"
        )
    return Shown(("",) * taken[1], overlay)


def half_blocks(picture: Image.Image) -> list[str]:
    """Return lines that draw an RGB picture; one character shows two pixels, one above the other.

    Each character is ▀, whose foreground has the colour of the upper pixel and whose background
    has that of the lower one. Below a last line of pixels without a partner, the terminal's own
    background stays.
    """
    width, height = picture.size
    pixels = list(zip(*[iter(picture.tobytes())] * 3, strict=True))
    lines = []
    for start in range(0, width * height, 2 * width):
        text, before = [], (None, None)
        upper, lower = pixels[start : start + width], pixels[start + width : start + 2 * width]
        for pair in zip_longest(upper, lower):
            codes = [
                f"{kind};2;{colour[0]};{colour[1]};{colour[2]}"
                for kind, colour, old in zip((38, 48), pair, before, strict=True)
                if colour != old
            ]
            text.append(f"\x1b[{';'.join(codes)}m▀" if codes else "▀")
            before = pair
        lines.append("".join(text) + "\x1b[0m")
    return lines


@dataclass(frozen=True)
class _Layout:
    """A grid of `rows` × `columns` pictures of `width` × `height` pixels."""

    columns: int
    rows: int
    width: int
    height: int

    def size(self, gap: int) -> tuple[int, int]:
        """Return width and height of the grid, with gaps between the pictures."""
        return (
            self.columns * (self.width + gap) - gap,
            self.rows * (self.height + gap) - gap,
        )

    def reduced(self, height: int) -> _Layout:
        """Return the grid with pictures at most `height` pixels high, and at most _PIXELS in all.

        The terminal enlarges them.
        """
        most = (_PIXELS / (self.columns * self.rows) * self.height / self.width) ** 0.5
        new = max(1, min(self.height, height, int(most) - 1))
        width = max(1, round(new * self.width / self.height))
        return _Layout(self.columns, self.rows, width, new)


def _layout(
    pictures: Sequence[Image.Image],
    room: tuple[int, int],
    area: int,
    gap: int,
    sides: tuple[float, int, int],
) -> _Layout | None:
    """Return the grid that shows most, with pictures of about the wanted height; None if none fits.

    Args:
        pictures: the pictures, of one size.
        room: the largest width and height in pixels.
        area: the most pixels.
        gap: pixels between pictures.
        sides: the wanted height: a factor of the pictures' own height, its least and its most.
    """
    aspect = pictures[0].width / pictures[0].height
    factor, least, most = sides
    wanted = min(max(factor * pictures[0].height, least), most)
    best, best_value = None, 0.0
    for height in range(1, room[1] + 1):
        width = max(1, round(height * aspect))
        most_in_all = min(len(pictures), area // ((width + gap) * (height + gap)))
        columns = min(_COLUMNS, (room[0] + gap) // (width + gap), most_in_all)
        if not columns:
            break
        rows = min(_ROWS, (room[1] + gap) // (height + gap), most_in_all // columns)
        value = columns * rows * width * height * min(height / wanted, wanted / height)
        if value > best_value:
            best, best_value = _Layout(columns, rows, width, height), value
    return best


def _grid(pictures: Sequence[Image.Image], layout: _Layout, gap: int) -> Image.Image:
    """Return the pictures side by side on black, resized to the layout."""
    grid = Image.new("RGB", layout.size(gap))
    for index, picture in enumerate(pictures[: layout.columns * layout.rows]):
        row, column = divmod(index, layout.columns)
        small = picture.resize((layout.width, layout.height), Image.Resampling.LANCZOS)
        grid.paste(small, (column * (layout.width + gap), row * (layout.height + gap)))
    return grid


def _kitty(data: str, columns: int, lines: int, identity: int) -> str:
    """Return the sequences that send a PNG in base64 and show it, without moving the cursor."""
    settings = f"a=T,f=100,i={identity},p=1,c={columns},r={lines},C=1,q=2,"
    parts = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    texts = []
    for number, part in enumerate(parts, 1):
        has_more = int(number < len(parts))
        texts.append(f"\x1b_G{settings if number == 1 else ''}m={has_more};{part}\x1b\\")
    return "".join(texts)
