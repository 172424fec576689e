"""Which files of a folder of pictures are for training and which for tests, and their classes."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from ganlab.data.archives.files import draw_tree
from ganlab.data.readers.folder_walk import draw_found
from ganlab.data.readers.layouts import check_case
from ganlab.data.readers.pictures import list_pictures
from ganlab.errors import DataError, nearest

_TESTS = ("test", "val")
_NAMED = 10  # files or folders that a message names
_COUNTED = 10_000  # files that are not pictures, as a wrong root may be a whole disk


def find_splits(root: Path, test_folder: str | None) -> tuple[dict[str, Path], str]:
    """The folders of the splits "train" and "test", and what was understood.

    They are `train/` and `test/`, or `val/`, where there are such folders; else both are the root,
    and a rule tells its files apart.

    Args:
        root: the folder.
        test_folder: "test" or "val", where there are both; None for "test".

    Raises:
        DataError: if there is no such folder, no picture in it or in one of the splits, or no
            `test_folder`; if there are splits and pictures elsewhere, or only one for tests; if
            names differ only in case.
    """
    if not root.is_dir():
        raise _no_folder(root)
    paths = list_pictures(root)
    if not paths:
        raise _no_pictures(root)
    children = sorted(path for path in root.iterdir() if path.is_dir())
    check_case(root, children)
    check_case(root, paths)
    first = Counter(_first(root, path) for path in paths)
    named = {path.name.lower(): path for path in children}
    tests = [name for name in _TESTS if name in named]
    others = [name or "no folder" for name in first if name.lower() not in ("train", *_TESTS)]
    if "train" in named and tests:
        if others:
            raise _ambiguous(root, others)
        chosen = _chosen(root, test_folder, tests)
        folders = {"train": named["train"], "test": named[chosen]}
        counts = {split: first[folder.name] for split, folder in folders.items()}
        if 0 in counts.values():
            raise _empty_split(root, folders, counts)
        said = (
            f"{counts['train']:,} pictures to train on in {folders['train'].name}/ and "
            f"{counts['test']:,} to test in {folders['test'].name}/"
        )
        unused = "".join(f"; {named[name].name}/ is not used" for name in tests if name != chosen)
        return folders, said + unused
    if lonely := [name for name in first if name.lower() in _TESTS]:
        raise DataError(
            f"data.root: {root} holds {lonely[0]}/ without train/.\n{_layouts(root)}\nFound\n"
            f"{draw_found(root)}\nName the folder to train on train/, or give {lonely[0]}/ another "
            "name if it is a class."
        )
    if test_folder:
        raise DataError(
            f"data.test_folder: received {test_folder}, but {root} has no such split.\n"
            f"{_layouts(root)}"
        )
    if {name.lower() for name in first} == {"train"}:
        root = named["train"]
        first = Counter(_first(root, path) for path in paths)
    said = f"{len(paths):,} pictures"
    if "" not in first and len(first) > 1:
        said += f", in {len(first):,} folders that may be classes"
    return {"train": root, "test": root}, said


def has_test_folder(root: Path) -> bool:
    """Whether a folder has a split for tests, by the names in it alone; False if there is none."""
    names = {path.name.lower() for path in root.iterdir()} if root.is_dir() else set()
    return "train" in names and not names.isdisjoint(_TESTS)


def _chosen(root: Path, test_folder: str | None, tests: list[str]) -> str:
    if test_folder not in (None, *tests):
        raise DataError(
            f"data.test_folder: received {test_folder}, but {root} has only {tests[0]}. Set "
            f"data.test_folder={tests[0]}, or null."
        )
    return test_folder or tests[0]


def by_rule(root: Path, paths: Sequence[Path], share: float, split: str) -> list[Path]:
    """The part of files that a split gets, by a hash of their names: the same for every seed.

    Files that are added later move few others.

    Args:
        root: that names are relative to.
        paths: all files.
        share: of them that are for tests; 0 for none.
        split: "train" or "test".

    Raises:
        DataError: if a split would be empty.
    """
    if not share:
        if split == "test":
            raise DataError(
                f"{root} has no test split, and data.test_share is 0. Set data.test_share=0.1, or "
                "put the pictures into train/ and test/."
            )
        return list(paths)
    tests = max(1, round(share * len(paths)))
    if tests >= len(paths):
        raise DataError(
            f"{root} holds {len(paths)} pictures, too few to take {tests} of them for tests. Add "
            "more, or set data.test_share=0."
        )
    drawn = set(sorted(paths, key=lambda path: _hash(root, path))[:tests])
    return [path for path in paths if (path in drawn) == (split == "test")]


def class_names(root: Path, folders: dict[str, Path], declared: int) -> tuple[str, ...]:
    """The classes of a set: the first folders in the folder of its training split, sorted.

    Args:
        root: the set's, for messages.
        folders: of the splits.
        declared: how many there should be.

    Raises:
        DataError: if pictures lie in no class, there are other than `declared` classes, or tests
            have a class that cannot be trained.
    """
    names: dict[str, list[str]] = {}
    for split, folder in folders.items():
        names[split] = sorted({_first(folder, path) for path in list_pictures(folder)})
        if "" in names[split]:
            raise DataError(
                f"data.classes: received {declared}, but pictures in {folder} lie in no folder of "
                f"a class. Put each into one, or set data.classes=null.\n{_layouts(root)}"
            )
    unknown = [name for name in names["test"] if name not in names["train"]]
    if unknown:
        raise DataError(
            f"{folders['test']} has classes that {folders['train']} has not: {_listed(unknown)}. "
            f"Training has {_listed(names['train'])}. Rename or remove them, or add pictures of "
            "them to train on."
        )
    if len(names["train"]) != declared:
        raise DataError(
            f"data.classes: received {declared}, but {folders['train']} has {len(names['train'])} "
            f"folders: {_listed(names['train'])}. Set data.classes={len(names['train'])}, or null "
            "for no labels."
        )
    return tuple(names["train"])


def class_of(folder: Path, path: Path) -> str:
    """The first folder under a split's folder that a file lies in; "" for none."""
    return _first(folder, path)


