"""Matching files into pairs by name, and the decoders for the two pictures of a pair."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from ganlab.data.readers.decoding import CorruptImageError, Decoder
from ganlab.errors import DataError, first_few


def match_files(
    a_folder: Path, a_paths: Sequence[Path], b_folder: Path, b_paths: Sequence[Path]
) -> tuple[list[Path], list[Path]]:
    """Match the files of two folders by name.

    A name is a file's path within its folder, without the ending. If all files of A end in _A, as
    in CycleGAN's sets, the suffix is not part of the name; likewise for _B in folder B.

    Returns:
        The files of A in their order, and for each of them its partner in B.

    Raises:
        DataError: if any file has no partner, or two files of a folder have the same name.
    """
    a, b = named(a_folder, a_paths, "_A"), named(b_folder, b_paths, "_B")
    if any(name not in b for name in a) or any(name not in a for name in b):
        raise DataError(_describe_mismatch(a_folder, a, b_folder, b))
    return list(a.values()), [b[name] for name in a]


def named(folder: Path, paths: Sequence[Path], suffix: str) -> dict[str, Path]:
    """Return files by their names; `suffix` is not part of the names if all files end in it.

    Raises:
        DataError: if two files have the same name.
    """
    has_suffix = all(path.stem.upper().endswith(suffix) for path in paths)
    by_name: dict[str, Path] = {}
    for path in paths:
        stem = path.stem[: -len(suffix)] if has_suffix else path.stem
        name = unicodedata.normalize("NFC", (path.parent.relative_to(folder) / stem).as_posix())
        if name in by_name:
            raise DataError(
                f"{folder} holds two files of the name {name}: {by_name[name].name} and "
                f"{path.name}. Only one of them can be in the pair {name}: remove the other."
            )
        by_name[name] = path
    return by_name


def files_without_partner(a: Mapping[str, Path], b: Mapping[str, Path]) -> list[str]:
    """Return the files of `a` without a partner in `b`, with a hint if only the case differs."""

    def shown(name: str, path: Path) -> str:
        # the key lacks the ending, and perhaps _A
        return (Path(name).parent / path.name).as_posix()

    same = {name.casefold(): shown(name, path) for name, path in b.items()}
    return [
        shown(name, path)
        + (f" (there is {same[key]}: the case differs)" if (key := name.casefold()) in same else "")
        for name, path in a.items()
        if name not in b
    ]


def _describe_mismatch(
    a_folder: Path, a: Mapping[str, Path], b_folder: Path, b: Mapping[str, Path]
) -> str:
    lines = []
    for folder, other, alone in (
        (a_folder, b_folder, files_without_partner(a, b)),
        (b_folder, a_folder, files_without_partner(b, a)),
    ):
        if alone:
            lines.append(
                f"  {len(alone):,} in {folder} without a partner in {other}: " + first_few(alone)
            )
    return (
        f"{a_folder} ({len(a):,} pictures) and {b_folder} ({len(b):,}) do not form pairs. Expected "
        "the same names in both folders, such as\n"
        f"  {a_folder / 'x.png'}\n  {b_folder / 'x.png'}\nFound\n" + "\n".join(lines) + "\n"
        "Add the missing partners or remove files without a partner. For pictures that are not "
        "pairs use data=unpaired."
    )


class HalfDecoder(Decoder):
    """A decoder of one half of each file, which holds A to the left of B.

    Args:
        side: "a" for the left half, "b" for the right half.
        channels, background, max_pixels: as in `Decoder`; `max_pixels` limits the whole file.
    """

    def __init__(self, side: str, channels: int, background: str, max_pixels: int) -> None:
        super().__init__(channels, background, max_pixels)
        self.side = side

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a `Decoder`, and the half."""
        return {**super().settings, "half": self.side}

    def picture(self, path: Path) -> Image:
        """Return the half as a Pillow image.

        Raises:
            CorruptImageError: as for a `Decoder`, or if the file's width is odd or 0.
        """
        picture = super().picture(path)
        middle = _middle(path, picture.width)
        left = 0 if self.side == "a" else middle
        return picture.crop((left, 0, left + middle, picture.height))

    def head(self, path: Path) -> tuple[int, int, bool]:
        """Return the half's height, its width, and whether it is grey."""
        height, width, is_grey = super().head(path)
        return height, _middle(path, width), is_grey


class PartnerDecoder(Decoder):
    """A decoder of pictures whose partners, in another folder, must have equal size.

    Args:
        partners: for each file to decode, the file of its partner.
        channels, background, max_pixels: as in `Decoder`.
    """

    def __init__(
        self, partners: Mapping[Path, Path], channels: int, background: str, max_pixels: int
    ) -> None:
        super().__init__(channels, background, max_pixels)
        self.partners = partners

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a `Decoder`, and a mark that the sizes of pairs were compared."""
        return {**super().settings, "paired": True}

    def picture(self, path: Path) -> Image:
        """Return the picture as a Pillow image.

        Raises:
            CorruptImageError: as for a `Decoder`, or if the partner has another size or cannot
                be read.
        """
        picture = super().picture(path)
        partner = self.partners[path]
        try:
            height, width, _ = self.head(partner)
        except CorruptImageError as error:
            reason = f"its partner {partner} cannot be read: {error.reason}"
            raise CorruptImageError(path, reason) from error
        if picture.size != (width, height):
            raise CorruptImageError(
                path,
                f"is {picture.width}×{picture.height}, but its partner {partner} is "
                f"{width}×{height}; the two pictures of a pair must have equal size",
            )
        return picture


def _middle(path: Path, width: int) -> int:
    if width % 2 or not width:
        raise CorruptImageError(
            path, f"its width of {width} is odd or 0, so it cannot hold A and B side by side"
        )
    return width // 2
