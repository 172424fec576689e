"""Decoding of picture files in all formats and modes, which the tests make."""

import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from ganlab.data.readers.decoding import CorruptImageError, Decoder
from ganlab.errors import ConfigError


def _pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _chw(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _png(path, samples, colour, bits=16, extra=b""):
    """Write a PNG without Pillow, which does not support writing 16-bit colour."""
    height, width = samples.shape[:2]
    dtype = ">u2" if bits == 16 else "u1"
    lines = b"".join(b"\0" + line.astype(dtype).tobytes() for line in samples)

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp", "ppm"])
def test_lossless_files_decode_to_the_written_pixels(tmp_path, ending):
    pixels = _pixels(7, 5, 3)
    path = tmp_path / f"ä picture.{ending}"
    Image.fromarray(pixels).save(path, **({"lossless": True} if ending == "webp" else {}))
    assert torch.equal(Decoder()(path), _chw(pixels))
    assert Decoder().head(path) == (7, 5, False)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_grey_decodes_to_any_number_of_channels(tmp_path, channels):
    grey = _pixels(6, 4)
    Image.fromarray(grey).save(tmp_path / "a.png")
    decoded = Decoder(channels)(tmp_path / "a.png")
    assert decoded.shape == (channels, 6, 4)
    colours = channels - (channels % 2 == 0)
    assert torch.equal(decoded[:colours], torch.from_numpy(grey).expand(colours, -1, -1))
    assert (decoded[colours:] == 255).all(), "opaque"
    assert Decoder().head(tmp_path / "a.png")[2]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "webp"])
@pytest.mark.parametrize("bits", [8, 16])
def test_every_orientation_decodes_upright(tmp_path, orientation, ending, bits):
    """A picture that is stored in any of the eight orientations decodes to the same pixels.

    EXIF 2.3: the value says where row 0 and column 0 of the stored pixels are in the picture.
    """
    if bits == 16 and ending in ("jpg", "webp"):
        pytest.skip("the format has no 16-bit pixels")
    upright = np.kron(np.array([[0, 60, 120], [180, 240, 30]], dtype=np.uint8), np.ones((16, 16)))
    stored = upright.astype(np.uint8)
    if orientation in (5, 6, 7, 8):
        stored = stored.T
    stored = stored[:, ::-1] if orientation in (2, 3, 7, 8) else stored
    stored = stored[::-1] if orientation in (3, 4, 6, 7) else stored
    stored = np.ascontiguousarray(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{ending}"
    picture = Image.fromarray(stored.astype(np.uint16) * 257 if bits == 16 else stored)
    picture.save(path, exif=exif, **({"lossless": True} if ending == "webp" else {}))
    decoder = Decoder(1)
    assert (decoder(path)[0].int() - torch.from_numpy(upright)).abs().max() <= 3
    assert decoder.head(path)[:2] == (32, 48)


def test_sixteen_bit_colour_keeps_its_higher_byte(tmp_path):
    samples = np.arange(60, dtype=np.uint16).reshape(4, 5, 3) * 1000
    _png(tmp_path / "a.png", samples, 2)
    assert torch.equal(Decoder()(tmp_path / "a.png"), _chw((samples >> 8).astype(np.uint8)))


def test_sixteen_bit_grey_is_rounded_and_may_have_a_transparent_value(tmp_path):
    samples = np.array([[0, 128, 129, 257 * 100, 65_535]], dtype=np.uint16)
    _png(tmp_path / "a.png", samples, 0)
    assert Decoder(1)(tmp_path / "a.png").flatten().tolist() == [0, 0, 1, 100, 255]
    name = b"tRNS" + struct.pack(">H", 257 * 100)
    transparent = struct.pack(">I", 2) + name + struct.pack(">I", zlib.crc32(name))
    _png(tmp_path / "b.png", samples, 0, extra=transparent)
    assert Decoder(1)(tmp_path / "b.png").flatten().tolist() == [0, 0, 1, 255, 255]
    assert Decoder(2)(tmp_path / "b.png")[1].flatten().tolist() == [255, 255, 255, 0, 255]


def test_transparency_is_composed_or_kept(tmp_path):
    """Each colour c of opacity a on background b becomes a c + (1 - a) b, rounded."""
    pixels = _pixels(9, 8, 4)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert torch.equal(Decoder(4)(tmp_path / "a.png"), _chw(pixels))
    for background, rgb in (("white", 255), ("black", 0), ("#404040", 64)):
        alpha = pixels[..., 3:] / 255
        want = pixels[..., :3] * alpha + rgb * (1 - alpha)
        got = Decoder(3, background)(tmp_path / "a.png")
        assert (got - torch.from_numpy(want).permute(2, 0, 1)).abs().max() <= 1.5
    grey = np.stack([np.full((3, 3), 10), np.full((3, 3), 0)], 2).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "g.png")
    assert (Decoder(1)(tmp_path / "g.png") == 255).all()
    assert torch.equal(Decoder(2)(tmp_path / "g.png"), _chw(grey))


