"""The public sets of pix2pix and CycleGAN: their addresses, downloading and unpacking."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from ganlab.data.archives.files import IF_DAMAGED, download, draw_tree, state_of
from ganlab.data.archives.unpacking import unpacked
from ganlab.data.readers.folder_walk import draw_found
from ganlab.data.readers.layouts import Kind, find_layout
from ganlab.errors import DataError, one_of

SERVERS = ("https://efrosgans.eecs.berkeley.edu", "http://efrosgans.eecs.berkeley.edu")
_KINDS: dict[str, Kind] = {"pix2pix": "paired", "cyclegan": "unpaired"}
_ENDINGS = {"pix2pix": ".tar.gz", "cyclegan": ".zip"}
_NAMES = {
    "pix2pix": ("cityscapes", "edges2handbags", "edges2shoes", "facades", "maps", "night2day"),
    "cyclegan": (
        "apple2orange",
        "cezanne2photo",
        "cityscapes",
        "facades",
        "horse2zebra",
        "iphone2dslr_flower",
        "maps",
        "monet2photo",
        "summer2winter_yosemite",
        "ukiyoe2photo",
        "vangogh2photo",
    ),
}
NAMES = tuple(f"{paper}/{name}" for paper, names in _NAMES.items() for name in names)
_NOT_SERVED = "cityscapes"  # see `_explain_cityscapes`
_LOG = logging.getLogger(__name__)


class _CannotUnpackError(DataError):
    """An archive that may be intact cannot be unpacked, as on a full disk."""


@dataclass(frozen=True)
class _Archive:
    paper: str  # "pix2pix" or "cyclegan"
    name: str

    @property
    def file(self) -> str:
        return self.name + _ENDINGS[self.paper]

    @property
    def urls(self) -> list[str]:
        return [f"{server}/{self.paper}/datasets/{self.file}" for server in SERVERS]

    def folders(self, root: Path) -> list[Path]:
        """Return the folders that may hold the set.

        ganlab unpacks into the first folder, the authors' own scripts into the second. `root`
        itself is the third folder if it has the set's name.
        """
        folders = [root / self.paper / self.name, root / self.name]
        return [*folders, root] if root.name == self.name else folders

    def is_in(self, folder: Path) -> bool:
        """Whether a folder has the set's layout; only pix2pix has A and B in one file."""
        layout = find_layout(folder, _KINDS[self.paper])
        if layout is None:
            return False
        side_by_side = any("ab" in sides for sides in layout.folders.values())
        return side_by_side == (self.paper == "pix2pix")

    def files(self, root: Path) -> list[Path]:
        """Return the paths where the archive's file is looked for; downloads use the first."""
        return [root / self.paper / self.file, root / self.file]


def unpacked_archive(name: str, root: Path) -> Path | None:
    """Return the folder of a public set that is already unpacked; None if it is not unpacked.

    Args:
        name: one of `NAMES`.
        root: the folder that sets are kept in, as `root/pix2pix/facades` or `root/facades`; or the
            set's own folder.

    Raises:
        ConfigError: if `name` is not one of `NAMES`.
        DataError: as `find_layout`.
    """
    archive = _archive(name)
    for folder in archive.folders(root):
        if archive.is_in(folder):
            return folder
    return None


def fetch_archive(name: str, root: Path) -> Path:
    """Unpack a public set into `root/<name>`, such as `root/pix2pix/facades`.

    If the archive is missing, it is downloaded, and deleted once it is unpacked; an archive that a
    person put there stays. The publishers give no checksums, so the archive's internal checksums
    and its layout are checked.

    Args:
        name: one of `NAMES`.
        root: the folder that sets are kept in.

    Returns:
        The set's folder.

    Raises:
        ConfigError: if `name` is not one of `NAMES`.
        DataError: if the set cannot be downloaded; the message says what to get and where to put
            it. Also if the archive is damaged, unsafe, or holds something else.
    """
    try:
        return _fetch(_archive(name), root)
    except DataError:
        folder = unpacked_archive(name, root)  # another process may have unpacked it meanwhile
        if folder is None:
            raise
        return folder


