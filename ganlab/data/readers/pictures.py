"""Loading picture files: decoded and resized once, then memory-mapped from a cache."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from ganlab.data.readers.decoding import ENDINGS, CorruptImageError, Decoder, to_tensor
from ganlab.data.readers.picture_cache import PictureCache
from ganlab.data.readers.threads import in_threads
from ganlab.errors import DataError, first_few, one_of

FITS = ("crop", "stretch", "none")
_NAMED = 10  # a message names at most this many files or sizes
_REMEDY = (
    "All must have one size: set data.fit=crop to scale and crop them, or data.fit=stretch to "
    "change their aspect ratio."
)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pictures:
    """Pictures of one size.

    Attributes:
        images: uint8 (N, C, H, W) in [0, 255]; writing to them does not change the cache.
        paths: the N files in the given order, without skipped files.
    """

    images: Tensor
    paths: list[Path]


def load_pictures(
    paths: Sequence[Path],
    *,
    root: Path,
    size: tuple[int, int] | int | None,
    fit: str,
    decoder: Decoder,
    cache: str = "disk",
    skip_corrupt: bool = False,
    title: str,
    crop: int | None = None,
    resample: str = "bicubic",
) -> Pictures:
    """Return pictures decoded and resized to one size, in threads; a disk cache keeps them.

    The cache lies in the user's cache folder. The key of its entries is a hash of the files'
    contents and of all settings, so changed files are decoded again, but moved or renamed files are
    not. If several processes need an entry, one process builds it and the others wait. If the disk
    is full or cannot be written to, memory is used, after a warning.

    Args:
        paths: the files, under `root`.
        root: the folder that paths in messages are relative to.
        size: (height, width), or the side of a square; None for the files' size (`fit="none"`).
        fit: "crop" scales a picture until it covers `size` and keeps the middle; "stretch" changes
            the aspect ratio; "none" requires that all files have one size: `size` if it is given.
        decoder: the decoder of the files.
        cache: "disk" or "memory".
        skip_corrupt: whether files that cannot be decoded are skipped with a warning.
        title: the name of the pictures on the progress bar and in messages.
        crop: side in pixels of the middle square that is cut out before resizing; None for no cut.
        resample: Pillow's filter, "bicubic" or "bilinear"; both are antialiased.

    Raises:
        ConfigError: for a value that is not allowed.
        DataError: if there are no files, if no file can be decoded, if some cannot be decoded and
            `skip_corrupt` is false, or if sizes differ with `fit="none"`.
    """
    one_of("data.fit", fit, FITS)
    one_of("data.cache", cache, ("disk", "memory"))
    one_of("data.resample", resample, ("bicubic", "bilinear"))
    if not paths:
        raise DataError(f"{title}: there are no pictures to load in {root}.")
    wanted = (size, size) if isinstance(size, int) else size
    fit = "none" if wanted is None else fit

    def shape() -> tuple[int, ...]:
        size = wanted
        if fit == "none":
            size = _common_size(paths, root, decoder, skip_corrupt, crop)
            _check_size(root, size, wanted)
        return (decoder.channels, *size)

    def pixels(chosen: Sequence[Path], shape: tuple[int, ...]) -> Iterator[Tensor | str]:
        prepare = partial(
            _prepare, decoder=decoder, size=shape[1:], fit=fit, crop=crop, resample=resample
        )
        return in_threads(prepare, chosen, f"Preparing {title}")

    built = None
    if cache == "disk":
        settings = {"size": wanted, "fit": fit, "crop": crop, "resample": resample}
        if fit == "none":
            settings["size"] = settings["resample"] = None
        entry = PictureCache(paths, root, {**decoder.settings, **settings}, title)
        built = entry.get(shape, pixels, skip_corrupt)
    if built is None:
        chw = shape()
        built = _into_memory(chw, pixels(paths, chw), len(paths))
    images, broken = built
    if broken:
        report_corrupt(
            root, {paths[row]: why for row, why in broken.items()}, len(paths), skip_corrupt
        )
    if fit == "none":
        _check_size(root, tuple(images.shape[2:]), wanted)
    return Pictures(images, [path for row, path in enumerate(paths) if row not in broken])


def list_pictures(folder: Path) -> list[Path]:
    """Return the sorted files below a folder that end in one of `ENDINGS`, in any case.

    Hidden files and folders are left out, as is the folder __MACOSX that macOS adds to archives.
    Links are followed, except to a folder that the link lies in.
    """
    pictures: list[Path] = []
    walked: dict[str, frozenset[str]] = {}  # the real paths of a folder and its ancestors
    for current, folders, files in os.walk(folder, followlinks=True):
        real, above = os.path.realpath(current), walked.get(os.path.dirname(current), frozenset())
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        if real in above:  # following a link to an ancestor would never end
            folders.clear()
            continue
        walked[current] = above | {real}
        visible = (name for name in files if not name.startswith("."))
        pictures += [Path(current, name) for name in visible if name.lower().endswith(ENDINGS)]
    return sorted(pictures, key=lambda path: path.parts)


def report_corrupt(
    folder: Path,
    broken: dict[Path, str],
    total: int,
    skip: bool,
    option: str = "data.skip_corrupt=true",
) -> None:
    """Raise the error for files that cannot be decoded, or warn if they are skipped.

    Args:
        folder: the folder of the files.
        broken: maps the path of each broken file to the reason; not empty.
        total: the number of all files.
        skip: whether broken files may be skipped.
        option: the setting that skips broken files, for the message.

    Raises:
        DataError: unless broken files may be skipped and at least one file is not broken.
    """
    reasons = (f"{relative(path, folder)}: {why}" for path, why in sorted(broken.items()))
    listed = "  " + first_few(reasons, between="\n  ")
    what = f"{len(broken):,} of {total:,} images in {folder} cannot be used"
    if skip and len(broken) < total:
        _LOG.warning("%s and are skipped:\n%s", what, listed)
        return
    remedy = "No image is left." if skip else f"Mend or remove them, or set {option}."
    raise DataError(f"{what}:\n{listed}\n{remedy}")


def list_sizes(folder: Path, sizes: Iterable[tuple[Path, tuple[int, int]]]) -> str | None:
    """Return lines that list the commonest sizes, with a file of each; None if all are equal."""
    sizes = list(sizes)
    counts = Counter(size for _, size in sizes)
    if len(counts) == 1:
        return None
    examples = {size: path for path, size in reversed(sizes)}
    lines = [
        f"  {width}×{height}: {count:,}, such as {relative(examples[height, width], folder)}"
        for (height, width), count in counts.most_common(_NAMED)
    ]
    if len(counts) > _NAMED:
        lines.append(f"  … and {len(counts) - _NAMED:,} more sizes")
    return f"{folder} holds images of {len(counts)} sizes (width×height):\n" + "\n".join(lines)


def relative(path: Path, folder: Path) -> Path:
    """Return a path relative to a folder; return it unchanged if it lies outside the folder."""
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _common_size(
    paths: Sequence[Path], root: Path, decoder: Decoder, skip: bool, crop: int | None
) -> tuple[int, int]:
    """Return the (height, width) in all files' headers, or (crop, crop) if `crop` is given."""

    def size_or_reason(path: Path) -> tuple[int, int] | str:
        try:
            return decoder.head(path)[:2]
        except CorruptImageError as error:
            return error.reason

    heads = list(zip(paths, in_threads(size_or_reason, paths, "Looking at images"), strict=True))
    broken = {path: head for path, head in heads if isinstance(head, str)}
    if len(broken) == len(paths) or (broken and not skip):
        report_corrupt(root, broken, len(paths), skip)
    sizes = [(path, head) for path, head in heads if path not in broken]
    if differing := list_sizes(root, sizes):
        raise DataError(f"{differing}\n{_REMEDY}")
    return (crop, crop) if crop else sizes[0][1]


