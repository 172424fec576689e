"""Check a folder of pictures: what it holds, how it can be used, and what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

from ganlab.data.readers.decoding import CorruptImageError, Decoder
from ganlab.data.readers.layouts import case_clashes
from ganlab.data.readers.pictures import list_pictures
from ganlab.data.readers.threads import in_threads
from ganlab.errors import DataError, GanlabError
from ganlab.reports.data.findings import DataCheck, FolderFacts
from ganlab.reports.data.uses import Sizes, as_celeba, as_folder, as_pairs, listed


def check_data(root: Path, experiments: tuple[str, ...] = ()) -> DataCheck:
    """Decode every picture of a folder, and return how the folder can be used.

    Args:
        root: the folder.
        experiments: names of the available experiments; see `train_pairs`.

    Raises:
        DataError: the folder does not exist.
    """
    root = Path(os.path.expanduser(root))
    if not root.is_dir():
        state = "it is a file" if root.exists() else "it does not exist"
        raise DataError(f"{root} is not a folder of pictures: {state}. Give the path of a folder.")
    root = Path(os.path.abspath(root))  # absolute like the loaders' paths, to compare with them
    paths = list_pictures(root)
    folders: dict[Path, FolderFacts] = {}
    corrupt: dict[Path, str] = {}
    sound: Sizes = {}
    for path, decoded in zip(paths, in_threads(_decode, paths, "Decoding pictures"), strict=True):
        facts = folders.setdefault(path.parent, FolderFacts(path.parent))
        facts.pictures += 1
        if isinstance(decoded, str):
            corrupt[path] = decoded
            continue
        width, height, kind = decoded
        facts.sizes[f"{width}×{height}"] += 1
        facts.kinds[kind] += 1
        sound[path] = (width, height)
    result = DataCheck(root, list(folders.values()))
    if corrupt:
        lines = [f"{path.relative_to(root)}: {why}" for path, why in corrupt.items()]
        result.wrong.append(
            f"{len(corrupt):,} of {len(paths):,} files cannot be decoded (data.skip_corrupt=true "
            f"leaves them out):{listed(lines)}"
        )
    try:
        if not (as_celeba(result, sound) or as_pairs(result, sound, experiments)):
            as_folder(result, sound)
    except GanlabError as error:
        result.wrong.append(str(error))
    clashes = case_clashes(root, paths)
    if clashes and not any("differ only in case" in text for text in result.wrong):
        lines = [f"{first} and {second}" for first, second in clashes]
        result.notes.append(f"Names that differ only in case:{listed(lines)}")
    return result


def _decode(path: Path) -> tuple[int, int, str] | str:
    """Return width, height and format of a picture, or the reason why it cannot be decoded."""
    from PIL import Image

    try:
        pixels = Decoder(3).picture(path)
        with Image.open(path) as picture:
            return *pixels.size, f"{picture.format} {picture.mode}"
    except CorruptImageError as error:
        return error.reason
