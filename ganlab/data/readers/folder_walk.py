"""Walk the folders below a root and count the pictures in each folder."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ganlab.data.archives.files import draw_tree
from ganlab.data.readers.decoding import ENDINGS

_NAMED = 10  # a message names at most this many folders
MAX_FOLDERS = 1000  # no more folders are read for a message: a wrong root may be a whole disk


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures that `list_pictures` finds in the folder itself, not in sub-folders.

    Raises:
        OSError: if the folder cannot be read.
    """
    paths = (path for path in folder.iterdir() if path.name[0] != "." and not path.is_dir())
    return sorted(path for path in paths if path.name.lower().endswith(ENDINGS))


def walk_folders(root: Path) -> Iterator[tuple[Path, int]]:
    """Yield a root and all folders below it, upper folders first, each with its number of pictures.

    Only pictures in the folder itself are counted, not in its sub-folders. Hidden folders are left
    out, as in `list_pictures`. A folder that cannot be read counts as empty.
    """
    waiting: deque[tuple[Path, tuple[Path, ...]]] = deque([(root, ())])
    while waiting:
        folder, ancestors = waiting.popleft()
        real = folder.resolve()
        if real in ancestors:  # following a link to an ancestor would never end
            continue
        try:
            children = sorted(path for path in folder.iterdir() if path.is_dir())
            n = len(pictures_in(folder))
        except OSError:
            children, n = [], 0
        visible = (path for path in children if not path.name.startswith((".", "__MACOSX")))
        waiting += ((path, (*ancestors, real)) for path in visible)
        yield folder, n


def draw_found(root: Path) -> str:
    """Return lines for a message: folders below a root, each with its number of pictures.

    Only the first `MAX_FOLDERS` folders are read.
    """
    counts = list(islice(walk_folders(root), MAX_FOLDERS))
    rows = [
        (folder, f"{n:,} pictures")
        for folder, n in sorted(counts)
        if n or folder == root or folder.parent == root
    ]
    at_least = "at least " if len(counts) == MAX_FOLDERS else ""
    more = f"\n  … and {at_least}{len(rows) - _NAMED} more folders" if len(rows) > _NAMED else ""
    return draw_tree(rows[:_NAMED]) + more