def _check_size(root: Path, found: tuple[int, int], wanted: tuple[int, int] | None) -> None:
    if wanted not in (None, found):
        keep = f" Or keep their size: data.size={found[0]}." if found[0] == found[1] else ""
        raise DataError(
            f"{root} holds images of {found[1]}×{found[0]} pixels (width×height), but {wanted[1]}×"
            f"{wanted[0]} are asked for.\n{_REMEDY}{keep}"
        )


def _prepare(
    path: Path, decoder: Decoder, size: tuple[int, int], fit: str, crop: int | None, resample: str
) -> Tensor | str:
    """Return a file's pixels, or the reason why the file cannot be used."""
    try:
        return to_tensor(_fit(decoder.picture(path), size, fit, crop, resample))
    except CorruptImageError as error:
        return error.reason
    except ValueError as error:
        return str(error)


def _fit(picture: Image, size: tuple[int, int], fit: str, crop: int | None, resample: str) -> Image:
    """Return a picture cropped and resized to `size`, (height, width)."""
    from PIL import Image

    if crop is not None:
        width, height = picture.size
        if min(width, height) < crop:
            raise ValueError(f"it is {width}×{height} pixels, less than data.crop={crop}")
        left, top = (width - crop) // 2, (height - crop) // 2
        picture = picture.crop((left, top, left + crop, top + crop))
    width, height = picture.size
    if (height, width) == size:
        return picture
    if fit == "none":
        raise ValueError("its header states another size than its pixels have")
    resampling = Image.Resampling[resample.upper()]
    if fit == "stretch":
        return picture.resize(size[::-1], resampling)
    scale = min(height / size[0], width / size[1])
    kept_x, kept_y = scale * size[1], scale * size[0]
    # integers, so that at scale 1 pixels are copied and not interpolated
    left, top = int((width - kept_x) / 2), int((height - kept_y) / 2)
    box = (left, top, left + kept_x, top + kept_y)
    return picture.resize(size[::-1], resampling, box=box)


def _into_memory(
    shape: tuple[int, ...], prepared: Iterator[Tensor | str], n: int
) -> tuple[Tensor, dict[int, str]]:
    """Return the images, and a dict that maps the row of each broken file to the reason."""
    images, broken, kept = torch.empty(n, *shape, dtype=torch.uint8), {}, 0
    for row, pixels in enumerate(prepared):
        if isinstance(pixels, str):
            broken[row] = pixels
        else:
            images[kept] = pixels
            kept += 1
    return images[:kept], broken
