"""The training split, the test split and the classes of a folder of pictures."""

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
from ganlab.errors import DataError, first_few, nearest

_TESTS = ("test", "val")
_NAMED = 10  # a message names at most this many files or folders
_COUNTED = 10_000  # stop counting other files at this number: a wrong root may be a whole disk


def find_splits(root: Path, test_folder: str | None) -> tuple[dict[str, Path], str]:
    """Return the folders of the splits "train" and "test", and a description of them for the log.

    The folders are `train/` and `test/` (or `val/`) if the root has them. Otherwise both splits
    have the same folder, and `split_by_hash` divides its files.

    Args:
        root: the set's folder.
        test_folder: "test" or "val"; None for "test" if it exists, else "val".

    Raises:
        DataError: if `root` or `test_folder` is missing, a split has no pictures, pictures lie
            outside the splits, a folder for tests exists but no train/, or names differ only in
            case.
    """
    if not root.is_dir():
        raise _no_folder(root)
    paths = list_pictures(root)
    if not paths:
        raise _no_pictures(root)
    children = sorted(path for path in root.iterdir() if path.is_dir())
    check_case(root, children)
    check_case(root, paths)
    per_folder = Counter(_first_folder(root, path) for path in paths)
    by_name = {path.name.lower(): path for path in children}
    tests = [name for name in _TESTS if name in by_name]
    others = [name or "no folder" for name in per_folder if name.lower() not in ("train", *_TESTS)]
    if "train" in by_name and tests:
        if others:
            raise _ambiguous(root, others)
        chosen = _chosen_test_folder(root, test_folder, tests)
        folders = {"train": by_name["train"], "test": by_name[chosen]}
        counts = {split: per_folder[folder.name] for split, folder in folders.items()}
        if 0 in counts.values():
            raise _empty_split(root, folders, counts)
        summary = (
            f"{counts['train']:,} pictures to train on in {folders['train'].name}/ and "
            f"{counts['test']:,} to test in {folders['test'].name}/"
        )
        unused = "".join(f"; {by_name[name].name}/ is not used" for name in tests if name != chosen)
        return folders, summary + unused
    if tests_alone := [name for name in per_folder if name.lower() in _TESTS]:
        raise DataError(
            f"data.root: {root} holds {tests_alone[0]}/ without train/.\n{_layouts(root)}\nFound\n"
            f"{draw_found(root)}\nRename the folder of training pictures to train/. If "
            f"{tests_alone[0]}/ is a class, rename it."
        )
    if test_folder:
        raise DataError(
            f"data.test_folder: received {test_folder}, but {root} has no such split.\n"
            f"{_layouts(root)}"
        )
    if {name.lower() for name in per_folder} == {"train"}:
        root = by_name["train"]
        per_folder = Counter(_first_folder(root, path) for path in paths)
    summary = f"{len(paths):,} pictures"
    if "" not in per_folder and len(per_folder) > 1:
        summary += f", in {len(per_folder):,} folders that may be classes"
    return {"train": root, "test": root}, summary


def has_test_folder(root: Path) -> bool:
    """Whether a folder holds train/, and test/ or val/; False if the folder is missing."""
    names = {path.name.lower() for path in root.iterdir()} if root.is_dir() else set()
    return "train" in names and not names.isdisjoint(_TESTS)


def _chosen_test_folder(root: Path, test_folder: str | None, tests: list[str]) -> str:
    if test_folder not in (None, *tests):
        raise DataError(
            f"data.test_folder: received {test_folder}, but {root} has only {tests[0]}. Set "
            f"data.test_folder={tests[0]}, or null."
        )
    return test_folder or tests[0]


