"""Which files belong together, and how the sides of a pair are read."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from ganlab.data.readers.decoding import CorruptImageError, Decoder
from ganlab.errors import DataError

_NAMED = 10  # files that a message names


def match_files(
    a_folder: Path, a_paths: Sequence[Path], b_folder: Path, b_paths: Sequence[Path]
) -> tuple[list[Path], list[Path]]:
    """The files of two folders that have the same name, in the order of A's.

    Names are paths within the folder without their ending. Where all of A end in _A and all of B
    in _B, as in CycleGAN's sets, that is not part of the name.

    Returns:
        The files of A and, row by row, those of B.

    Raises:
        DataError: if any file has no partner, or two files of a folder have one name.
    """
    a, b = named(a_folder, a_paths, "_A"), named(b_folder, b_paths, "_B")
    if any(name not in b for name in a) or any(name not in a for name in b):
        raise DataError(_describe(a_folder, a, b_folder, b))
    return list(a.values()), [b[name] for name in a]


def named(folder: Path, paths: Sequence[Path], suffix: str) -> dict[str, Path]:
    """Files by the name that a pair shares; `suffix` is dropped where all files have it.

    Raises:
        DataError: if two files have one name.
    """
    has_suffix = all(path.stem.upper().endswith(suffix) for path in paths)
    by_name: dict[str, Path] = {}
    for path in paths:
        stem = path.stem[: -len(suffix)] if has_suffix else path.stem
        name = unicodedata.normalize("NFC", (path.parent.relative_to(folder) / stem).as_posix())
        if name in by_name:
            raise DataError(
                f"{folder} holds two files of the name {name}: {by_name[name].name} and "
                f"{path.name}. A pair has one file on each side: remove one of them."
            )
        by_name[name] = path
    return by_name


def lacking(a: Mapping[str, Path], b: Mapping[str, Path]) -> list[str]:
    """What of `a` has no partner in `b`, with a hint where only the case differs."""
    folded = {name.casefold(): path.name for name, path in b.items()}
    return [
        f"{path.name} (there is {folded[name.casefold()]}: the case differs)"
        if name.casefold() in folded
        else name + path.suffix
        for name, path in a.items()
        if name not in b
    ]


def _describe(a_folder: Path, a: Mapping[str, Path], b_folder: Path, b: Mapping[str, Path]) -> str:
    lines = []
    for here, there, missing in (
        (a_folder, b_folder, lacking(a, b)),
        (b_folder, a_folder, lacking(b, a)),
    ):
        if missing:
            more = f", … and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
            lines.append(
                f"  {len(missing):,} in {here} without one in {there}: "
                + ", ".join(missing[:_NAMED])
                + more
            )
    return (
        f"{a_folder} ({len(a):,} pictures) and {b_folder} ({len(b):,}) are no pairs. Expected the "
        "same names on both sides, such as\n"
        f"  {a_folder / 'x.png'}\n  {b_folder / 'x.png'}\nFound\n" + "\n".join(lines) + "\n"
        "Add what is missing or remove what is left over; for pictures that do not belong together "
        "use data=unpaired."
    )


class HalfDecoder(Decoder):
    """Reads one half of files that hold A left of B.

    Args:
        side: "a", the left half, or "b".
        channels, background, max_pixels: as in `Decoder`; the limit is on the whole file.
    """

    def __init__(self, side: str, channels: int, background: str, max_pixels: int) -> None:
        super().__init__(channels, background, max_pixels)
        self.side = side

    @property
    def settings(self) -> dict[str, Any]:
        """All that the pixels depend on."""
        return {**super().settings, "half": self.side}

    def picture(self, path: Path) -> Image:
        """The half as an image of Pillow.

        Raises:
            CorruptImageError: as for a `Decoder`; if the width is odd.
        """
        picture = super().picture(path)
        middle = _middle(path, picture.width)
        left = 0 if self.side == "a" else middle
        return picture.crop((left, 0, left + middle, picture.height))

    def head(self, path: Path) -> tuple[int, int, bool]:
        """Height, width of the half, and whether it is grey."""
        height, width, is_grey = super().head(path)
        return height, _middle(path, width), is_grey


class PartnerDecoder(Decoder):
    """Reads one side of pairs in two folders, whose files must be of equal size.

    Args:
        partners: the other side's file of each.
        channels, background, max_pixels: as in `Decoder`.
    """

    def __init__(
        self, partners: Mapping[Path, Path], channels: int, background: str, max_pixels: int
    ) -> None:
        super().__init__(channels, background, max_pixels)
        self.partners = partners

    @property
    def settings(self) -> dict[str, Any]:
        """All that the pixels depend on, and that sizes have been compared."""
        return {**super().settings, "paired": True}

    def picture(self, path: Path) -> Image:
        """The picture as an image of Pillow.

        Raises:
            CorruptImageError: as for a `Decoder`; if its partner has another size, or none that
                can be read.
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
                f"{width}×{height}; both sides of a pair must be of one size",
            )
        return picture


def _middle(path: Path, width: int) -> int:
    if width % 2 or not width:
        raise CorruptImageError(
            path, f"its width of {width} is odd, so that it cannot be A and B side by side"
        )
    return width // 2
