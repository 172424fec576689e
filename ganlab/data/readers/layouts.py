"""The folder layouts of translation data sets, and how a folder's layout is recognised.

A layout has some of the splits "train", "val" and "test", or the single split "all". Each split has
the sides "a" and "b", or the side "ab" if each file holds two pictures, A left of B.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from ganlab.data.archives.files import draw_tree
from ganlab.data.readers.decoding import ENDINGS
from ganlab.data.readers.folder_walk import MAX_FOLDERS, draw_found, pictures_in, walk_folders
from ganlab.data.readers.pictures import list_pictures
from ganlab.errors import DataError, first_few

Kind = Literal["paired", "unpaired"]
SPLITS = ("train", "val", "test")
_NAMED = 10  # a message names at most this many files or folders


@dataclass(frozen=True)
class Layout:
    """The layout of a folder.

    Attributes:
        root: the set's folder.
        form: a description of the layout for messages.
        folders: the folder of each split and side, as `folders[split][side]`.
        unused: descriptions of what lies next to these folders and is not used, such as "notes/" or
            "3 pictures in A/ itself".
    """

    root: Path
    form: str
    folders: dict[str, dict[str, Path]]
    unused: tuple[str, ...] = ()

    def files(self, split: str, side: str) -> list[Path]:
        """Return the pictures of one side of a split, sorted by name.

        Raises:
            DataError: if the side has no pictures, or two names differ only in case.
        """
        folder = self.folders[split][side]
        # files that hold A and B must lie in the folder itself: sub-folders mean another layout
        paths = pictures_in(folder) if side == "ab" else list_pictures(folder)
        if not paths:
            below = sorted(path.name for path in folder.iterdir() if path.is_dir())
            why = f"pictures in it lie in sub-folders ({first_few(below)})" if below else "empty"
            raise DataError(
                f"{folder} holds no pictures: {why}. Put pictures there ({', '.join(ENDINGS)}), or "
                f"remove the folder. `ganlab data check {self.root}` shows what there is."
            )
        check_case(folder, paths)
        return paths


def find_layout(root: Path, kind: Kind) -> Layout | None:
    """Return a folder's layout as pairs or as two unpaired sets; None if no layout fits.

    Raises:
        DataError: if side A or B lacks a folder that the other side has, or folder names differ
            only in case.
    """
    if not root.is_dir():
        return None
    children = _children(root)
    joined = _joined(root, children)
    sides_in_splits = _sides_in_splits(children)
    splits_in_sides = _splits_in_sides(root, children)
    side_by_side = {s: {"ab": children[s]} for s in SPLITS if s in children}
    splits_shown = "" if "all" in splits_in_sides else f", with {_shown(splits_in_sides)}"
    forms: list[tuple[str, dict[str, dict[str, Path]]]] = [
        (f"sides A and B in each of {_shown(sides_in_splits)}", sides_in_splits)
    ]
    if kind == "paired":
        form = f"files that hold A left of B, in {_shown(side_by_side)}"
        forms.append((form, side_by_side))
    forms += [
        (f"folders {', '.join(f'{s}A and {s}B' for s in joined)}", joined),
        ("folders A and B" + splits_shown, splits_in_sides),
    ]
    if kind == "unpaired":  # prefer trainA/ and trainB/ to A/ and B/ within train/
        forms[0], forms[1] = forms[1], forms[0]
    for form, folders in forms:
        if folders:
            used = {path for sides in folders.values() for path in sides.values()}
            return Layout(root, form, folders, tuple(_unused(root, used)))
    if kind == "paired" and pictures_in(root):
        deeper = any(n for folder, n in walk_folders(root) if folder != root)
        form = "files that hold A left of B"
        return None if deeper else Layout(root, form, {"all": {"ab": root}})
    return None


def sets_below(root: Path, *kinds: Kind) -> list[Path]:
    """Return up to `_NAMED` folders below a root that are data sets of one of the kinds.

    A folder that holds only files is left out, as it may be the folder of a class.
    """
    candidates = {
        path
        for folder, n in islice(walk_folders(root), MAX_FOLDERS)
        for path in (folder, *folder.parents[:2])  # pictures lie up to two levels below a set
        if n and root in path.parents
    }
    sets: list[Path] = []
    for candidate in sorted(candidates, key=lambda path: (len(path.parts), path)):
        is_in_a_set = any(path in candidate.parents for path in sets)
        if not is_in_a_set and any(_recognised(candidate, kind) for kind in kinds):
            sets.append(candidate)
        if len(sets) == _NAMED:
            break
    return sets


def unknown_layout(root: Path, kind: Kind) -> DataError:
    """Return the error for a folder without a known layout; it shows what is expected and found."""
    if not root.is_dir():
        state = "it is a file" if root.exists() else "it does not exist"
        return DataError(f"data.root: {root} is not a folder: {state}. {_expected(root, kind)}")
    hints = []
    if below := sets_below(root, kind):
        roots = " or ".join(f"data.root={path}" for path in below)
        hints.append(f"Did you mean {roots}?")
    other: Kind = "unpaired" if kind == "paired" else "paired"
    if _recognised(root, other):
        hints.append(f"It has the layout of {other} pictures: use data={other} data.root={root}.")
    what = "pairs" if kind == "paired" else "unpaired pictures"
    return DataError(
        f"data.root: {root} is not a folder of {what}. {_expected(root, kind)}\n"
        f"Found\n{draw_found(root)}\n"
        + " ".join([*hints, f"`ganlab data check {root}` shows more."])
    )


def _expected(root: Path, kind: Kind) -> str:
    side_by_side = (
        root / "{train,val,test}" / "*.png",
        "A left of B in each file; or all files in one folder",
    )
    sides = (root / "{A,B}" / "{train,val,test}" / "*.png", "the same names in A and in B")
    joined = (root / "{trainA,trainB,testA,testB}" / "*.png", "or A/* and B/*, or A/train/* …")
    return "Expected, as .png, .jpg or other pictures,\n" + draw_tree(
        [side_by_side, sides, (root / "{A,B}" / "*.png", "the same names; some are for tests")]
        if kind == "paired"
        else [joined]
    )


def _recognised(folder: Path, kind: Kind) -> bool:
    """Whether a folder has a layout of a kind.

    Files with A left of B in the folder itself do not count, as they may be other pictures.
    """
    try:
        layout = find_layout(folder, kind)
    except (DataError, OSError):
        return False
    return layout is not None and layout.folders != {"all": {"ab": folder}}


def check_case(folder: Path, paths: Sequence[Path]) -> None:
    """Raise a DataError if two names differ only in case: on some systems they are one file."""
    if clashes := case_clashes(folder, paths):
        pairs = first_few((f"{first} and {second}" for first, second in clashes), between="; ")
        raise DataError(
            f"{folder} holds names that differ only in case: {pairs}. Rename one of each pair, "
            "as some file systems take the two names for one file."
        )


def case_clashes(folder: Path, paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Return pairs of relative paths that differ only in case, or in how Unicode writes accents."""
    seen: dict[str, Path] = {}
    clashes = []
    for path in paths:
        relative = path.relative_to(folder)
        key = unicodedata.normalize("NFC", relative.as_posix()).casefold()
        first = seen.setdefault(key, relative)
        if first != relative:
            clashes.append((first, relative))
    return clashes


