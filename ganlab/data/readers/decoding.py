"""The decoder that turns all picture files into pixels."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image, ImageColor, UnidentifiedImageError
from torch import Tensor

from ganlab.data.checks import check_integer
from ganlab.errors import ConfigError, DataError, one_of

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MAX_PIXELS = 2**26  # 8192×8192
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM", "GIF")  # allowed for any file ending
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # Pillow's mode by the number of channels
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's grey modes
_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = {  # for each value of the tag, the transposition that turns the picture upright
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_LIMIT_LOCK = threading.Lock()  # held while Pillow's global limit on pixels is lifted


class CorruptImageError(DataError):
    """A file that cannot be decoded.

    Attributes:
        path: the file.
        reason: why it cannot be decoded, in short.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


class Decoder:
    """A decoder of picture files: uint8 pixels, upright, in a given number of channels.

    Formats are PNG, JPEG, WebP, BMP, TIFF, PPM and GIF, recognised by a file's contents. Only the
    first of several frames is read. Palettes and CMYK become RGB. 16-bit grey is scaled to 8 bits
    and rounded (65,535 becomes 255); of 16-bit colour, Pillow keeps the higher byte. EXIF's
    orientation is applied.

    Args:
        channels: 1 for grey (luma), 2 for grey and alpha, 3 for RGB, 4 for RGB and alpha.
        background: the colour that transparent pixels are composed onto if `channels` is 1 or 3; a
            name or "#rrggbb".
        max_pixels: files whose header states more pixels are refused before they are decoded.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    def __init__(
        self, channels: int = 3, background: str = "white", max_pixels: int = MAX_PIXELS
    ) -> None:
        one_of("data.channels", channels, tuple(MODES))
        self.channels = channels
        self.max_pixels = check_integer("max_pixels", max_pixels, 1)
        try:
            self.background = ImageColor.getrgb(background)[:3]
        except (ValueError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"data.background: received {background!r}; needs a colour's name, such as white "
                "or black, or '#rrggbb'. Set data.background=…."
            ) from error

    @property
    def settings(self) -> dict[str, Any]:
        """All settings that affect the pixels or refuse files; they are part of a cache's key."""
        return {
            "channels": self.channels,
            "background": list(self.background),
            "max_pixels": self.max_pixels,
        }

    def __call__(self, path: Path) -> Tensor:
        """Return the pixels of a file: uint8 (channels, H, W) in [0, 255].

        Raises:
            CorruptImageError: if the file cannot be decoded, or states too many pixels.
        """
        return to_tensor(self.picture(path))

    def picture(self, path: Path) -> Image.Image:
        """Return a file's picture as a Pillow image of mode L, LA, RGB or RGBA.

        Raises:
            CorruptImageError: if the file cannot be decoded, or states too many pixels.
        """
        try:
            with Path(path).open("rb") as file, _open(file, self.max_pixels) as picture:
                picture.load()
                return self._convert(_turn_upright(_to_eight_bits(picture), _orientation(picture)))
        except Exception as error:  # Pillow raises many types of errors for damaged files
            raise _corrupt(path, error) from error

    def head(self, path: Path) -> tuple[int, int, bool]:
        """Return the height, the width, and whether the picture is grey, from the header alone.

        Raises:
            CorruptImageError: if the header cannot be read, or states too many pixels.
        """
        try:
            with Path(path).open("rb") as file, _open(file, self.max_pixels) as picture:
                width, height = picture.size
                if picture.format == "TIFF":  # some versions of Pillow give the upright size
                    width, height = picture.tag_v2[256], picture.tag_v2[257]
                if _orientation(picture) >= 5:
                    width, height = height, width
                return height, width, picture.mode in _GREY
        except Exception as error:
            raise _corrupt(path, error) from error

    def _convert(self, picture: Image.Image) -> Image.Image:
        has_alpha = picture.mode in ("LA", "La", "PA", "RGBA", "RGBa")
        if has_alpha or "transparency" in picture.info:
            if picture.mode == "La":
                picture = picture.convert("LA")
            picture = picture.convert("RGBA")
            if self.channels in (1, 3):
                canvas = Image.new("RGBA", picture.size, (*self.background, 255))
                picture = Image.alpha_composite(canvas, picture)
        elif picture.mode not in ("1", "L", "RGB"):
            picture = picture.convert("RGB")
        mode = MODES[self.channels]
        return picture if picture.mode == mode else picture.convert(mode)


def to_tensor(picture: Image.Image) -> Tensor:
    """Return the pixels of an 8-bit Pillow image: uint8 (C, H, W)."""
    pixels = torch.from_numpy(np.array(picture))
    return pixels.unsqueeze(0) if pixels.dim() == 2 else pixels.permute(2, 0, 1)


def _open(file: BinaryIO, max_pixels: int) -> Image.Image:
    """Open an image and read its header.

    Pillow's own limit, which warns or raises, is lifted while Pillow reads the header. Pillow gets
    an open file and not a path: from a path, it would memory-map an uncompressed TIFF and scramble
    the picture when turning it.

    Raises:
        ValueError: if the header states more than `max_pixels`.
    """
    with _LIMIT_LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            picture = Image.open(file, formats=_FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    width, height = picture.size
    if width * height > max_pixels:
        picture.close()
        raise ValueError(
            f"it states {width}×{height} pixels, more than max_pixels={max_pixels:,} allows"
        )
    return picture


def _orientation(picture: Image.Image) -> int:
    """Return EXIF's orientation, 1 to 8. (A PNG's own getexif would decode the whole picture.)"""
    try:
        return int(Image.Image.getexif(picture).get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data; the pixels may be intact
        return 1


def _turn_upright(picture: Image.Image, orientation: int) -> Image.Image:
    if orientation not in _UPRIGHT:
        return picture
    return picture.transpose(Image.Transpose[_UPRIGHT[orientation]])


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """Return 16-bit grey scaled to 8 bits and rounded, and images of 8 bits unchanged.

    Raises:
        ValueError: if values are not integers or need more than 16 bits.
    """
    if picture.mode == "F":
        raise ValueError("its values are not whole numbers; save it with 8 or 16 bits")
    if not picture.mode.startswith("I"):
        return picture

    pixels = np.array(picture)
    if pixels.min() < 0 or pixels.max() > 65_535:
        raise ValueError("its values are not within 16 bits")
    scaled = ((pixels.astype("int64") + 128) // 257).astype("uint8")
    transparent = picture.info.get("transparency")  # a single grey value
    if isinstance(transparent, int):
        alpha = np.where(pixels == transparent, 0, 255).astype("uint8")
        scaled = np.stack([scaled, alpha], axis=2)
    return Image.fromarray(scaled)


def _corrupt(path: Path, error: Exception) -> CorruptImageError:
    if isinstance(error, UnidentifiedImageError):
        reason = "no format that Pillow knows"
    elif isinstance(error, OSError) and error.strerror:
        reason = error.strerror
    else:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CorruptImageError(path, reason)