def split_by_hash(root: Path, paths: Sequence[Path], share: float, split: str) -> list[Path]:
    """Return the files of a split, chosen by a hash of the files' names, which no seed affects.

    If files are added later, few of the old files change their split.

    Args:
        root: the folder that the hashed names are relative to.
        paths: the files of both splits.
        share: share of the files in the test split, in [0, 1); 0 for no test split.
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
    n_test = max(1, round(share * len(paths)))
    if n_test >= len(paths):
        raise DataError(
            f"{root} holds {len(paths)} pictures, too few to take {n_test} of them for tests. Add "
            "pictures, or set data.test_share=0."
        )
    tests = set(sorted(paths, key=lambda path: _hash(root, path))[:n_test])
    return [path for path in paths if (path in tests) == (split == "test")]


def class_names(root: Path, folders: dict[str, Path], declared: int) -> tuple[str, ...]:
    """Return the classes of a set: the first-level folders of its training split, sorted.

    Args:
        root: the set's folder, for messages.
        folders: the folder of each split.
        declared: the number of classes that the config declares.

    Raises:
        DataError: if pictures lie in no class folder, the number of classes is not `declared`, or
            the test split has a class that the training split lacks.
    """
    names: dict[str, list[str]] = {}
    for split, folder in folders.items():
        names[split] = sorted({_first_folder(folder, path) for path in list_pictures(folder)})
        if "" in names[split]:
            raise DataError(
                f"data.classes: received {declared}, but pictures in {folder} lie in no folder of "
                "a class. Put each picture into a class's folder, or set data.classes=null.\n"
                + _layouts(root)
            )
    unknown = [name for name in names["test"] if name not in names["train"]]
    if unknown:
        raise DataError(
            f"{folders['test']} has classes that {folders['train']} lacks: {first_few(unknown)}. "
            f"The training classes are {first_few(names['train'])}. Rename or remove the test "
            "classes that are not among them, or add training pictures of those classes."
        )
    if len(names["train"]) != declared:
        raise DataError(
            f"data.classes: received {declared}, but {folders['train']} has {len(names['train'])} "
            f"folders: {first_few(names['train'])}. Set data.classes={len(names['train'])}, or "
            "null for no labels."
        )
    return tuple(names["train"])


def class_of(folder: Path, path: Path) -> str:
    """Return the class of a file: its first-level folder below the split's `folder`, or ""."""
    return _first_folder(folder, path)


def _first_folder(folder: Path, path: Path) -> str:
    parts = path.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else ""


def _hash(root: Path, path: Path) -> str:
    name = unicodedata.normalize("NFC", path.relative_to(root).as_posix())
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()


def _no_folder(root: Path) -> DataError:
    if root.exists():
        return DataError(f"data.root: {root} is a file, not a folder.\n{_layouts(root.parent)}")
    parent = next(path for path in root.absolute().parents if path.is_dir())
    missing = root.absolute().relative_to(parent).parts[0]
    siblings = sorted(path.name for path in parent.iterdir() if path.is_dir())
    hint = nearest(missing, siblings)
    holds = f"{parent} holds {first_few(siblings)}." if siblings else f"{parent} holds no folders."
    return DataError(f"data.root: there is no folder {root}.{hint or ' ' + holds}")


def _no_pictures(root: Path) -> DataError:
    files = list(islice((path for path in root.rglob("*") if path.is_file()), _COUNTED))
    endings = Counter(path.suffix.lower() or "no ending" for path in files).most_common(_NAMED)
    others = ", ".join(f"{count:,} {ending}" for ending, count in endings)
    more = "at least " if len(files) == _COUNTED else ""
    return DataError(
        f"data.root: no pictures in {root}.\n{_layouts(root)}\nFound\n{draw_found(root)}\n"
        + (f"and {more}{len(files):,} other files ({others})." if files else "and no other files.")
    )


def _ambiguous(root: Path, others: list[str]) -> DataError:
    return DataError(
        f"data.root: {root} holds folders of splits, and pictures elsewhere: in "
        f"{first_few(others)}.\n{_layouts(root)}\nFound\n{draw_found(root)}\n"
        "Move these pictures into the splits or out of this folder. If train/ and the other "
        "splits are classes, rename them."
    )


def _empty_split(root: Path, folders: dict[str, Path], counts: dict[str, int]) -> DataError:
    found = draw_tree((folders[split], f"{counts[split]:,} pictures") for split in folders)
    return DataError(
        f"data.root: a split in {root} is empty.\n{_layouts(root)}\nFound\n{found}\nPut pictures "
        "into the empty folder. If it is the folder for tests, you can remove it: then the share "
        "data.test_share of the training pictures is used for tests."
    )


def _layouts(root: Path) -> str:
    return "Expected one of\n" + draw_tree(
        [
            (root / "*.png", "or .jpg, …; in folders of any depth"),
            (root / "<class>" / "*.png", "with data.classes=<number of classes>"),
            (root / "{train,test}" / "…", "or val/ for test/; in each of them as above"),
        ]
    )
