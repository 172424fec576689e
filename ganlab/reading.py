"""Reading of files that may come from anyone: their size, depth and kind are bounded."""

from __future__ import annotations

import errno
import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from ganlab.errors import RunError, nearest

_MODELS = Path(__file__).parent / "core" / "model_files"


@contextmanager
def reading(
    kind: str,
    path: Path,
    damage: tuple[type[Exception], ...] = (ValueError,),
    remedy: str = "Put back a copy of it, or move the folder away.",
) -> Iterator[None]:
    """Within the block, which reads a file, raise errors that a user can understand.

    Args:
        kind: what the file's folder holds, "run" or "sweep".
        path: the file.
        damage: exceptions that mean that the file is damaged.
        remedy: what the user can do about a damaged file.

    Raises:
        RunError: the file does not exist, cannot be read, or is damaged.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"{kind}: {path.parent} is not a {kind}'s folder (it has no {path.name}). "
            f"{_near_folder(path)}{kind.capitalize()}s are in outputs/<name>/<date>_<time>/."
        ) from None
    except OSError as error:
        raise RunError(
            f"{kind}: {path} cannot be read: {error.strerror}. Check its permissions and its disk."
        ) from error
    except damage as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise RunError(f"{kind}: {path} is damaged: {reason}. {remedy}") from error


def _near_folder(path: Path) -> str:
    """Return a sentence that names a folder inside of or beside that of `path` with such a file.

    It is empty if there is none, or if the folder holds a run.
    """
    folder, found = path.parent, []
    with suppress(OSError):
        if (folder / "run.json").exists():
            return ""
        found = [inner.parent for inner in islice(folder.glob(f"*/{path.name}"), 1000)]
        if found:
            return f"It holds some: {max(found)}. "
        found = [other.parent for other in islice(folder.parent.glob(f"*/{path.name}"), 1000)]
    models = [file.stem for file in _MODELS.glob("*.safetensors")]
    if str(folder) in models:
        return (
            f"{folder} is a trained model that comes with ganlab; make samples with it: "
            f"ganlab sample run={folder}. "
        )
    hint = nearest(str(folder), [*models, *map(str, found)])
    return f"{hint[1:]} " if hint else ""


def read_text(path: Path, most: int = 2**26) -> str:
    """Return the text of a file that may come from anyone.

    Args:
        path: the file.
        most: largest size in bytes.

    Raises:
        OSError: the file does not exist, is no regular file, or cannot be read.
        ValueError: the file is too large, or is not UTF-8.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):  # reading a named pipe could wait for ever
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if state.st_size > most:
        raise ValueError(f"it has {state.st_size:,} bytes, more than {most:,}")
    return path.read_text(encoding="utf-8")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file of up to 16 MiB that may come from anyone.

    Raises:
        OSError: see `read_text`.
        ValueError: the file is too large; or see `parse_json`.
    """
    # Python's objects take up to 30 times their text
    return parse_json(read_text(path, most=2**24))


def parse_json(text: str) -> Any:
    """Return the content of JSON that may come from anyone.

    Whole numbers of more than 18 digits become floats.

    Raises:
        ValueError: the text is not JSON, or nested too deeply, or has too many entries.
    """
    try:
        content = json.loads(text, parse_int=lambda t: int(t) if len(t) < 19 else float(t))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    check_extent(content, 1_000_000)
    return content


def check_extent(content: Any, most: int, deepest: int = 50) -> None:
    """Raise if plain containers are too large or nested too deeply to be worked with.

    Args:
        content: dicts, lists, tuples and scalars. A container that is in several places counts in
            each.
        most: largest number of containers and values.
        deepest: largest number of containers inside each other.

    Raises:
        ValueError: the message says which limit is exceeded.
    """
    extents: dict[int, tuple[int, int]] = {}  # by the container's id: entries, and levels inside
    open_nodes: set[int] = set()  # containers whose contents are being counted

    def extent(node: Any, level: int) -> tuple[int, int]:
        if not isinstance(node, (dict, list, tuple)):
            return 1, 0
        if id(node) not in extents:
            if level == deepest or id(node) in open_nodes:
                raise ValueError(f"it is nested more than {deepest} levels deep")
            open_nodes.add(id(node))
            items = node.values() if isinstance(node, dict) else node
            inner = [extent(item, level + 1) for item in items]
            total = 1 + sum(entries for entries, _ in inner)
            extents[id(node)] = total, 1 + max((levels for _, levels in inner), default=0)
        entries, levels = extents[id(node)]
        if level + levels > deepest:
            raise ValueError(f"it is nested more than {deepest} levels deep")
        if entries > most or len(extents) > most:  # the second ends the search early
            raise ValueError(f"it has more than {most:,} entries")
        return entries, levels

    extent(content, 0)
