"""How a folder of pictures can be used, and whether the loaders accept it."""

from __future__ import annotations

import shlex
from pathlib import Path

from ganlab.data import ImageFolder, PairedImages, UnpairedImages
from ganlab.data.readers.celeba_files import (
    ATTRIBUTES,
    PARTITION,
    PICTURES,
    ZIP,
    check_files,
    check_names,
    read_attributes,
    read_partition,
)
from ganlab.data.readers.folder_splits import class_of, find_splits
from ganlab.data.readers.layouts import Layout, find_layout, sets_below
from ganlab.data.readers.pairing import files_without_partner, named
from ganlab.data.readers.pictures import list_pictures
from ganlab.errors import DataError, first_few
from ganlab.reports.data.command import root_argument, train_pairs
from ganlab.reports.data.findings import DataCheck

_PAIRED = 0.8  # minimum share of equal names at which sets A and B are taken for pairs
_BY_RULE = "There is no test/ or val/: a fixed rule takes a tenth of the files to test with."
Sizes = dict[Path, tuple[int, int]]  # (width, height) of every file that can be decoded


def as_celeba(result: DataCheck, sound: Sizes) -> bool:
    """Fill `result` if the folder is CelebA's or holds CelebA's; return whether that is so."""
    folder = result.root if result.root.name == "celeba" else result.root / "celeba"
    if not any((folder / name).exists() for name in (PICTURES, ZIP, PARTITION)):
        return False
    result.kind, result.use = "celeba", "CelebA"
    result.samples = {"faces": _spread([*sound], 16)}
    result.command = f"ganlab train experiment=dcgan_celeba64 {root_argument(folder.parent)}"
    try:
        is_packed = (folder / ZIP).exists() and not (folder / PICTURES).exists()
        if is_packed and (folder / PARTITION).exists():
            check_names(folder / ZIP)
            result.notes.append(f"The first training unpacks {ZIP}; no picture in it was decoded.")
            return True
        check_files(folder)
        for split in ("train", "test"):
            names = read_partition(folder, split)
            result.counts[f"pictures of the {split} split"] = len(names)
            if (folder / ATTRIBUTES).exists():
                read_attributes(folder, names)
    except DataError as error:
        result.wrong.append(str(error))
    return True


def as_pairs(result: DataCheck, sound: Sizes, experiments: tuple[str, ...]) -> bool:
    """Fill `result` if the folder holds pairs or two unpaired sets; return whether it does.

    Raises:
        DataError: a picture of a pair is missing, or the folder's layout is incomplete.
    """
    root = result.root
    is_wide = 2 * sum(width == 2 * height for width, height in sound.values()) > len(sound)
    layout = find_layout(root, "paired")
    unpaired = find_layout(root, "unpaired")
    single = layout is not None and any("ab" in sides for sides in layout.folders.values())
    if layout is None and unpaired is None:
        return False
    if single and not is_wide:
        result.notes.append(
            "Most files are not twice as wide as high, so they are not taken for A and B side by "
            f"side. If they are pairs: ganlab train model=pix2pix data=paired {root_argument(root)}"
        )
        if unpaired is None:
            return False
    if not (single and is_wide):
        share = _shared_names(unpaired)
        if share < _PAIRED or (single and not is_wide):
            return _fill(result, "unpaired", sound, experiments)
        result.notes.append(
            "Most file names of A and B are the same, so A and B are taken for pairs. If they "
            f"do not belong together: {train_pairs('unpaired', root, experiments)}"
        )
    return _fill(result, "paired", sound, experiments)


def _fill(result: DataCheck, kind: str, sound: Sizes, experiments: tuple[str, ...]) -> bool:
    data = (PairedImages if kind == "paired" else UnpairedImages)(str(result.root))
    result.kind, result.command = kind, train_pairs(kind, result.root, experiments)
    what = "pairs" if kind == "paired" else "two unpaired sets"
    result.use = f"{what}, {data.layout.form}"
    if data.layout.unused:
        result.notes.append(f"Not used: {', '.join(data.layout.unused)}.")
    for split, purpose in (("train", "to train on"), ("test", "to test with")):
        try:
            files = data.files(split)
        except DataError as error:
            if str(error) not in result.wrong:  # without splits, both raise the same error
                result.wrong.append(str(error))
            continue
        for side, paths in files.items():
            which = "pairs" if kind == "paired" else side.upper()
            result.counts[f"{which} {purpose}"] = len(paths)
        if split == "train":
            _sample(result, files, sound)
        if kind == "paired":
            _check_sizes(result, files, sound)
    if not {"test", "val"} & set(data.layout.folders):
        result.notes.append(_BY_RULE)
    return True


