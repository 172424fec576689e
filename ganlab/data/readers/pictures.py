"""Picture files decoded and resized once, into a cache that is mapped into memory."""

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
from ganlab.errors import DataError, one_of

FITS = ("crop", "stretch", "none")
_NAMED = 10  # files that a message names
_REMEDY = (
    "One size is needed: set data.fit=crop to scale and crop them, or data.fit=stretch to give up "
    "their aspect."
)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pictures:
    """Pictures of one size.

    Attributes:
        images: uint8 (N, C, H, W) in [0, 255]; read-only where it is mapped from the cache.
        paths: of the N files, in the order asked for, without those that were skipped.
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
    """Decode pictures and bring them to one size, in threads; once, if they are cached on disk.

    The cache is in the user's cache folder, keyed by the files' contents and all settings: moved or
    renamed files are not decoded again, changed ones are. Several processes wait for one build.
    Where the disk is full or may not be written to, a warning is given and memory is used.

    Args:
        paths: of the files, under `root`.
        root: what paths are given relative to in messages.
        size: (height, width), or the side of a square; None as with `fit="none"`.
        fit: "crop" scales until the size is covered and keeps the middle, "stretch" gives up the
            aspect, "none" asks that all files have one size, which is `size` unless that is None.
        decoder: turns a file into pixels.
        cache: "disk" or "memory".
        skip_corrupt: leave out files that cannot be decoded, with a warning.
        title: what the pictures are called on the progress bar and in messages.
        crop: keep only the middle square of so many pixels before all else; None for everything.
        resample: Pillow's filter, "bicubic" or "bilinear"; both are antialiased.

    Raises:
        ConfigError: for a value that is not allowed.
        DataError: if there are no files, if some cannot be decoded and may not be skipped, or if
            sizes differ where they must not.
    """
    one_of("data.fit", fit, FITS)
    one_of("data.cache", cache, ("disk", "memory"))
    one_of("data.resample", resample, ("bicubic", "bilinear"))
    if not paths:
        raise DataError(f"{title}: there are no pictures to load in {root}.")
    wanted = (size, size) if isinstance(size, int) else size
    fit = "none" if wanted is None else fit

    def shape() -> tuple[int, ...]:
        side = wanted
        if fit == "none":
            side = _common_size(paths, root, decoder, skip_corrupt, crop)
            _check_size(root, side, wanted)
        return (decoder.channels, *side)

    def pixels(some: Sequence[Path], shape: tuple[int, ...]) -> Iterator[Tensor | str]:
        side = shape[1:]
        work = partial(_prepare, decoder=decoder, side=side, fit=fit, crop=crop, resample=resample)
        return in_threads(work, some, f"Preparing {title}")

    found = None
    if cache == "disk":
        fitted = {"size": wanted, "fit": fit, "crop": crop, "resample": resample}
        if fit == "none":
            fitted["size"] = fitted["resample"] = None
        place = PictureCache(paths, root, {**decoder.settings, **fitted}, title)
        found = place.get(shape, pixels, skip_corrupt)
    if found is None:
        side = shape()
        found = _into_memory(side, pixels(paths, side), len(paths))
    images, broken = found
    if broken:
        report_corrupt(
            root, {paths[row]: why for row, why in broken.items()}, len(paths), skip_corrupt
        )
    if fit == "none":
        _check_size(root, tuple(images.shape[2:]), wanted)
    return Pictures(images, [path for row, path in enumerate(paths) if row not in broken])


def list_pictures(folder: Path) -> list[Path]:
    """Files under a folder that end in one of `ENDINGS`, in any case, sorted by their parts.

    Hidden files and folders are left out, and what a Mac adds to archives; links are followed,
    except to a folder that they lie in.
    """
    found: list[Path] = []
    above: dict[str, frozenset[str]] = {}  # real paths of a folder and of those walked to it
    for place, folders, files in os.walk(folder, followlinks=True):
        real, passed = os.path.realpath(place), above.get(os.path.dirname(place), frozenset())
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        if real in passed:  # a link to a folder above would never end
            folders.clear()
            continue
        above[place] = passed | {real}
        named = (name for name in files if not name.startswith("."))
        found += [Path(place, name) for name in named if name.lower().endswith(ENDINGS)]
    return sorted(found, key=lambda path: path.parts)


def report_corrupt(
    folder: Path,
    broken: dict[Path, str],
    total: int,
    skip: bool,
    option: str = "data.skip_corrupt=true",
) -> None:
    """Raise the error for files that cannot be decoded, or warn where they are skipped.

    Args:
        folder: that they lie in.
        broken: why, by path; not empty.
        total: how many files there were.
        skip: they may be skipped.
        option: the setting that skips them.

    Raises:
        DataError: unless they may be skipped and any other file is left.
    """
    named = [f"  {relative(path, folder)}: {why}" for path, why in sorted(broken.items())]
    more = [f"  … and {len(named) - _NAMED:,} more"] if len(named) > _NAMED else []
    listed = "\n".join(named[:_NAMED] + more)
    what = f"{len(broken):,} of {total:,} images in {folder} cannot be used"
    if skip and len(broken) < total:
        _LOG.warning("%s and are skipped:\n%s", what, listed)
        return
    remedy = "No image is left." if skip else f"Mend or remove them, or set {option}."
    raise DataError(f"{what}:\n{listed}\n{remedy}")


def list_sizes(folder: Path, sizes: Iterable[tuple[Path, tuple[int, int]]]) -> str | None:
    """Lines of the (height, width) that there are, with examples; None if there is only one."""
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
    """A path as seen from a folder, or as it is if it lies elsewhere."""
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _common_size(
    paths: Sequence[Path], root: Path, decoder: Decoder, skip: bool, crop: int | None
) -> tuple[int, int]:
    """The one size that all files have, from their headers."""

    def look(path: Path) -> tuple[int, int] | str:
        try:
            return decoder.head(path)[:2]
        except CorruptImageError as error:
            return error.reason

    heads = list(zip(paths, in_threads(look, paths, "Looking at images"), strict=True))
    broken = {path: head for path, head in heads if isinstance(head, str)}
    if len(broken) == len(paths) or (broken and not skip):
        report_corrupt(root, broken, len(paths), skip)
    sizes = [(path, head) for path, head in heads if path not in broken]
    if differing := list_sizes(root, sizes):
        raise DataError(f"{differing}\n{_REMEDY}")
    return (crop, crop) if crop else sizes[0][1]


def _check_size(root: Path, found: tuple[int, int], wanted: tuple[int, int] | None) -> None:
    if wanted not in (None, found):
        own = f" Or take them as they are: data.size={found[0]}." if found[0] == found[1] else ""
        raise DataError(
            f"{root} holds images of {found[1]}×{found[0]} pixels (width×height), but {wanted[1]}×"
            f"{wanted[0]} are asked for.\n{_REMEDY}{own}"
        )


def _prepare(
    path: Path, decoder: Decoder, side: tuple[int, int], fit: str, crop: int | None, resample: str
) -> Tensor | str:
    """A picture's pixels, or why it has none."""
    try:
        return to_tensor(_fit(decoder.picture(path), side, fit, crop, resample))
    except CorruptImageError as error:
        return error.reason
    except ValueError as error:
        return str(error)


