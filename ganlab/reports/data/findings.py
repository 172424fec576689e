"""The result of checking a folder of pictures, as data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class FolderFacts:
    """The pictures directly in one folder, without its sub-folders.

    Attributes:
        path: the folder.
        pictures: the number of pictures.
        sizes: the number of pictures of each "width×height".
        kinds: the number of pictures of each format and mode of Pillow, such as "JPEG RGB".
    """

    path: Path
    pictures: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass
class DataCheck:
    """The result of checking a folder.

    Attributes:
        root: the folder.
        folders: facts of every folder with pictures.
        use: a phrase on how the folder would be used; None if it cannot be used.
        kind: "paired", "unpaired", "classes", "folder", "celeba", or "" if it cannot be used.
        counts: maps a purpose to a number of pictures or pairs: {"pairs to train on": 400}.
        command: the command that trains on the folder, to be pasted into a shell.
        hints: sentences on sub-folders that the user may have wanted to check instead.
        wrong: sentences on errors that would stop a training.
        notes: further sentences.
        samples: pictures to show, as one list for each row title.
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
