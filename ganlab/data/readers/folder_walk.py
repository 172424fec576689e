"""The folders under a root and how many pictures lie in each, without listing all of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ganlab.data.archives.files import draw_tree
from ganlab.data.readers.decoding import ENDINGS

_NAMED = 10  # folders that a message names
LOOKED_AT = 1000  # folders that are looked at for a message, as a wrong root may be a whole disk


def pictures_in(folder: Path) -> list[Path]:
    """The pictures that `list_pictures` finds in the folder itself, not in its sub-folders.

    Raises:
        OSError: if it cannot be read.
    """
    paths = (path for path in folder.iterdir() if path.name[0] != "." and not path.is_dir())
    return sorted(path for path in paths if path.name.lower().endswith(ENDINGS))


def walk_folders(root: Path) -> Iterator[tuple[Path, int]]:
    """The folders from a root on, upper ones first, with the number of pictures in each itself.

    As in `list_pictures`, hidden ones are left out; what cannot be read counts as empty.
    """
    waiting: deque[tuple[Path, tuple[Path, ...]]] = deque([(root, ())])
    while waiting:
        folder, above = waiting.popleft()
        real = folder.resolve()
        if real in above:  # a link to a folder above would never end
            continue
        try:
            inside = sorted(path for path in folder.iterdir() if path.is_dir())
            n = len(pictures_in(folder))
        except OSError:  # it may not be read
            inside, n = [], 0
        named = (path for path in inside if not path.name.startswith((".", "__MACOSX")))
        waiting += ((path, (*above, real)) for path in named)
        yield folder, n


def draw_found(root: Path) -> str:
    """The folders under a root with the number of pictures that lie in each itself.

    Of many folders only the first `LOOKED_AT` are looked at.
    """
    counts = list(islice(walk_folders(root), LOOKED_AT))
    rows = [
        (folder, f"{n:,} pictures")
        for folder, n in sorted(counts)
        if n or folder == root or folder.parent == root
    ]
    at_least = "at least " if len(counts) == LOOKED_AT else ""
    more = f"\n  … and {at_least}{len(rows) - _NAMED} more folders" if len(rows) > _NAMED else ""
    return draw_tree(rows[:_NAMED]) + more
