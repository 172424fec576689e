"""Writing files that hold both pictures of a pair, A left of B, from two folders."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from ganlab.data.readers.decoding import MODES, CorruptImageError, Decoder
from ganlab.data.readers.layouts import SPLITS, check_case
from ganlab.data.readers.pairing import PartnerDecoder, match_files, named
from ganlab.data.readers.pictures import list_pictures
from ganlab.data.readers.threads import in_threads
from ganlab.errors import DataError, first_few


def write_pairs(a_folder: Path, b_folder: Path, out: Path) -> dict[str, int]:
    """Write each pair of two folders as one PNG, A left of B; write all pairs or none.

    Files of the same name are pairs, see `match_files`. Files in `train/`, `val/` or `test/` are
    written to the folder of that name; names of all other folders become a part of the file's name.
    All PNGs have colour if any picture has, and alpha if any picture has transparency.

    Args:
        a_folder: folder of the left pictures (A), with or without splits.
        b_folder: folder of the right pictures (B), with the same names.
        out: the folder to make; it must be missing or empty.

    Returns:
        The number of files by split; files outside of the split folders are counted as "".

    Raises:
        DataError: if pictures do not match or cannot be read; the message lists the problems, and
            no file is written. Also if `out` cannot be written.
    """
    for folder in (a_folder, b_folder):
        if not folder.is_dir():
            state = "it is a file" if folder.exists() else "it does not exist"
            raise DataError(f"{folder} is not a folder of pictures: {state}.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(
            f"{out} already exists and is not overwritten. Remove it, or choose another folder."
        )
    a, b = list_pictures(a_folder), list_pictures(b_folder)
    for folder, paths in ((a_folder, a), (b_folder, b)):
        if not paths:
            raise DataError(f"{folder} holds no pictures.")
        check_case(folder, paths)
    a, b = match_files(a_folder, a, b_folder, b)
    pairs = list(zip(_targets(a_folder, a), a, b, strict=True))
    channels = _channels([*a, *b])
    _check(a_folder, b_folder, a, b, channels)
    part = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".part"))
        for name in {name.parent for name, _, _ in pairs}:
            (part / name).mkdir(parents=True, exist_ok=True)
        decoder = Decoder(channels)

        def write(pair: tuple[Path, Path, Path]) -> None:
            from PIL import Image

            name, a_path, b_path = pair
            left, right = decoder.picture(a_path), decoder.picture(b_path)
            joint = Image.new(MODES[channels], (2 * left.width, left.height))
            joint.paste(left, (0, 0))
            joint.paste(right, (left.width, 0))
            joint.save(part / name, format="PNG", compress_level=4)

        for _ in in_threads(write, pairs, "Writing pairs"):
            pass
        part.chmod(0o755)
        if out.exists():
            out.rmdir()
        part.replace(out)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error}. No files were kept.") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    splits = [name.parent.as_posix().removeprefix(".") for name, _, _ in pairs]
    return {split: splits.count(split) for split in sorted(set(splits))}


def _targets(folder: Path, paths: list[Path]) -> list[Path]:
    """Return the path of each pair's file, relative to the new folder."""
    targets = []
    for name in named(folder, paths, "_A"):
        parts = name.split("/")
        split = [parts.pop(0).lower()] if len(parts) > 1 and parts[0].lower() in SPLITS else []
        targets.append(Path(*split, "_".join(parts) + ".png"))
    counts = Counter(str(target).casefold() for target in targets)
    if clashes := sorted({str(t) for t in targets if counts[str(t).casefold()] > 1}):
        raise DataError(
            f"{folder}: files of several folders would get the same name, apart from upper and "
            f"lower case: {first_few(clashes)}. Rename them."
        )
    return targets


def _channels(paths: list[Path]) -> int:
    """Return the number of channels that can hold every picture, from the files' headers.

    Damaged files count as grey without transparency here; `_check` reports them.
    """

    def has_colour_and_alpha(path: Path) -> tuple[bool, bool]:
        from PIL import Image

        try:
            with Image.open(path) as picture:
                return picture.mode[0] not in "1LI", picture.has_transparency_data
        except Exception:
            return False, False

    heads = list(in_threads(has_colour_and_alpha, paths, "Looking at pictures"))
    return (3 if any(colour for colour, _ in heads) else 1) + any(alpha for _, alpha in heads)


def _check(a_folder: Path, b_folder: Path, a: list[Path], b: list[Path], channels: int) -> None:
    """Raise a DataError that names the pairs that cannot be read or differ in size, if any."""
    a_decoder = PartnerDecoder(
        dict(zip(a, b, strict=True)), channels, "white", Decoder().max_pixels
    )

    def problem(pair: tuple[Path, Path]) -> str | None:
        try:
            a_decoder(pair[0])
            Decoder(channels)(pair[1])
        except CorruptImageError as error:
            return str(error)
        return None

    pairs = list(zip(a, b, strict=True))
    wrong = [reason for reason in in_threads(problem, pairs, "Checking pairs") if reason]
    if wrong:
        lines = first_few(wrong, between="\n  ")
        raise DataError(
            f"{len(wrong):,} of {len(pairs):,} pairs of {a_folder} and {b_folder} cannot be made:\n"
            f"  {lines}\nMend or remove these files; nothing was written."
        )
