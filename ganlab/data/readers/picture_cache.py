"""Prepared pictures on disk: built once, by one of several processes, and mapped into memory."""

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
from ganlab.data.readers.threads import in_threads
from ganlab.files import replacing

VERSION = 1  # of the layout and of what the pixels are; raised when either changes
_LOG = logging.getLogger(__name__)
Pixels = Callable[[Sequence[Path], tuple[int, ...]], Iterator[Tensor | str]]
Built = tuple[Tensor, dict[int, str]]  # images, and why rows of the files have none


class PictureCache:
    """The cache's entry for some files and settings.

    An entry is a folder `<key>/` of `images.bin`, the kept pictures one after another, and
    `manifest.json`. It is built beside its place and moved there when it is whole, under a lock
    that dies with its process. The key is of the files' contents, in order, and the settings;
    `stamps/` remembers the contents of files by name, length and time of change. Files that an
    entry lacks are tried again at every use, as a file may fail for what is not in it, such as the
    other one of its pair.

    Args:
        paths: of the files.
        root: their folder.
        settings: all else that the pixels depend on; plain values.
        title: what the pictures are called in messages.
    """

    def __init__(
        self, paths: Sequence[Path], root: Path, settings: dict[str, Any], title: str
    ) -> None:
        self.paths, self.root, self.settings, self.title = paths, root, settings, title
        self.folder = cache_folder() / "pictures"

    def get(
        self, shape: Callable[[], tuple[int, ...]], pixels: Pixels, skip_corrupt: bool
    ) -> Built | None:
        """The entry, built if need be; None, after a warning, where the disk cannot hold it.

        Args:
            shape: gives that of a picture, (C, H, W).
            pixels: gives for each of some files its uint8 pixels at such a shape, or why it has
                none.
            skip_corrupt: keep an entry that some files are missing from.

        Returns:
            images, uint8 (kept files, C, H, W), and why others were not kept, by their row. The
            images are a private map of the file: what is written to them is not written there.
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
            manifest = {"version": VERSION, "shape": [kept, *shape], "broken": broken}
            note = {"title": self.title, "root": str(self.root), **self.settings}  # for people
            (part / "manifest.json").write_text(json.dumps({**manifest, **note}, indent=1))
            shutil.rmtree(entry, ignore_errors=True)  # of another version, damaged, or mended since
            try:
                part.replace(entry)
            except OSError:  # where there are no locks, another process may have been first
                if not entry.exists():
                    raise
        return _read(entry)

    def _is_mended(self, images: Tensor, broken: dict[int, str], pixels: Pixels) -> bool:
        """Whether any file that an entry lacks can be prepared by now."""
        lacking = [self.paths[row] for row in broken]
        again = pixels(lacking, tuple(images.shape[1:])) if lacking else ()
        return any(not isinstance(picture, str) for picture in again)

    def _key(self) -> str:
        text = json.dumps(self.settings, sort_keys=True) + self._contents()
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _contents(self) -> str:
        """SHA-256 of all files' contents in order; from the stamps if no file has changed."""
        stamp = hashlib.sha256(os.fsencode(self.root.resolve()))
        for path in self.paths:
            stamp.update(b"\0" + os.fsencode(path) + b"\0" + _state(path).encode())
        known = self.folder / "stamps" / stamp.hexdigest()[:32]
        with suppress(OSError):
            if len(contents := known.read_text()) == 64:
                return contents
        digests = in_threads(_hash, self.paths, f"Comparing {self.title} with the cache")
        contents = hashlib.sha256("".join(digests).encode()).hexdigest()
        with replacing(known) as part:
            part.write_text(contents)
        return contents


def _read(entry: Path) -> Built | None:
    """An entry; None, after a warning, if it is of another version or damaged."""
    if not entry.exists():
        return None
    path = entry / "images.bin"
    try:
        manifest = json.loads((entry / "manifest.json").read_text())
        shape, length = [int(side) for side in manifest["shape"]], path.stat().st_size
        if manifest["version"] == VERSION and length == prod(shape):
            pixels = torch.from_file(str(path), shared=False, size=length, dtype=torch.uint8)
            broken = {int(row): str(why) for row, why in manifest["broken"].items()}
            return pixels.view(shape), broken
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        pass
    _LOG.warning("%s is of another version or damaged and is rebuilt.", entry)
    return None


@contextmanager
def _locked(path: Path, title: str) -> Iterator[None]:
    """Hold a lock file, which is made; without, where the file system has no locks.

    Args:
        path: of the file.
        title: says what is waited for.
    """
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        from rich.console import Console

        with Console(stderr=True).status(f"Waiting for another process to prepare {title}"):
            lock.acquire()
    except (NotImplementedError, OSError):  # some network file systems
        pass
    try:
        yield
    finally:
        lock.release()


def _state(path: Path) -> str:
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
