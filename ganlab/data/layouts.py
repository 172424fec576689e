"""Where the pictures of a translation set lie: the layouts that people have, told apart by looking.

A layout has splits ("train", "val", "test", or "all" where there are none), and in each of them the
sides "a" and "b", or "ab" where both are in one file, A left of B.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganlab.data.decoding import ENDINGS
from ganlab.data.files import draw_tree
from ganlab.data.pictures import list_pictures
from ganlab.errors import DataError

Kind = Literal["paired", "unpaired"]
SPLITS = ("train", "val", "test")
_NAMED = 10  # files or folders that a message names


@dataclass(frozen=True)
class Layout:
    """What was recognised.

    Attributes:
        root: the set's folder.
        form: the layout in words.
        folders: folder by split and side.
        unused: sub-folders of the root that hold something and are no part of it.
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
        paths = _in_itself(folder) if side == "ab" else list_pictures(folder)
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
    here = _children(root)
    joined = _joined(root, here)
    within = {
        split: {side: _children(here[split])[side] for side in ("a", "b")}
        for split in SPLITS
        if split in here and {"a", "b"} <= set(_children(here[split]))
    }
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
            used = {
                path.relative_to(root).parts[0] for x in folders.values() for path in x.values()
            }
            return Layout(root, form, folders, tuple(sorted(_holding(here, used))))
    inside = _in_itself(root)
    if kind == "paired" and inside and inside == list_pictures(root):
        return Layout(root, "files of both sides, A left of B", {"all": {"ab": root}})
    return None


def unknown_layout(root: Path, kind: Kind) -> DataError:
    """The error for a folder that has none of the layouts: what is expected, what was found."""
    if not root.is_dir():
        state = "it is a file" if root.exists() else "there is none"
        return DataError(f"data.root: {root} is not a folder: {state}. {_advice(root, kind)}")
    hints = []
    inside = [child for child in _children(root, check=False).values() if _recognised(child, kind)]
    if inside:
        hints.append(f"Did you mean data.root={inside[0]}?")
    other: Kind = "unpaired" if kind == "paired" else "paired"
    if _recognised(root, other):
        hints.append(f"It has the layout of {other} pictures: data={other} data.root={root}.")
    words = "pairs" if kind == "paired" else "unpaired pictures"
    return DataError(
        f"data.root: {root} is no folder of {words}. {_advice(root, kind)}\n"
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
    try:
        return find_layout(folder, kind) is not None
    except DataError:
        return False


def _in_itself(folder: Path) -> list[Path]:
    return [path for path in list_pictures(folder) if path.parent == folder]


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


def draw_found(root: Path) -> str:
    """The folders under a root with the number of pictures that lie in each itself."""
    counts: dict[Path, int] = {root: 0}
    for path in list_pictures(root):
        counts[path.parent] = counts.get(path.parent, 0) + 1
    for folder in _children(root, check=False).values():
        counts.setdefault(folder, 0)
    rows = [(folder, f"{n:,} pictures") for folder, n in sorted(counts.items())]
    more = f"\n  … and {len(rows) - _NAMED} more folders" if len(rows) > _NAMED else ""
    return draw_tree(rows[:_NAMED]) + more


def _children(root: Path, check: bool = True) -> dict[str, Path]:
    """Sub-folders by their name in lower case, hidden ones left out."""
    if not root.is_dir():
        return {}
    paths = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    if check:
        check_case(root, paths)
    return {path.name.lower(): path for path in paths}


def _joined(root: Path, here: dict[str, Path]) -> dict[str, dict[str, Path]]:
    splits = [s for s in SPLITS if f"{s}a" in here or f"{s}b" in here]
    for split in splits:
        for side, other in (("a", "b"), ("b", "a")):
            if split + side not in here:
                missing = root / f"{split}{side.upper()}"
                there = here[split + other]
                raise DataError(
                    f"{there} has no counterpart. Expected\n"
                    + draw_tree([(there, "found"), (missing, "missing")])
                    + f"\nPut the other side's pictures into {missing}, or take {there.name} away."
                )
    return {s: {"a": here[f"{s}a"], "b": here[f"{s}b"]} for s in splits}


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


def _holding(here: dict[str, Path], used: set[str]) -> list[str]:
    return [p.name for p in here.values() if p.name not in used and next(p.iterdir(), None)]


def _shown(splits: dict[str, dict[str, Path]]) -> str:
    return ", ".join(f"{split}/" for split in splits)


def _listed(names: Sequence[str]) -> str:
    more = f", … and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
