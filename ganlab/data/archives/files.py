"""Files of data sets: listing them in messages, reading, downloading, unpacking, caching."""

from __future__ import annotations

import hashlib
import http.client
import os
import tarfile
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from ganlab.errors import DataError
from ganlab.files import replacing
from ganlab.printable import console

_CHUNK = 1 << 20  # bytes
_TIMEOUT = 20.0  # seconds without an answer after which a download fails
IF_DAMAGED = " Replace it with an intact copy, or delete it if ganlab can download it again."
_refused: dict[Path, str] | None = None  # the dict that `without_downloads` yields; None outside


def draw_tree(entries: Iterable[tuple[Path | str, str]]) -> str:
    """Return aligned lines of paths and their states, such as "  /data/x.bin   (missing)"."""
    rows = [(str(path), state) for path, state in entries]
    width = max(len(path) for path, _ in rows)
    return "\n".join(f"  {path:<{width}}   ({state})" for path, state in rows)


def state_of(path: Path) -> str:
    """Return "found" or "missing", the state of a path for `draw_tree`."""
    return "found" if path.exists() else "missing"


def md5_of(path: Path) -> str:
    """Return a file's MD5 in hex: enough to detect damage; most data sets publish no other hash."""
    return _digest(path, "md5")


def _digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_bytes(path: Path, limit: int) -> bytes:
    """Return a file's bytes, decompressed if its name ends in .gz.

    Args:
        path: the file.
        limit: the largest number of bytes that is allowed, after decompression.

    Raises:
        DataError: if the file cannot be read, is truncated, damaged, or longer than `limit`.
    """
    import gzip
    import zlib

    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, f"it cannot be read ({error})") from error
    if len(data) > limit:
        raise damaged(path, f"it holds more than the allowed {limit} bytes")
    return data


def damaged(path: Path, what: str) -> DataError:
    """Return the error for a truncated or altered file; its message ends with `IF_DAMAGED`."""
    return DataError(f"{path} is damaged: {what}.{IF_DAMAGED}")


def download(urls: Iterable[str], target: Path, digest: str | None, algorithm: str = "md5") -> None:
    """Download a file from the first mirror that has it intact, with a progress bar on stderr.

    Args:
        urls: the file's address on each mirror, in the order to try.
        target: where the file is written; its folder is made.
        digest: hash of the intact file in hex, or the first digits of the hash. None if the
            publisher gives no hash; then only the length is checked.
        algorithm: algorithm of the digest, "md5" or "sha256".

    Raises:
        OSError: if no mirror serves the intact file, or the folder cannot be written to; the
            message gives the reason for each mirror.
    """
    reasons = []
    for url in urls:
        try:
            if _refused is not None:
                _refuse(url, target)
            with replacing(target) as part:
                _fetch(url, part, target.name)
                if digest is not None and not _digest(part, algorithm).startswith(digest):
                    raise OSError("the downloaded file has a wrong checksum")
            return
        except (OSError, http.client.HTTPException) as error:
            reasons.append(f"{url}: {error}")
    raise OSError("; ".join(reasons))


@contextmanager
def without_downloads() -> Iterator[dict[Path, str]]:
    """Make every download in the block fail, torch's downloads included.

    Yields:
        A dict that maps the target path of each refused download to the first URL that was tried.
    """
    global _refused
    import torch

    torch_download, _refused = torch.hub.download_url_to_file, {}
    torch.hub.download_url_to_file = lambda url, dst, *_, **__: _refuse(url, Path(dst))
    try:
        yield _refused
    finally:
        torch.hub.download_url_to_file, _refused = torch_download, None


def _refuse(url: str, path: Path) -> None:
    _refused.setdefault(path.absolute(), url)
    raise OSError("a dry run downloads nothing")


def _fetch(url: str, part: Path, title: str) -> None:
    from rich.progress import Progress

    request = urllib.request.Request(url, headers={"User-Agent": "ganlab"})
    with (
        urllib.request.urlopen(request, timeout=_TIMEOUT) as answer,
        part.open("wb") as file,
        Progress(console=console(), transient=True) as progress,
    ):
        length = int(answer.headers.get("Content-Length") or 0) or None
        bar = progress.add_task(title, total=length)
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            progress.advance(bar, len(chunk))
        if length is not None and file.tell() != length:
            raise OSError(f"the connection ended after {file.tell():,} of {length:,} bytes")


def unpack(archive: Path, folder: Path, wanted: Iterable[str]) -> None:
    """Unpack some regular files of a .tar.gz into a folder, each file atomically.

    Args:
        archive: the .tar.gz.
        folder: the folder that the members' paths are relative to.
        wanted: paths of the members to unpack; other members are left in the archive.

    Raises:
        DataError: if the path of any member leaves the folder, if a wanted member is missing or is
            not a regular file, if the archive is damaged, or if it cannot be unpacked there.
    """
    import zlib

    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = {safe_name(archive, member.name): member for member in tar.getmembers()}
            for name in wanted:
                member = members.get(name)
                if member is None or not member.isreg():
                    raise damaged(archive, f"it holds no file {name}")
                source = tar.extractfile(member)
                if source is None:
                    raise damaged(archive, f"{name} cannot be read")
                with replacing(folder / name) as part, part.open("wb") as file:
                    while chunk := source.read(_CHUNK):
                        file.write(chunk)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise damaged(archive, f"it cannot be unpacked ({error})") from error
    except OSError as error:
        raise DataError(
            f"{archive} could not be unpacked into {folder}: {error}. Unpack it there by hand, or "
            "point data.root at a folder that can be written to."
        ) from error


def safe_name(archive: Path, name: str) -> str:
    """Return a member's path within its archive, in POSIX form.

    Raises:
        DataError: if the path would leave the folder that the archive is unpacked into.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts or "\\" in name:
        raise DataError(
            f"{archive} was refused: its member {name!r} would be written outside the folder. It "
            "is not the publisher's archive; get the publisher's."
        )
    return path.as_posix()


def cache_folder() -> Path:
    """Return the folder of prepared data sets: $XDG_CACHE_HOME/ganlab, or ~/.cache/ganlab."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ganlab"
