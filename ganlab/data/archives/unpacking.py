"""Whole archives unpacked beside where they go, all or nothing, whatever they hold."""

from __future__ import annotations

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ganlab.data.archives.files import damaged, safe_name
from ganlab.data.archives.part_folders import part_folder
from ganlab.errors import DataError

_CHUNK = 1 << 20  # bytes
DAMAGE = (  # what the standard library raises for archives that are damaged, or not of its kinds
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    IndexError,
    RuntimeError,  # with NotImplementedError
    ValueError,
)


@contextmanager
def unpacked(archive: Path, beside: Path, most_bytes: int) -> Iterator[Path]:
    """A folder that holds every file of a .tar.gz or .zip, and is gone when the block ends.

    Checksums of the archive (of gzip's whole stream, of each file of a zip) are compared. Such
    folders of killed processes are removed first, see `part_folder`.

    Args:
        archive: the file; its contents tell which of the two it is.
        beside: the folder lies beside this path, so that parts of it can be moved there at once.
        most_bytes: that the files may have together.

    Raises:
        DataError: if a member's path leaves the folder, it is a link or a device, there is more
            than `most_bytes`, or the archive is damaged.
        OSError: if it cannot be read, or files cannot be written.
    """
    beside.parent.mkdir(parents=True, exist_ok=True)
    with part_folder(beside.parent, f".{beside.name}.") as part:
        try:
            with _members(archive) as (members, total), _progress(archive, total) as advance:
                _write(archive, members, part, most_bytes, advance)
        except DAMAGE as error:
            raise damaged(archive, f"it cannot be unpacked ({error})") from error
        yield part


def _write(
    archive: Path,
    members: Iterator[tuple[str, IO[bytes] | None]],
    part: Path,
    most_bytes: int,
    advance: Callable[[], None],
) -> None:
    written = 0
    for name, source in members:
        target = part / safe_name(archive, name)
        if source is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > most_bytes:
                    raise DataError(
                        f"{archive} was refused: it holds more than {most_bytes / 1e9:.1f} GB, far "
                        "beyond what its size suggests. It is not the publisher's archive; get "
                        "that one."
                    )
                file.write(chunk)
        advance()


@contextmanager
def _members(
    archive: Path,
) -> Iterator[tuple[Iterator[tuple[str, IO[bytes] | None]], int | None]]:
    """Members one by one, by name with their contents (None for a folder), and their number."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield _of_zip(archive, file), len(file.infolist())
    else:
        with gzip.open(archive) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                yield _of_tar(archive, tar), None
            while stream.read(_CHUNK):  # to the end, where the checksum is
                pass


def _of_zip(archive: Path, file: zipfile.ZipFile) -> Iterator[tuple[str, IO[bytes] | None]]:
    for member in file.infolist():
        if member.flag_bits & 1:
            raise DataError(f"{archive} was refused: {member.filename!r} needs a password.")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _special(archive, member.filename)
        if member.is_dir():
            yield member.filename, None
        else:
            with file.open(member) as source:
                yield member.filename, source


def _of_tar(archive: Path, tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes] | None]]:
    for member in tar:
        if member.isdir():
            yield member.name, None
        elif member.isreg():
            yield member.name, tar.extractfile(member)
        else:
            raise _special(archive, member.name)


def _special(archive: Path, name: str) -> DataError:
    return DataError(
        f"{archive} was refused: its member {name!r} is a link or a device, no picture. It is not "
        "the publisher's archive; get that one."
    )


@contextmanager
def _progress(archive: Path, total: int | None) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(f"Unpacking {archive.name}", total=total)
        yield lambda: progress.advance(bar)