def _fetch(archive: _Archive, root: Path) -> Path:
    target = archive.folders(root)[0]
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(
            f"data.root: {target} must be missing or empty to unpack {archive.name} of "
            f"{archive.paper} there, but it holds\n{draw_found(target)}\nMove it away, or set "
            "data.root to another folder, and start again."
        )
    file = next((path for path in archive.files(root) if path.is_file()), None)
    if file is None:
        if archive.name == _NOT_SERVED:
            raise DataError(_explain_cityscapes(archive, root))
        _LOG.info("Downloading %s.", archive.urls[0])
        file = archive.files(root)[0]
        try:
            download(archive.urls, file, None)
        except OSError as error:
            raise DataError(_explain(archive, root, f"The download failed: {error}.")) from error
        try:
            folder = _unpack(archive, file, target)
        except _CannotUnpackError:
            raise
        except DataError as error:
            file.unlink(missing_ok=True)
            reason = str(error).removesuffix(IF_DAMAGED)  # the file is deleted already
            reason = f"The downloaded file was deleted, as it cannot be used: {reason}"
            raise DataError(_explain(archive, root, reason)) from error
        file.unlink(missing_ok=True)
        return folder
    return _unpack(archive, file, target)


def _unpack(archive: _Archive, file: Path, target: Path) -> Path:
    most_bytes = 10 * file.stat().st_size + (1 << 26)  # pictures hardly shrink in an archive
    try:
        with unpacked(file, target, most_bytes) as part:
            folder = part / archive.name
            if not _holds(archive, folder):
                inside = draw_found(part).replace(str(part), file.name)  # `part` will be deleted
                raise DataError(
                    f"{file} does not hold {archive.name}: found\n{inside}\nIt is not the "
                    "publisher's archive; get the publisher's."
                )
            folder.replace(target)
    except OSError as error:  # a full disk, or another process has made the target
        raise _CannotUnpackError(
            f"{file} could not be unpacked into {target}: {error}. Free disk space, unpack it "
            "there by hand, or set data.root to a folder that can be written to."
        ) from error
    return target


def _holds(archive: _Archive, folder: Path) -> bool:
    try:
        return archive.is_in(folder)
    except DataError:  # the folder of A or of B is missing
        return False


def _archive(name: str) -> _Archive:
    one_of("data.archive", name, NAMES)
    return _Archive(*name.split("/"))


def _explain(archive: _Archive, root: Path, reason: str) -> str:
    tree = draw_tree(
        [(path, state_of(path)) for path in (*archive.folders(root)[:2], *archive.files(root))]
    )
    return (
        f"data.root: no {archive.name} of {archive.paper} under {root}. Expected one of\n{tree}\n"
        f"{reason} Download\n  {archive.urls[0]}\non a machine with internet access, put it into "
        f"{archive.files(root)[0].parent} without unpacking it, and start again. If you have the "
        "set already, set data.root or the environment variable GANLAB_DATA to its folder."
    )


def _explain_cityscapes(archive: _Archive, root: Path) -> str:
    tree = draw_tree((path, state_of(path)) for path in archive.folders(root)[:2])
    return (
        f"data.root: no cityscapes under {root}. Expected one of\n{tree}\nThe licence forbids "
        "redistribution, so no server offers the set any more. Register at "
        "https://www.cityscapes-dataset.com and download gtFine_trainvaltest.zip and "
        "leftImg8bit_trainvaltest.zip. Convert them to photographs and colour labels of 256×256 "
        "pixels with the script datasets/prepare_cityscapes_dataset.py of the repository "
        "pytorch-CycleGAN-and-pix2pix. Move the script's output folder to "
        f"{archive.folders(root)[0]}. For pictures of your own use data=paired or data=unpaired."
    )
