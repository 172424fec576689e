"""What is found of a folder of pictures, as data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


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
        use: as what the folder would be used; None if it cannot be used.
        kind: "paired", "unpaired", "classes", "folder", "celeba", or "" where it cannot be used.
        counts: pictures or pairs by what they are for, such as {"to train on": 400}.
        command: that trains on it, to be pasted into a shell.
        hints: other folders that may have been meant.
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
    hints: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    samples: dict[str, list[Path]] = field(default_factory=dict)
