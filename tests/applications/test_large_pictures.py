"""Pictures of any size through a network, whole and in tiles."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from ganlab.applications import save_picture, save_sheet, translate_picture
from ganlab.applications.large_pictures import LARGE, _windows
from ganlab.data.readers.decoding import Decoder
from ganlab.errors import ConfigError
from ganlab.metrics.memory import PeakMemory


def picture(height, width, channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (channels, height, width)
    return torch.randint(256, shape, generator=generator, dtype=torch.uint8)


class Recorder:
    """An identity network that records the shapes of its inputs."""

    def __init__(self):
        self.shapes = []

    def __call__(self, x):
        self.shapes.append(tuple(x.shape))
        return x


@pytest.mark.parametrize(
    ("length", "tile", "overlap"),
    [
        (100, 32, 0),
        (100, 32, 1),
        (100, 32, 8),
        (100, 32, 16),
        (33, 32, 8),
        (32, 32, 8),
        (97, 40, 20),
    ],
)
def test_windows_cover_the_axis_and_add_up_to_one(length, tile, overlap):
    """Weights add up to one, neighbours share at least the overlap, and no tile sticks out."""
    windows = _windows(length, tile, overlap)
    total = torch.zeros(length, dtype=torch.float64)
    for start, weights in windows:
        assert 0 <= start <= length - tile
        assert weights.min() >= 0
        total[start : start + tile] += weights.double()
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-6)
    starts = [start for start, _ in windows]
    assert all(b - a <= tile - overlap for a, b in pairwise(starts))
    assert len(starts) == max(1, -(-(length - overlap) // (tile - overlap)))  # no more than needed


def test_windows_are_smooth():
    """Weights change across a seam as sin² over 32 pixels, by at most π/64 per pixel."""
    (_, first), _ = _windows(448, 256, 64)
    assert first.diff().abs().max() <= 1.01 * torch.pi / 64
    assert first[-16:].max() == 0  # the outer quarter of the overlap


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (40, 40), (70, 101), (200, 130)])
@pytest.mark.parametrize("multiple", [1, 4, 64])
@pytest.mark.parametrize("tile", [None, 64])
def test_identity_returns_the_picture_exactly(size, multiple, tile):
    """Padding and tiles change no byte, and the network's inputs have supported sizes."""
    given, network = picture(*size), Recorder()
    result = translate_picture(network, given, multiple=multiple, tile=tile)
    assert torch.equal(result, given)
    for n, channels, height, width in network.shapes:
        assert n == 1
        assert channels == 3
        assert height % multiple == width % multiple == 0
        assert min(height, width) >= 32
        assert tile is None or max(height, width) <= tile


def test_tiles_of_a_convolution_agree_with_the_whole():
    """A 9×9 kernel reaches 4 pixels, a quarter of the overlap of 16: there is no seam."""
    kernel = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(1)) / 9

    def network(x):
        return F.conv2d(x, kernel, padding=4)

    given = picture(150, 211)
    whole = translate_picture(network, given)
    tiled = translate_picture(network, given, tile=64, overlap=16)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1)
    seams = translate_picture(network, given, tile=64, overlap=8)
    assert (seams.int() - whole.int()).abs().max() > 2  # too small an overlap makes seams


def test_padding_reflects_or_repeats_the_border():
    """40 columns are padded by reflecting 12 on either side; 2 columns by repeating the border."""
    seen = []
    given = picture(32, 40).float() / 127.5 - 1
    translate_picture(lambda x: seen.append(x) or x, given, multiple=64)
    expected = F.pad(given.unsqueeze(0), (12, 12, 16, 16), mode="reflect")
    torch.testing.assert_close(seen[0], expected, rtol=0, atol=0)
    small = picture(32, 2).float()
    translate_picture(lambda x: seen.append(x) or x, small, multiple=32)
    expected = F.pad(small.unsqueeze(0), (15, 15, 0, 0), mode="replicate")
    torch.testing.assert_close(seen[1], expected, rtol=0, atol=0)


def test_large_pictures_are_tiled_by_default():
    """More than 2²⁰ pixels make tiles of 512; the shares of progress add up to 1."""
    for height, tiled in ((1024, False), (1025, True)):
        network, shares = Recorder(), []
        given = torch.zeros(1, height, 1024, dtype=torch.uint8)
        assert (given.numel() > LARGE) is tiled
        translate_picture(network, given, progress=shares.append)
        assert {shape[2:] for shape in network.shapes} == {(512, 512) if tiled else (1024, 1024)}
        assert sum(shares) == pytest.approx(1)


def test_only_a_row_of_tiles_is_blended_at_a_time():
    """Eight times the height takes eight times the memory of inputs and results alone."""
    peaks = []
    for height in (256, 2048):
        given = picture(height, 200)
        with PeakMemory() as peak:
            translate_picture(Recorder(), given, tile=64)
        peaks.append(peak.peak - 2 * given.numel())
    assert peaks[1] < 1.1 * peaks[0]
    with pytest.raises(ConfigError, match=r"row of tiles of 64 .* 1 MiB.*metrics_memory=1MiB"):
        translate_picture(Recorder(), given, tile=64, memory=20 * 3 * 64 * 200 - 1)
    translate_picture(Recorder(), given, tile=64, memory=20 * 3 * 64 * 200)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tile": 100, "multiple": 64}, "64 or 128"),
        ({"tile": 16, "multiple": 4}, "such as 32"),
        ({"tile": 64, "overlap": 33}, "0 … 32"),
    ],
)
def test_unsupported_tiles_and_overlaps_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        translate_picture(Recorder(), picture(200, 200), **options)


def test_networks_that_change_the_size_are_refused():
    with pytest.raises(ConfigError, match=r"turns 64×64 into 32×32 pixels"):
        translate_picture(lambda x: x[:, :, ::2, ::2], picture(64, 64))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_saved_pictures_are_read_back(channels, tmp_path):
    given = picture(9, 7, channels)
    save_picture(given, tmp_path / "x.png")
    assert torch.equal(Decoder(channels)(tmp_path / "x.png"), given)


def test_five_channels_cannot_be_saved(tmp_path):
    with pytest.raises(ConfigError, match="5 channels"):
        save_picture(picture(9, 7, 5), tmp_path / "x.png")


def test_sheet_shows_inputs_above_results(tmp_path):
    """Inputs and results fill their cells, also with unequal sizes and a long name."""
    sizes = {"ü" * 80: (300, 200), "b": (10, 20)}
    pairs = []
    for name, size in sizes.items():
        pair = (tmp_path / f"{name}.png", tmp_path / f"{name}_out.png")
        for path, value in zip(pair, (50, 200), strict=True):
            save_picture(torch.full((3, *size), value, dtype=torch.uint8), path)
        pairs.append(pair)
    save_sheet(pairs, "a_to_b", tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as opened:
        sheet = torch.from_numpy(np.array(opened.convert("L")))
    rows = [((sheet == value).sum(1) > 150).nonzero()[:, 0].tolist() for value in (50, 200)]
    assert rows[0] == list(range(rows[0][0], rows[0][0] + 256))
    assert rows[1][0] - rows[0][0] == 256 + 6  # the taller cell, and the gap