def test_a_palette_with_transparency(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "a.png", transparency=1)
    picture.save(tmp_path / "b.png")
    assert Decoder()(tmp_path / "a.png").permute(1, 2, 0).tolist() == [[[255, 0, 0], [255] * 3]]
    assert Decoder()(tmp_path / "b.png").permute(1, 2, 0).tolist() == [[[255, 0, 0], [0, 255, 0]]]
    assert Decoder(4)(tmp_path / "a.png")[3].tolist() == [[255, 0]]


def test_cmyk_becomes_rgb(tmp_path):
    """Each picture has one ink alone: cyan, magenta, yellow or black."""
    for ink, rgb in enumerate([(0, 255, 255), (255, 0, 255), (255, 255, 0), (0, 0, 0)]):
        inks = [0] * 4
        inks[ink] = 255
        Image.new("CMYK", (8, 8), tuple(inks)).save(tmp_path / "a.jpg", quality=100)
        got = Decoder()(tmp_path / "a.jpg").flatten(1).float().mean(1)
        assert (got - torch.tensor(rgb)).abs().max() < 3


def test_the_first_of_several_frames_is_read(tmp_path):
    frames = [Image.fromarray(_pixels(5, 5, 3, seed=seed)) for seed in range(3)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    assert torch.equal(Decoder()(tmp_path / "a.tif"), _chw(np.array(frames[0])))


@pytest.mark.parametrize("side", [30_000, 10_000, 65_535])
def test_decompression_bombs_are_refused_by_their_header(tmp_path, side):
    """A file of 67 bytes states 100 or more megapixels, for which Pillow alone warns or raises."""
    _png(tmp_path / "a.png", np.zeros((1, 1), dtype=np.uint8), 0, bits=8)
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    (tmp_path / "a.png").write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for read in (Decoder(), Decoder().head):
            with pytest.raises(CorruptImageError, match=r"a\.png: it states .* max_pixels"):
                read(tmp_path / "a.png")


def test_the_limit_is_a_setting(tmp_path):
    Image.fromarray(_pixels(10, 10)).save(tmp_path / "a.png")
    assert Decoder(1, max_pixels=100)(tmp_path / "a.png").shape == (1, 10, 10)
    with pytest.raises(CorruptImageError, match="10×10 pixels, more than max_pixels=99"):
        Decoder(1, max_pixels=99)(tmp_path / "a.png")


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "bmp"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.9])
def test_truncated_files_are_named(tmp_path, ending, kept):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(_pixels(64, 64, 3)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(CorruptImageError) as caught:
        Decoder()(path)
    assert str(caught.value) == f"{path}: {caught.value.reason}"
    assert "\n" not in caught.value.reason


def test_missing_and_float_files_are_named(tmp_path):
    with pytest.raises(CorruptImageError, match=r"a\.png: No such file or directory"):
        Decoder()(tmp_path / "a.png")
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(CorruptImageError, match="not whole numbers"):
        Decoder()(tmp_path / "f.tif")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 5}, "data.channels: received 5; allowed 1, 2, 3, 4"),
        ({"background": "whiteish"}, "data.background: received 'whiteish'"),
        ({"background": 7}, "data.background: received 7"),
        ({"max_pixels": 0}, "data.max_pixels: received 0"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ConfigError) as caught:
        Decoder(**arguments)
    assert message in str(caught.value)