def _children(root: Path) -> dict[str, Path]:
    """Map the lower-case name of each sub-folder that is not hidden to its path."""
    paths = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    check_case(root, paths)
    return {path.name.lower(): path for path in paths}


def _joined(root: Path, folders: dict[str, Path]) -> dict[str, dict[str, Path]]:
    """Return the folders trainA, trainB and so on, as `Layout.folders`."""
    splits = [s for s in SPLITS if f"{s}a" in folders or f"{s}b" in folders]
    for split in splits:
        for side, other in (("a", "b"), ("b", "a")):
            if split + side not in folders:
                raise _no_counterpart(folders[split + other], root / f"{split}{side.upper()}")
    return {s: {"a": folders[f"{s}a"], "b": folders[f"{s}b"]} for s in splits}


def _sides_in_splits(folders: dict[str, Path]) -> dict[str, dict[str, Path]]:
    """Return the folders train/A, train/B and so on, as `Layout.folders`."""
    by_split = {split: _children(folders[split]) for split in SPLITS if split in folders}
    sides = {
        split: {side: children[side] for side in ("a", "b")}
        for split, children in by_split.items()
        if {"a", "b"} <= set(children)
    }
    for split, children in by_split.items():
        for side, other in (("a", "b"), ("b", "a")):
            if sides and side not in children and other in children:
                raise _no_counterpart(children[other], folders[split] / side.upper())
    return sides


def _no_counterpart(present: Path, missing: Path) -> DataError:
    return DataError(
        f"{present} has no counterpart. Expected\n"
        + draw_tree([(present, "found"), (missing, "missing")])
        + f"\nPut pictures into {missing}, or remove {present.name}."
    )


def _splits_in_sides(root: Path, folders: dict[str, Path]) -> dict[str, dict[str, Path]]:
    """Return the folders A/train, B/train and so on, as `Layout.folders`.

    Without such sub-folders, A and B are the folders of the split "all".
    """
    if not {"a", "b"} <= set(folders):
        return {}
    a, b = _children(folders["a"]), _children(folders["b"])
    splits = [s for s in SPLITS if s in a or s in b]
    if not splits:
        return {"all": {"a": folders["a"], "b": folders["b"]}}
    for split in splits:
        if split not in a or split not in b:
            tree = [
                (root / side.name / split, "found" if split in children else "missing")
                for side, children in ((folders["a"], a), (folders["b"], b))
            ]
            raise DataError(
                f"{root}: A and B have different splits. Expected\n{draw_tree(tree)}\nPut pictures "
                "into the missing folder, or remove the folder that was found."
            )
    return {s: {"a": a[s], "b": b[s]} for s in splits}


def _unused(root: Path, used: set[Path]) -> list[str]:
    """Describe what is not used in the root and in the folders between it and the used folders."""
    unused = []
    searched = {root} | {path.parent for path in used}
    for folder in sorted(searched):
        name = "" if folder == root else f"{folder.name}/"
        if n := len(pictures_in(folder)):
            unused.append(f"{n:,} pictures in {name or 'the folder'} itself")
        others = [path for path in _children(folder).values() if path not in used | searched]
        unused += [f"{name}{path.name}/" for path in others if next(path.iterdir(), None)]
    return unused


def _shown(splits: dict[str, dict[str, Path]]) -> str:
    return ", ".join(f"{split}/" for split in splits)
