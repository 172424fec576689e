"""Where the pictures of a translation set lie: the layouts that people have, told apart by looking.

A layout has splits ("train", "val", "test", or "all" where there are none), and in each of them the
sides "a" and "b", or "ab" where both are in one file, A left of B.
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
from ganlab.data.readers.folder_walk import LOOKED_AT, draw_found, pictures_in, walk_folders
from ganlab.data.readers.pictures import list_pictures
from ganlab.errors import DataError

Kind = Literal["paired", "unpaired"]
SPLITS = ("train", "val", "test")
_NAMED = 10  # files or folders that a message names


@dataclass(frozen=True)
class Layout:
    """What was recognised.

    Attributes:
        root: the set's folder.
        form: what a message calls the layout.
        folders: folder by split and side.
        unused: what lies beside the folders and is no part of it: "notes/", or "3
            pictures in A/ itself".
    """

    root: Path
    form: str
    folders: dict[str, dict[str, Path]]
    unused: tuple[str, ...] = ()

    def files(self, split: str, side: str) -> list[Path]:
        """The pictures of one side of a split, in the order of their names.

        Raises:
            DataError: if there are none, or two whose names differ only in case.
        """
        folder = self.folders[split][side]
        # files of both sides must lie in the folder itself: sub-folders there are another layout
        paths = pictures_in(folder) if side == "ab" else list_pictures(folder)
        if not paths:
            inside = sorted(path.name for path in folder.iterdir() if path.is_dir())
            why = f"pictures in it lie in sub-folders ({_listed(inside)})" if inside else "empty"
            raise DataError(
                f"{folder} holds no pictures: {why}. Put pictures there ({', '.join(ENDINGS)}), or "
                f"remove the folder. `ganlab data check {self.root}` shows what there is."
            )
        check_case(folder, paths)
        return paths


def find_layout(root: Path, kind: Kind) -> Layout | None:
    """The layout of a folder of pairs, or of two unpaired sets; None where it is none of them.

    Raises:
        DataError: if one side lacks a folder that the other has, or folders differ only in case.
    """
    if not root.is_dir():
        return None
    here = _children(root)
    joined = _joined(root, here)
    within = _within(here)
    sides = _sides(root, here)
    single = {s: {"ab": here[s]} for s in SPLITS if s in here}
    forms: list[tuple[str, dict[str, dict[str, Path]]]] = [
        (f"sides A and B in each of {_shown(within)}", within)
    ]
    if kind == "paired":
        forms.append((f"files of both sides, A left of B, in {_shown(single)}", single))
    forms += [
        (f"folders {', '.join(f'{s}A and {s}B' for s in joined)}", joined),
        ("folders A and B" + (f", with {_shown(sides)}" if "all" not in sides else ""), sides),
    ]
    if kind == "unpaired":  # the set's own folders before side-by-side files kept beside them
        forms[0], forms[1] = forms[1], forms[0]
    for form, folders in forms:
        if folders:
            used = {path for sides in folders.values() for path in sides.values()}
            return Layout(root, form, folders, tuple(_beside(root, used)))
    if kind == "paired" and pictures_in(root):
        deeper = any(n for folder, n in walk_folders(root) if folder != root)
        form = "files of both sides, A left of B"
        return None if deeper else Layout(root, form, {"all": {"ab": root}})
    return None


def sets_below(root: Path, *kinds: Kind) -> list[Path]:
    """Folders under a root that are sets of one of the kinds by themselves, at most `_NAMED`.

    A folder of nothing but files is not taken for one, as it may be a class.
    """
    places = {
        place
        for folder, n in islice(walk_folders(root), LOOKED_AT)
        for place in (folder, *folder.parents[:2])  # pictures of a set lie up to two levels down
        if n and root in place.parents
    }
    found: list[Path] = []
    for place in sorted(places, key=lambda path: (len(path.parts), path)):
        is_new = not any(above in place.parents for above in found)
        if is_new and any(_recognised(place, kind) for kind in kinds):
            found.append(place)
        if len(found) == _NAMED:
            break
    return found


def unknown_layout(root: Path, kind: Kind) -> DataError:
    """The error for a folder that has none of the layouts: what is expected, what was found."""
    if not root.is_dir():
        state = "it is a file" if root.exists() else "there is none"
        return DataError(f"data.root: {root} is not a folder: {state}. {_advice(root, kind)}")
    hints = []
    if inside := sets_below(root, kind):
        roots = " or ".join(f"data.root={path}" for path in inside)
        hints.append(f"Did you mean {roots}?")
    other: Kind = "unpaired" if kind == "paired" else "paired"
    if _recognised(root, other):
        hints.append(f"It has the layout of {other} pictures: data={other} data.root={root}.")
    what = "pairs" if kind == "paired" else "unpaired pictures"
    return DataError(
        f"data.root: {root} is no folder of {what}. {_advice(root, kind)}\n"
        f"Found\n{draw_found(root)}\n"
        + " ".join([*hints, f"`ganlab data check {root}` says more."])
    )


def _advice(root: Path, kind: Kind) -> str:
    side_by_side = (
        root / "{train,val,test}" / "*.png",
        "A left of B in each file; or no sub-folders",
    )
    sides = (root / "{A,B}" / "{train,val,test}" / "*.png", "the same names in A and in B")
    joined = (root / "{trainA,trainB,testA,testB}" / "*.png", "or A/* and B/*, or A/train/* …")
    return "Expected, as .png, .jpg or other pictures,\n" + draw_tree(
        [side_by_side, sides, (root / "{A,B}" / "*.png", "the same, split by a rule")]
        if kind == "paired"
        else [joined]
    )


def _recognised(folder: Path, kind: Kind) -> bool:
    """Whether a folder has a layout that says more than that there are files in it."""
    try:
        layout = find_layout(folder, kind)
    except (DataError, OSError):
        return False
    return layout is not None and layout.folders != {"all": {"ab": folder}}


def check_case(folder: Path, paths: Sequence[Path]) -> None:
    """Raise a DataError where two names differ only in case: other file systems merge them."""
    if clashes := case_clashes(folder, paths):
        pairs = "; ".join(f"{one} and {two}" for one, two in clashes[:_NAMED])
        more = f"; … and {len(clashes) - _NAMED} more" if len(clashes) > _NAMED else ""
        raise DataError(
            f"{folder} holds files that differ only in case: {pairs}{more}. Rename one of each: on "
            "other file systems they are one file."
        )


def case_clashes(folder: Path, paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pairs of relative paths that differ only in case (or in how Unicode writes an accent)."""
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
    """Sub-folders by their name in lower case, hidden ones left out."""
    paths = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    check_case(root, paths)
    return {path.name.lower(): path for path in paths}