def _sample(result: DataCheck, files: dict[str, list[Path]], sound: Sizes) -> None:
    if "ab" in files:
        result.samples = {"A|B": _spread([p for p in files["ab"] if p in sound], 8)}
    elif result.kind == "paired":
        pairs = zip(files["a"], files["b"], strict=True)
        rows = _spread([pair for pair in pairs if sound.keys() >= set(pair)], 8)
        result.samples = {"A": [a for a, _ in rows], "B": [b for _, b in rows]}
    else:
        result.samples = {
            side.upper(): _spread([p for p in paths if p in sound], 8)
            for side, paths in files.items()
        }


def _check_sizes(result: DataCheck, files: dict[str, list[Path]], sound: Sizes) -> None:
    """Append pairs whose pictures differ in size, or files of odd width, to `result.wrong`."""
    if "ab" in files:
        wrong = [path for path in files["ab"] if path in sound and sound[path][0] % 2]
        lines = [f"{path.relative_to(result.root)}: {sound[path][0]} pixels" for path in wrong]
        if lines:
            result.wrong.append(
                f"{len(lines):,} files of an odd width, which cannot be A and B side by side:"
                f"{listed(lines)}"
            )
        return
    lines = [
        "{}: {}×{}, but B is {}×{}".format(a.relative_to(result.root), *sound[a], *sound[b])
        for a, b in zip(files["a"], files["b"], strict=True)
        if a in sound and b in sound and sound[a] != sound[b]
    ]
    if lines:
        result.wrong.append(
            f"{len(lines):,} pairs whose two pictures differ in size:{listed(lines)}"
        )


def as_folder(result: DataCheck, sound: Sizes) -> None:
    """Fill `result` for a folder of pictures, with or without classes.

    Raises:
        DataError: training would refuse the folder.
    """
    root, good = result.root, [*sound]
    if not good:
        result.wrong.append("There is no picture that can be used.")
        return
    for path in sets_below(root, "paired", "unpaired"):
        shown = path.relative_to(root).as_posix()
        result.hints.append(
            f"{shown}/ is a set by itself: ganlab data check {shlex.quote(str(path))}"
        )
    result.kind, result.use = "folder", "a folder of pictures without classes"
    result.samples = {"pictures": _spread(good, 16)}
    result.command = f"ganlab train model=dcgan data=folder {root_argument(root)}"
    folders, _ = find_splits(root, None)
    training = folders["train"]
    classes = sorted({class_of(training, path) for path in list_pictures(training)})
    has_classes = len(classes) > 1 and "" not in classes
    if has_classes:
        result.kind = "classes"
        result.use = f"a folder with {len(classes)} classes: {first_few(classes)}"
        result.samples = {name: _spread(_under(training / name, good), 8) for name in classes[:8]}
        result.command += f" data.classes={len(classes)}"
    data = ImageFolder(str(root), classes=len(classes) if has_classes else None)
    files = {split: data.files(split) for split in ("train", "test")}
    for split, purpose in (("train", "to train on"), ("test", "to test with")):
        result.counts[f"pictures {purpose}"] = len(files[split])
    usable = len(sound.keys() & set(files["train"]))
    if 0 < usable < data.batch_size:
        result.command += f" data.batch_size={2 ** (usable.bit_length() - 1)}"
    if training == folders["test"]:
        result.notes.append(_BY_RULE)


def _under(folder: Path, paths: list[Path]) -> list[Path]:
    return [path for path in paths if folder in path.parents]


def _shared_names(layout: Layout) -> float:
    """Return which share of the file names A and B have in common, over all splits.

    The share is relative to the number of names in the larger set of each split.
    """
    shared = total = 0
    for sides in layout.folders.values():
        files = {side: list_pictures(folder) for side, folder in sides.items()}
        a, b = named(sides["a"], files["a"], "_A"), named(sides["b"], files["b"], "_B")
        total += max(len(a), len(b))
        shared += len(a) - len(files_without_partner(a, b))
    return shared / max(total, 1)


def _spread(items: list, n: int) -> list:
    """Return up to `n` evenly spaced items, beginning with the first."""
    return items[:: max(1, -(-len(items) // n))]


def listed(lines: list[str]) -> str:
    """Return the first lines, each indented on a new line, and the number of further lines."""
    return "\n  " + first_few(lines, between="\n  ") if lines else ""
