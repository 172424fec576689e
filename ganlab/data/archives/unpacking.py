"""Unpack archives, all files or none, into a temporary folder."""

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
from ganlab.printable import console, printable

_CHUNK = 1 << 20  # bytes
DAMAGE = (  # the standard library's errors for archives that are damaged or of another format
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    IndexError,
    RuntimeError,  # includes NotImplementedError
    ValueError,
)


@contextmanager
def unpacked(archive: Path, beside: Path, most_bytes: int) -> Iterator[Path]:
    """Yield a folder with every file of a .tar.gz or .zip, and remove it when the block ends.

    The archive's checksums are verified: gzip's for the whole stream, a zip's for each file.
    Leftover folders of killed processes are removed first, see `part_folder`.

    Args:
        archive: the archive; its contents decide whether it is a .zip or a .tar.gz.
        beside: the path to which the caller will move the contents. The folder lies next to
            this path, so that the contents can be moved without copying.
        most_bytes: the largest number of bytes that all files may have together.

    Raises:
        DataError: if a member's path leaves the folder, a member is a link or a device or needs a
            password, the files have more than `most_bytes`, or the archive is damaged.
        OSError: if the archive cannot be read, or files cannot be written.
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
                        "too much for an archive of its size. It is not the publisher's archive; "
                        "get the publisher's."
                    )
                file.write(chunk)
        advance()


@contextmanager
def _members(
    archive: Path,
) -> Iterator[tuple[Iterator[tuple[str, IO[bytes] | None]], int | None]]:
    """Yield an iterator over the members, and their number (None if unknown).

    A member is a tuple of its name and its contents; a folder's contents are None.
    """
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield _zip_members(archive, file), len(file.infolist())
    else:
        with gzip.open(archive) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                yield _tar_members(archive, tar), None
            while stream.read(_CHUNK):  # gzip compares the checksum at the stream's end
                pass


def _zip_members(archive: Path, file: zipfile.ZipFile) -> Iterator[tuple[str, IO[bytes] | None]]:
    for member in file.infolist():
        if member.flag_bits & 1:
            raise DataError(f"{archive} was refused: {member.filename!r} needs a password.")
        file_type = stat.S_IFMT(member.external_attr >> 16)
        if file_type not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _special_member(archive, member.filename)
        if member.is_dir():
            yield member.filename, None
        else:
            with file.open(member) as source:
                yield member.filename, source


def _tar_members(archive: Path, tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes] | None]]:
    for member in tar:
        if member.isdir():
            yield member.name, None
        elif member.isreg():
            yield member.name, tar.extractfile(member)
        else:
            raise _special_member(archive, member.name)


def _special_member(archive: Path, name: str) -> DataError:
    return DataError(
        f"{archive} was refused: its member {name!r} is a link or a device, not a picture. It is "
        "not the publisher's archive; get the publisher's."
    )


@contextmanager
def _progress(archive: Path, total: int | None) -> Iterator[Callable[[], None]]:
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=console(), transient=True) as progress:
        bar = progress.add_task(f"Unpacking {escape(printable(archive.name))}", total=total)
        yield lambda: progress.advance(bar)