def _joined(root: Path, here: dict[str, Path]) -> dict[str, dict[str, Path]]:
    splits = [s for s in SPLITS if f"{s}a" in here or f"{s}b" in here]
    for split in splits:
        for side, other in (("a", "b"), ("b", "a")):
            if split + side not in here:
                raise _no_counterpart(here[split + other], root / f"{split}{side.upper()}")
    return {s: {"a": here[f"{s}a"], "b": here[f"{s}b"]} for s in splits}


def _within(here: dict[str, Path]) -> dict[str, dict[str, Path]]:
    inside = {split: _children(here[split]) for split in SPLITS if split in here}
    sides = {
        split: {side: children[side] for side in ("a", "b")}
        for split, children in inside.items()
        if {"a", "b"} <= set(children)
    }
    for split, children in inside.items():
        for side, other in (("a", "b"), ("b", "a")):
            if sides and side not in children and other in children:
                raise _no_counterpart(children[other], here[split] / side.upper())
    return sides


def _no_counterpart(there: Path, missing: Path) -> DataError:
    return DataError(
        f"{there} has no counterpart. Expected\n"
        + draw_tree([(there, "found"), (missing, "missing")])
        + f"\nPut the other side's pictures into {missing}, or take {there.name} away."
    )


def _sides(root: Path, here: dict[str, Path]) -> dict[str, dict[str, Path]]:
    if not {"a", "b"} <= set(here):
        return {}
    a, b = _children(here["a"]), _children(here["b"])
    splits = [s for s in SPLITS if s in a or s in b]
    if not splits:
        return {"all": {"a": here["a"], "b": here["b"]}}
    for split in splits:
        if split not in a or split not in b:
            tree = [
                (root / side.name / split, "found" if split in inside else "missing")
                for side, inside in ((here["a"], a), (here["b"], b))
            ]
            raise DataError(
                f"{root}: A and B have different splits. Expected\n{draw_tree(tree)}\nMake the "
                "missing folder and put its pictures there, or take the other one away."
            )
    return {s: {"a": a[s], "b": b[s]} for s in splits}


def _beside(root: Path, used: set[Path]) -> list[str]:
    """What lies in the root, or between it and the folders used, and is no part of the set."""
    unused = []
    above = {root} | {path.parent for path in used}
    for folder in sorted(above):
        name = "" if folder == root else f"{folder.name}/"
        if n := len(pictures_in(folder)):
            unused.append(f"{n:,} pictures in {name or 'the folder'} itself")
        others = [path for path in _children(folder).values() if path not in used | above]
        unused += [f"{name}{path.name}/" for path in others if next(path.iterdir(), None)]
    return unused


def _shown(splits: dict[str, dict[str, Path]]) -> str:
    return ", ".join(f"{split}/" for split in splits)


def _listed(names: Sequence[str]) -> str:
    more = f", … and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