def _fit(picture: Image, side: tuple[int, int], fit: str, crop: int | None, resample: str) -> Image:
    """A picture at (height, width)."""
    from PIL import Image

    if crop is not None:
        width, height = picture.size
        if min(width, height) < crop:
            raise ValueError(f"it is {width}×{height} pixels, less than data.crop={crop}")
        left, top = (width - crop) // 2, (height - crop) // 2
        picture = picture.crop((left, top, left + crop, top + crop))
    width, height = picture.size
    if (height, width) == side:
        return picture
    if fit == "none":
        raise ValueError("its header states another size than its pixels have")
    resampling = Image.Resampling[resample.upper()]
    if fit == "stretch":
        return picture.resize(side[::-1], resampling)
    scale = min(height / side[0], width / side[1])
    kept_x, kept_y = scale * side[1], scale * side[0]
    left, top = int((width - kept_x) / 2), int((height - kept_y) / 2)  # whole: scale 1 copies
    box = (left, top, left + kept_x, top + kept_y)
    return picture.resize(side[::-1], resampling, box=box)


def _into_memory(
    shape: tuple[int, ...], prepared: Iterator[Tensor | str], n: int
) -> tuple[Tensor, dict[int, str]]:
    images, broken, kept = torch.empty(n, *shape, dtype=torch.uint8), {}, 0
    for row, pixels in enumerate(prepared):
        if isinstance(pixels, str):
            broken[row] = pixels
        else:
            images[kept] = pixels
            kept += 1
    return images[:kept], broken
