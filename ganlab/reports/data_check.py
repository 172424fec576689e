"""What a folder of pictures holds, as what it would be used, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ganlab.data import PairedImages, UnpairedImages
from ganlab.data.celeba_files import (
    ATTRIBUTES,
    PARTITION,
    PICTURES,
    ZIP,
    check_files,
    read_attributes,
    read_partition,
)
from ganlab.data.decoding import CorruptImageError, Decoder
from ganlab.data.layouts import Layout, case_clashes, find_layout
from ganlab.data.pairing import lacking, named
from ganlab.data.pictures import list_pictures
from ganlab.data.threads import in_threads
from ganlab.errors import DataError, GanlabError
from ganlab.reports.data_command import root_argument, train_pairs

_NAMED = 10  # files that a list names
_PAIRED = 0.8  # share of equal names from which on two sides are taken for pairs
_SPLITS = ("train", "val", "test")
_Sizes = dict[Path, tuple[int, int]]  # width and height of every file that can be decoded


@dataclass
class FolderFacts:
    """The pictures that lie in one folder itself.

    Attributes:
        path: the folder.
        pictures: how many there are.
        sizes: how many of each "width×height".
        kinds: how many of each format and mode of Pillow, such as "JPEG RGB".
    """

    path: Path
    pictures: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass
class DataCheck:
    """What was found.

    Attributes:
        root: the folder.
        folders: facts of every folder with pictures.
        use: as what the folder would be used, in words; None if it cannot be used.
        kind: "paired", "unpaired", "classes", "folder", "celeba", or "" where it cannot be used.
        counts: pictures or pairs by what they are for, such as {"to train on": 400}.
        command: that trains on it, to be pasted into a shell.
        wrong: what would stop a training.
        notes: what is worth knowing.
        samples: rows of pictures to look at, by the title of the row.
    """

    root: Path
    folders: list[FolderFacts]
    use: str | None = None
    kind: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    command: str = ""
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    samples: dict[str, list[Path]] = field(default_factory=dict)


def check_data(root: Path, experiments: tuple[str, ...] = ()) -> DataCheck:
    """Look at every picture of a folder, decode it, and find out what it can be used for.

    Args:
        root: the folder.
        experiments: names of experiments that there are; a general one is preferred to a model.

    Raises:
        DataError: if there is no such folder.
    """
    if not root.is_dir():
        state = "it is a file" if root.exists() else "there is none"
        raise DataError(f"{root} is not a folder of pictures: {state}. Give the path of a folder.")
    paths = list_pictures(root)
    folders: dict[Path, FolderFacts] = {}
    corrupt: dict[Path, str] = {}
    sound: _Sizes = {}
    for path, found in zip(paths, in_threads(_look, paths, "Decoding pictures"), strict=True):
        facts = folders.setdefault(path.parent, FolderFacts(path.parent))
        facts.pictures += 1
        if isinstance(found, str):
            corrupt[path] = found
            continue
        width, height, kind = found
        facts.sizes[f"{width}×{height}"] += 1
        facts.kinds[kind] += 1
        sound[path] = (width, height)
    result = DataCheck(root, list(folders.values()))
    if corrupt:
        lines = [f"{path.relative_to(root)}: {why}" for path, why in corrupt.items()]
        result.wrong.append(
            f"{len(corrupt):,} of {len(paths):,} files cannot be decoded (data.skip_corrupt=true "
            f"leaves them out):{_listed(lines)}"
        )
    if clashes := case_clashes(root, paths):
        lines = [f"{one} and {two}" for one, two in clashes]
        result.notes.append(f"Names that differ only in case:{_listed(lines)}")
    if not _as_celeba(result, sound):
        try:
            if not _as_pairs(result, sound, experiments):
                _as_folder(result, [*sound])
        except GanlabError as error:
            result.wrong.append(str(error))
    return result


def _look(path: Path) -> tuple[int, int, str] | str:
    """Width, height and kind of a sound picture; or why it is not."""
    from PIL import Image

    try:
        pixels = Decoder(3).picture(path)
        with Image.open(path) as picture:
            return *pixels.size, f"{picture.format} {picture.mode}"
    except CorruptImageError as error:
        return error.reason


def _as_celeba(result: DataCheck, sound: _Sizes) -> bool:
    folder = result.root if result.root.name == "celeba" else result.root / "celeba"
    if not any((folder / name).exists() for name in (PICTURES, ZIP, PARTITION)):
        return False
    result.kind, result.use = "celeba", "CelebA"
    result.samples = {"faces": _spread([*sound], 16)}
    result.command = f"ganlab train experiment=dcgan_celeba64 {root_argument(folder.parent)}"
    if (
        (folder / ZIP).exists()
        and not (folder / PICTURES).exists()
        and (folder / PARTITION).exists()
    ):
        result.notes.append(f"The first training unpacks {ZIP}; it was not looked into.")
        return True
    try:
        check_files(folder)
        for split in ("train", "test"):
            names = read_partition(folder, split)
            result.counts[f"pictures of the {split} split"] = len(names)
            if (folder / ATTRIBUTES).exists():
                read_attributes(folder, names)
    except DataError as error:
        result.wrong.append(str(error))
    return True


def _as_pairs(result: DataCheck, sound: _Sizes, experiments: tuple[str, ...]) -> bool:
    """Pairs or two unpaired sets; False where the folder is neither."""
    root = result.root
    is_wide = 2 * sum(width == 2 * height for width, height in sound.values()) > len(sound)
    layout = find_layout(root, "paired")
    unpaired = find_layout(root, "unpaired")
    single = layout is not None and any("ab" in sides for sides in layout.folders.values())
    if layout is None and unpaired is None:
        return False
    if single and not is_wide:
        result.notes.append(
            "Files are not twice as wide as high, so they are not taken for A and B side by side. "
            f"If they are, train with model=pix2pix data=paired {root_argument(root)}."
        )
        if unpaired is None:
            return False
    if not (single and is_wide):
        share = _shared_names(unpaired)
        if share < _PAIRED or (single and not is_wide):
            return _as(result, "unpaired", sound, experiments)
        result.notes.append(
            "Names of A and B are the same, so that they are taken for pairs. If they do not "
            f"belong together: {train_pairs('unpaired', root, experiments)}"
        )
    return _as(result, "paired", sound, experiments)


def _as(result: DataCheck, kind: str, sound: _Sizes, experiments: tuple[str, ...]) -> bool:
    data = (PairedImages if kind == "paired" else UnpairedImages)(str(result.root))
    result.kind, result.command = kind, train_pairs(kind, result.root, experiments)
    words = "pairs" if kind == "paired" else "two unpaired sets"
    result.use = f"{words}, {data.layout.form}"
    if data.layout.unused:
        result.notes.append(f"Not used: {', '.join(f'{name}/' for name in data.layout.unused)}.")
    for split, words in (("train", "to train on"), ("test", "to test with")):
        try:
            files = data.files(split)
        except DataError as error:
            if str(error) not in result.wrong:  # what has no splits says it for both
                result.wrong.append(str(error))
            continue
        for side, paths in files.items():
            which = "pairs" if kind == "paired" else side.upper()
            result.counts[f"{which} {words}"] = len(paths)
        if split == "train":
            _sample(result, files, sound)
        if kind == "paired":
            _check_sizes(result, files, sound)
    if not {"test", "val"} & set(data.layout.folders):
        result.notes.append(
            "There is no test/ or val/: a tenth of the files is taken by a fixed rule."
        )
    return True


def _sample(result: DataCheck, files: dict[str, list[Path]], sound: _Sizes) -> None:
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


def _check_sizes(result: DataCheck, files: dict[str, list[Path]], sound: _Sizes) -> None:
    """Sides of unequal size, and files of odd width, as the loader would find them."""
    if "ab" in files:
        wrong = [path for path in files["ab"] if path in sound and sound[path][0] % 2]
        lines = [f"{path.relative_to(result.root)}: {sound[path][0]} pixels" for path in wrong]
        if lines:
            result.wrong.append(
                f"{len(lines):,} files of an odd width, which cannot be A and B side by side:"
                f"{_listed(lines)}"
            )
        return
    lines = [
        "{}: {}×{}, but B is {}×{}".format(a.relative_to(result.root), *sound[a], *sound[b])
        for a, b in zip(files["a"], files["b"], strict=True)
        if a in sound and b in sound and sound[a] != sound[b]
    ]
    if lines:
        result.wrong.append(f"{len(lines):,} pairs with sides of unequal size:{_listed(lines)}")


def _as_folder(result: DataCheck, good: list[Path]) -> None:
    root = result.root
    if not good:
        result.wrong.append("There is no picture that can be used.")
        return
    parts = [path.relative_to(root).parts for path in good]
    if all(part[0].lower() in _SPLITS for part in parts):
        parts = [part[1:] for part in parts]
    classes = sorted({part[0] for part in parts if len(part) > 1})
    if len(classes) > 1 and all(len(part) > 1 for part in parts):
        result.kind = "classes"
        result.use = f"a folder with {len(classes)} classes: {_comma(classes)}"
        for name in classes[:8]:
            own = [path for path, part in zip(good, parts, strict=True) if part[0] == name]
            result.samples[name] = _spread(own, 8)
    else:
        result.kind, result.use = "folder", "a folder of pictures without classes"
        result.samples = {"pictures": _spread(good, 16)}
    for child in sorted(path for path in root.iterdir() if path.is_dir()):
        layout = find_layout(child, "paired") or find_layout(child, "unpaired")
        if layout is not None and layout.folders != {"all": {"ab": child}}:
            result.notes.append(f"{child.name}/ is a set by itself: ganlab data check {child}")
    result.counts = {"pictures": len(good)}
    result.command = f"ganlab train model=dcgan data=folder {root_argument(root)}"


def _shared_names(layout: Layout) -> float:
    """The share of the larger side's names that the other side has too, over all splits."""
    shared = total = 0
    for sides in layout.folders.values():
        files = {side: list_pictures(folder) for side, folder in sides.items()}
        a, b = named(sides["a"], files["a"], "_A"), named(sides["b"], files["b"], "_B")
        total += max(len(a), len(b))
        shared += len(a) - len(lacking(a, b))
    return shared / max(total, 1)


def _spread(items: list, n: int) -> list:
    """Up to `n` of the items, from the first on, at equal distances."""
    return items[:: max(1, -(-len(items) // n))]


def _listed(lines: list[str]) -> str:
    more = [f"… and {len(lines) - _NAMED:,} more"] if len(lines) > _NAMED else []
    return "".join(f"\n  {line}" for line in lines[:_NAMED] + more)


def _comma(names: list[str]) -> str:
    more = [f"… {len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
    return ", ".join(names[:_NAMED] + more)
