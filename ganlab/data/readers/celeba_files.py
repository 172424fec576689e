"""CelebA's files as published: the pictures or their zip, and the lists in the same folder."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from ganlab.data.archives.files import damaged, draw_tree, safe_name, state_of
from ganlab.data.archives.unpacking import DAMAGE, unpacked
from ganlab.errors import DataError, first_few

PICTURES = "img_align_celeba"
ZIP = "img_align_celeba.zip"
PARTITION = "list_eval_partition.txt"
ATTRIBUTES = "list_attr_celeba.txt"
IDENTITIES = "identity_CelebA.txt"
PARTS = {"train": 0, "val": 1, "test": 2}
_PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
# for each list: the check of a value, and the allowed values in words
_ALLOWED: dict[str, tuple[Callable[[str], object], str]] = {
    PARTITION: ({"0", "1", "2"}.__contains__, "0, 1 or 2"),
    ATTRIBUTES: ({"1", "-1"}.__contains__, "1 or -1"),
    IDENTITIES: (re.compile(r"-?[0-9]{1,18}").fullmatch, "a whole number"),
}


def check_files(folder: Path) -> None:
    """Check that pictures and partition exist; if the pictures are missing, unpack their zip.

    Raises:
        DataError: if pictures or partition are still missing; the message lists the expected and
            existing files. Also if the zip is damaged or does not hold the aligned pictures.
    """
    pictures, archive = folder / PICTURES, folder / ZIP
    if not _holds_pictures(pictures) and archive.is_file():
        _unpack(archive, pictures)
    if _holds_pictures(pictures) and (folder / PARTITION).is_file():
        return
    tree = draw_tree(
        [
            (pictures / "*.jpg", "found" if _holds_pictures(pictures) else "missing"),
            (archive, f"{state_of(archive)}, may replace the .jpg files"),
            (folder / PARTITION, state_of(folder / PARTITION)),
            (folder / ATTRIBUTES, f"{state_of(folder / ATTRIBUTES)}, optional"),
            (folder / IDENTITIES, f"{state_of(folder / IDENTITIES)}, optional"),
        ]
    )
    raise DataError(
        f"data.root: no CelebA under {folder.parent}. Expected\n{tree}\nPut the aligned pictures "
        f"there ({ZIP} and the lists, from {_PAGE}), or point data.root at the folder that holds "
        "celeba/."
    )


def read_partition(folder: Path, part: str) -> list[str]:
    """Return the file names of a part, "train", "val" or "test", in the list's order.

    Raises:
        DataError: if the list is damaged, differs from the folder's pictures, or lacks the part.
    """
    path = folder / PARTITION
    parts = {name: int(value) for name, (value,) in _table(path, 1).items()}
    on_disk = {entry.name for entry in os.scandir(folder / PICTURES)}
    missing = sorted(parts.keys() - on_disk)
    if missing:
        raise DataError(
            f"{folder / PICTURES} lacks {len(missing):,} of the {len(parts):,} pictures that "
            f"{PARTITION} lists: {first_few(missing, 5)}. Put them there, or unpack {ZIP} again."
        )
    unlisted = sorted(name for name in on_disk - parts.keys() if name.lower().endswith(".jpg"))
    if unlisted:
        raise damaged(
            path,
            f"it lists {len(parts):,} pictures, and {len(unlisted):,} others are in {PICTURES}/: "
            f"{first_few(unlisted, 5)}",
        )
    names = [name for name, number in parts.items() if number == PARTS[part]]
    if not names:
        raise damaged(path, f"it lists no picture of the {part} split")
    return names


def attribute_names(folder: Path) -> tuple[str, ...]:
    """Return the attributes' names, from the second line of their list.

    Raises:
        DataError: if the list cannot be read.
    """
    return tuple(_first_lines(folder / ATTRIBUTES)[1].split())


def read_attributes(folder: Path, names: Sequence[str]) -> Tensor:
    """Return the attributes of pictures: uint8 (len(names), attributes), 1 if an attribute holds.

    The file begins with a line for the number of pictures and a line of the attributes' names.
    Each further line has a picture's name, then a 1 or -1 for each attribute.

    Raises:
        DataError: if the file is damaged or lacks a picture.
    """
    path = folder / ATTRIBUTES
    count, attributes = _first_lines(path)
    table = _table(path, len(attributes.split()), skip=2)
    if count.strip() != str(len(table)):
        raise damaged(
            path, f"its first line says {count.strip()!r}, but it lists {len(table):,} pictures"
        )
    rows = [[value == "1" for value in values] for values in _rows(path, table, names)]
    return torch.tensor(rows, dtype=torch.uint8)


def read_identities(folder: Path, names: Sequence[str]) -> Tensor:
    """Return the number of the person that each picture shows: int64 (len(names),).

    Raises:
        DataError: if the file is damaged or lacks a picture.
    """
    path = folder / IDENTITIES
    return torch.tensor([int(value) for (value,) in _rows(path, _table(path, 1), names)])


def _rows(path: Path, table: dict[str, list[str]], names: Sequence[str]) -> list[list[str]]:
    missing = [name for name in names if name not in table]
    if missing:
        raise damaged(path, f"it lacks {len(missing):,} pictures: {first_few(missing, 5)}")
    return [table[name] for name in names]


def _first_lines(path: Path) -> tuple[str, str]:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(), file.readline()
    except (OSError, ValueError) as error:
        raise damaged(path, f"it cannot be read ({error})") from error


def _table(path: Path, columns: int, skip: int = 0) -> dict[str, list[str]]:
    """Map the name at the beginning of each line to the line's values; check all values."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise damaged(path, f"it cannot be read ({error})") from error
    table: dict[str, list[str]] = {}
    is_allowed, allowed = _ALLOWED[path.name]
    for number, line in enumerate(lines[skip:], skip + 1):
        if not (cells := line.split()):
            continue
        if len(cells) != columns + 1:
            raise damaged(
                path,
                f"line {number} has {len(cells)} entries, not a name and {columns}: {line[:60]!r}",
            )
        name, *values = cells
        if not all(map(is_allowed, values)):
            wrong = next(value for value in values if not is_allowed(value))
            raise damaged(path, f"line {number} has {wrong!r} where {allowed} is expected")
        if name in table:
            raise damaged(path, f"line {number} lists {name}, as an earlier line does")
        table[name] = values
    return table


