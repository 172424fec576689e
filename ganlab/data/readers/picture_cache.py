"""A disk cache of decoded and resized pictures: one process builds it, all memory-map it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from ganlab.data.archives.files import cache_folder
from ganlab.data.archives.part_folders import part_folder
from ganlab.data.readers.caching import is_own
from ganlab.data.readers.threads import in_threads
from ganlab.files import replacing
from ganlab.printable import console, one_line
from ganlab.reading import read_json, read_text

VERSION = 1  # increased when the layout of an entry or the computation of pixels changes
_LOG = logging.getLogger(__name__)
Pixels = Callable[[Sequence[Path], tuple[int, ...]], Iterator[Tensor | str]]
Built = tuple[Tensor, dict[int, str]]  # the images, and the reason for each broken row


class PictureCache:
    """The cache entry for some files and settings.

    An entry is a folder `<key>/` with `images.bin`, the pixels of all kept pictures in order, and
    `manifest.json`. The entry is built in a temporary folder, which is renamed when it is complete.
    Meanwhile the process holds a lock, which is released even if the process is killed. The key is
    a hash of the settings and of the files' contents, in order. `stamps/` stores the hash of the
    contents for each combination of file names, lengths and modification times, so that unchanged
    files are not read. Files that an entry lacks are retried at every use, because a file can fail
    for a reason outside of it, such as a damaged partner.

    Args:
        paths: the files.
        root: the folder of the files.
        settings: all other values that the pixels depend on; JSON must support them.
        title: the name of the pictures in messages.
    """

    def __init__(
        self, paths: Sequence[Path], root: Path, settings: dict[str, Any], title: str
    ) -> None:
        self.paths, self.root, self.settings, self.title = paths, root, settings, title
        self.folder = cache_folder() / "pictures"

    def get(
        self, shape: Callable[[], tuple[int, ...]], pixels: Pixels, skip_corrupt: bool
    ) -> Built | None:
        """Return the entry, built if needed; None, after a warning, if the cache cannot be used.

        Args:
            shape: returns the shape of every picture, (C, H, W).
            pixels: called with files and a shape; yields for each file its uint8 pixels of this
                shape, or the reason why the file cannot be used.
            skip_corrupt: whether an entry that lacks some files is kept. If it is false and a file
                cannot be used, no images are returned.

        Returns:
            The images, uint8 (N, C, H, W), of the N files that can be used, and a dict that maps
            the row in `paths` of each other file to the reason. The images are a private memory
            map: writing to them does not change the cache.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            key = self._key()
            entry = self.folder / key
            with _locked(self.folder / f"{key}.lock", self.title):
                built = _read(entry)
                if built is None or self._is_mended(*built, pixels):
                    built = self._build(entry, shape(), pixels, skip_corrupt)
            return built
        except OSError as error:
            _LOG.warning(
                "%s: the cache %s cannot be used (%s), so the pictures are kept in memory and "
                "decoded again at every start. Make room there, point XDG_CACHE_HOME at another "
                "folder, or set data.cache=memory.",
                self.title,
                self.folder,
                error.strerror or error,
            )
            return None

    def _build(
        self,
        entry: Path,
        shape: tuple[int, ...],
        pixels: Pixels,
        skip_corrupt: bool,
    ) -> Built | None:
        need, free = len(self.paths) * prod(shape), shutil.disk_usage(self.folder).free
        if free < need:
            raise OSError(f"{need / 2**20:,.0f} MiB are needed and {free / 2**20:,.0f} are free")
        with part_folder(self.folder, "") as part:
            broken: dict[int, str] = {}
            with (part / "images.bin").open("wb") as file:
                for row, picture in enumerate(pixels(self.paths, shape)):
                    if isinstance(picture, str):
                        broken[row] = picture
                    else:
                        file.write(picture.contiguous().numpy())
                file.flush()
                os.fsync(file.fileno())
            kept = len(self.paths) - len(broken)
            if broken and not (skip_corrupt and kept):
                return torch.empty(0, *shape, dtype=torch.uint8), broken
            # `_read` ignores the note, which tells people what the entry is
            manifest = {"version": VERSION, "shape": [kept, *shape], "broken": broken}
            note = {"title": self.title, "root": str(self.root), **self.settings}
            (part / "manifest.json").write_text(json.dumps({**manifest, **note}, indent=1))
            if entry.is_symlink():
                entry.unlink()
            shutil.rmtree(entry, ignore_errors=True)  # an old entry, if any, cannot be used
            try:
                part.replace(entry)
            except OSError:  # without locks, another process may have built the entry meanwhile
                if not entry.exists():
                    raise
        return _read(entry)

    def _is_mended(self, images: Tensor, broken: dict[int, str], pixels: Pixels) -> bool:
        """Whether any file that the entry (`images`, `broken`) lacks can be prepared now."""
        lacking = [self.paths[row] for row in broken]
        retried = pixels(lacking, tuple(images.shape[1:])) if lacking else ()
        return any(not isinstance(picture, str) for picture in retried)

    def _key(self) -> str:
        text = json.dumps(self.settings, sort_keys=True) + self._contents()
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _contents(self) -> str:
        """Return a SHA-256 of all files' contents; it is read from `stamps/` if no file changed."""
        stamp = hashlib.sha256(os.fsencode(self.root.resolve()))
        for path in self.paths:
            stamp.update(b"\0" + os.fsencode(path) + b"\0" + _state(path).encode())
        stamp_file = self.folder / "stamps" / stamp.hexdigest()[:32]
        with suppress(OSError, ValueError):
            if is_own(stamp_file) and len(contents := read_text(stamp_file, most=64)) == 64:
                return contents
        digests = in_threads(_hash, self.paths, f"Comparing {self.title} with the cache")
        contents = hashlib.sha256("".join(digests).encode()).hexdigest()
        with replacing(stamp_file) as part:
            part.write_text(contents)
        return contents


def _read(entry: Path) -> Built | None:
    """Return an entry, or None if it is missing; if it is outdated or damaged, warn first."""
    if not os.path.lexists(entry):
        return None
    path, manifest_file = entry / "images.bin", entry / "manifest.json"
    try:
        manifest = read_json(manifest_file) if is_own(entry, path, manifest_file) else {}
        shape, length = [int(side) for side in manifest["shape"]], path.stat().st_size
        if manifest["version"] == VERSION and length == prod(shape):
            pixels = torch.from_file(str(path), shared=False, size=length, dtype=torch.uint8)
            broken = {int(row): str(why) for row, why in manifest["broken"].items()}
            if all(0 <= row < shape[0] + len(broken) for row in broken):
                return pixels.view(shape), broken
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        pass
    _LOG.warning("%s is damaged, of another version or of another user, and is rebuilt.", entry)
    return None


@contextmanager
def _locked(path: Path, title: str) -> Iterator[None]:
    """Make and hold a lock file; do nothing if the file system has no locks.

    Args:
        path: the lock file.
        title: the name of the pictures, shown while waiting for another process.
    """
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        from rich.markup import escape

        with console().status(f"Waiting for another process to prepare {escape(one_line(title))}"):
            lock.acquire()
    except (NotImplementedError, OSError):  # some network file systems
        pass
    try:
        yield
    finally:
        lock.release()


def _state(path: Path) -> str:
    """Return a file's length and modification time as text."""
    try:
        state = path.stat()
    except OSError:
        return "missing"
    return f"{state.st_size} {state.st_mtime_ns}"


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"missing: {error.errno}"