def _first(folder: Path, path: Path) -> str:
    parts = path.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else ""


def _hash(root: Path, path: Path) -> str:
    name = unicodedata.normalize("NFC", path.relative_to(root).as_posix())
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()


def _no_folder(root: Path) -> DataError:
    if root.exists():
        return DataError(f"data.root: {root} is a file, no folder.\n{_layouts(root.parent)}")
    above = next(path for path in root.absolute().parents if path.is_dir())
    missing = root.absolute().relative_to(above).parts[0]
    beside = sorted(path.name for path in above.iterdir() if path.is_dir())
    hint = nearest(missing, beside)
    holds = f"{above} holds {_listed(beside)}." if beside else f"{above} holds no folders."
    return DataError(f"data.root: there is no folder {root}.{hint or ' ' + holds}")


def _no_pictures(root: Path) -> DataError:
    files = list(islice((path for path in root.rglob("*") if path.is_file()), _COUNTED))
    kinds = Counter(path.suffix.lower() or "no ending" for path in files).most_common(_NAMED)
    others = ", ".join(f"{count:,} {kind}" for kind, count in kinds)
    more = "at least " if len(files) == _COUNTED else ""
    return DataError(
        f"data.root: no pictures in {root}.\n{_layouts(root)}\nFound\n{draw_found(root)}\n"
        + (f"and {more}{len(files):,} other files ({others})." if files else "and no other files.")
    )


def _ambiguous(root: Path, others: list[str]) -> DataError:
    return DataError(
        f"data.root: {root} holds folders of splits, and pictures elsewhere: in {_listed(others)}."
        f"\n{_layouts(root)}\nFound\n{draw_found(root)}\nMove the others into the splits or away "
        "from here, or name the splits differently if they are classes."
    )


def _empty_split(root: Path, folders: dict[str, Path], counts: dict[str, int]) -> DataError:
    found = draw_tree((folders[split], f"{counts[split]:,} pictures") for split in folders)
    return DataError(
        f"data.root: a split in {root} is empty.\n{_layouts(root)}\nFound\n{found}\nPut pictures "
        "there, or take the folder away: then some of the others are taken for tests."
    )


def _layouts(root: Path) -> str:
    return "Expected one of\n" + draw_tree(
        [
            (root / "*.png", "or .jpg, …; in folders of any depth"),
            (root / "<class>" / "*.png", "with data.classes=<how many>"),
            (root / "{train,test}" / "…", "or val; either of the above in each"),
        ]
    )


def _listed(names: Sequence[str]) -> str:
    names = list(names)
    more = f", … and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
