"""Pictures as terminal text."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from rich.cells import cell_len

from ganlab.modalities.grid import beside, thumbnails
from ganlab.modalities.terminal import SIDE, half_blocks, picture_method, shown


def noise(width, height, seed=0):
    pixels = np.random.default_rng(seed).integers(100, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def pixels_of(lines):
    """Return the pixels that lines of half-blocks show: {(x, y): colour}."""
    pixels = {}
    for y, line in enumerate(lines):
        colours, x = {"38": None, "48": None}, 0
        for codes, block in re.findall(r"\x1b\[([0-9;]*)m|(▀)", line):
            for kind, *colour in re.findall(r"([34]8);2;(\d+);(\d+);(\d+)", codes):
                colours[kind] = tuple(map(int, colour))
            if block:
                pixels[x, 2 * y], pixels[x, 2 * y + 1] = colours.values()
                x += 1
        assert line.endswith("\x1b[0m")
    return {place: colour for place, colour in pixels.items() if colour is not None}


@pytest.mark.parametrize("size", [(1, 1), (7, 4), (5, 3)])
def test_half_blocks_show_the_colour_of_each_pixel(size):
    picture = noise(*size)
    picture.paste((9, 9, 9), (0, 0, size[0], 1))  # equal neighbours, whose colour is sent once
    expected = {(x, y): picture.getpixel((x, y)) for x in range(size[0]) for y in range(size[1])}
    assert pixels_of(half_blocks(picture)) == expected


@pytest.mark.parametrize("size", [(28, 28), (64, 64), (3 * SIDE, SIDE), (8, 8)])
def test_half_blocks_fit_into_the_room_and_into_40_kilobytes(size):
    pictures = [noise(*size, seed) for seed in range(12)]
    for columns in [*range(1, 30), 79, 119, 200]:
        for lines in (1, 12, 60):
            text = shown(pictures, columns, lines, "half_blocks").lines
            assert len(text) <= lines
            assert all(cell_len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= columns for line in text)
            assert len("\n".join(text).encode()) <= 40_000


def test_small_samples_are_many_and_large_samples_few():
    digits = [noise(28, 28)] * 60
    text = shown(digits, 79, 12, "half_blocks").lines
    colours = pixels_of(text)
    black = {x for x in range(71) if all(colours.get((x, y)) == (0, 0, 0) for y in range(22))}
    assert black == {11, 23, 35, 47, 59}  # the gaps between six columns
    wide = shown([noise(SIDE, SIDE)] * 60, 79, 12, "half_blocks").lines
    assert len(wide) == 12
    assert max(x for x, _ in pixels_of(wide)) < 3 * 25


def sent(overlay):
    return Image.open(io.BytesIO(base64.b64decode(overlay)))


def test_kitty_gets_a_png_in_chunks():
    text = shown([noise(64, 64, seed) for seed in range(60)], 100, 20, "kitty", identity=5)
    forget, first, *rest = re.findall(r"\x1b_G(.*?)\x1b\\", text.overlay)
    assert forget == "a=d,d=I,i=5,q=2"  # the picture of the same number before it
    chunks = [chunk.partition(";")[::2] for chunk in (first, *rest)]
    settings = dict(pair.split("=") for pair in chunks[0][0].split(","))
    assert settings["i"] == "5"
    assert int(settings["r"]) == len(text.lines) <= 20
    assert int(settings["c"]) <= 100
    assert not any(text.lines)
    assert all(len(data) <= 4096 for _, data in chunks)
    assert [keys[-3:] for keys, _ in chunks] == ["m=1"] * (len(chunks) - 1) + ["m=0"]
    picture = sent("".join(data for _, data in chunks))
    assert picture.width * picture.height <= 120_000


def test_iterm2_gets_the_same_png():
    pictures = [noise(64, 64, seed) for seed in range(60)]
    text = shown(pictures, 100, 20, "iterm2")
    pattern = r"\x1b]1337;File=inline=1;size=(\d+);width=(\d+);height=(\d+);.*:(.*)\x1b\\"
    size, columns, lines, data = re.fullmatch(pattern, text.overlay).groups()
    assert int(size) == len(base64.b64decode(data))
    assert (int(columns) <= 100, int(lines)) == (True, len(text.lines))
    assert sent(data).size[0] > 300


@pytest.mark.parametrize(
    ("environment", "method"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1", "TERM_PROGRAM": "vscode"}, None),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "half_blocks"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "tmux-256color", "LC_TERMINAL": "iTerm2"}, None),
        ({"TERM": "xterm-kitty", "TMUX": "x", "COLORTERM": "24bit"}, "half_blocks"),
    ],
)
def test_method_follows_the_environment(environment, method):
    assert picture_method(environment) == method


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_thumbnails_are_small_rgb_pictures(channels):
    small = thumbnails(torch.zeros(70, channels, 512, 256))
    assert {(picture.mode, picture.size) for picture in small} == {("RGB", (SIDE // 2, SIDE))}
    assert len(small) == 60
    joined = beside([small, small[:3]])
    assert [picture.size for picture in joined] == [(SIDE, SIDE)] * 3