def _holds_pictures(folder: Path) -> bool:
    return next(folder.glob("*.jpg"), None) is not None


def _unpack(archive: Path, pictures: Path) -> None:
    """Unpack the zip; several processes may call this at the same time."""
    check_names(archive)
    try:
        most_bytes = 4 * archive.stat().st_size + 2**30  # a zip hardly compresses JPEG files
        with unpacked(archive, pictures, most_bytes) as part:
            if pictures.is_dir() and not any(pictures.iterdir()):
                pictures.rmdir()
            try:
                (part / PICTURES).rename(pictures)
            except OSError:
                if not _holds_pictures(pictures):  # otherwise another process unpacked them
                    raise
    except OSError as error:
        raise DataError(
            f"{archive} could not be unpacked into {pictures}: {error}. Unpack it there by hand, "
            "or free disk space."
        ) from error


def check_names(archive: Path) -> None:
    """Check by the names in a zip that it is the zip of the aligned pictures.

    Raises:
        DataError: if the zip is damaged, a name leaves the folder, or no aligned picture is in it.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            names = [safe_name(archive, name) for name in file.namelist() if name[-1:] != "/"]
    except (*DAMAGE, OSError) as error:
        raise damaged(archive, f"it cannot be read ({error})") from error
    paths = [PurePosixPath(name) for name in names]
    if not any(path.parts[:-1] == (PICTURES,) and path.suffix == ".jpg" for path in paths):
        listed = first_few(sorted(names), 5, between="\n  ")
        raise DataError(
            f"{archive} is not the zip of the aligned pictures. Expected\n  {PICTURES}/000001.jpg\n"
            f"  {PICTURES}/000002.jpg\n  …\nFound\n  {listed}\n"
            f"Get {ZIP} from {_PAGE}, or unpack the pictures into {archive.parent / PICTURES}/."
        )
