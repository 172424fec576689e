"""The public sets of pix2pix and CycleGAN: where they are, and how they come here."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from ganlab.data.archives.files import download, draw_tree, found
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
NAMES = tuple(f"{family}/{name}" for family, names in _NAMES.items() for name in names)
_NOT_GIVEN = "cityscapes"
_LOG = logging.getLogger(__name__)


class _NoRoomError(DataError):
    """An archive that may be sound, but cannot be unpacked."""


@dataclass(frozen=True)
class _Archive:
    family: str
    name: str

    @property
    def file(self) -> str:
        return self.name + _ENDINGS[self.family]

    @property
    def urls(self) -> list[str]:
        return [f"{server}/{self.family}/datasets/{self.file}" for server in SERVERS]

    def folders(self, root: Path) -> list[Path]:
        """Where the set may be: where it is put, where the peer's scripts put it, root itself."""
        places = [root / self.family / self.name, root / self.name]
        return [*places, root] if root.name == self.name else places

    def is_in(self, folder: Path) -> bool:
        """Whether a folder has the set's layout."""
        layout = find_layout(folder, _KINDS[self.family])
        single = layout is not None and any("ab" in sides for sides in layout.folders.values())
        return layout is not None and single == (self.family == "pix2pix")

    def files(self, root: Path) -> list[Path]:
        """Where its archive may be."""
        return [root / self.family / self.file, root / self.file]


def unpacked_archive(name: str, root: Path) -> Path | None:
    """The folder of a public set that is there already; None if it is not.

    Args:
        name: one of `NAMES`.
        root: the folder that sets are kept in: `root/pix2pix/facades`, `root/facades`, or the
            set's own folder.

    Raises:
        ConfigError: for another name.
        DataError: as `find_layout`.
    """
    archive = _archive(name)
    for folder in archive.folders(root):
        if archive.is_in(folder):
            return folder
    return None


def fetch_archive(name: str, root: Path) -> Path:
    """Unpack a public set into `root/<family>/<name>`, downloaded first if it is not there.

    An archive that was downloaded here is deleted once it is unpacked; one that a person has put
    there stays. There are no published checksums: the archive's own are compared, and the layout.

    Args:
        name: one of `NAMES`.
        root: the folder that sets are kept in.

    Returns:
        The set's folder.

    Raises:
        ConfigError: for another name.
        DataError: if it cannot be downloaded, with what to get and where to put it; if the archive
            is damaged, unsafe, or holds something else.
    """
    try:
        return _fetch(_archive(name), root)
    except DataError:
        there = unpacked_archive(name, root)  # another process may have been first
        if there is None:
            raise
        return there


def _fetch(archive: _Archive, root: Path) -> Path:
    target = archive.folders(root)[0]
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(
            f"data.root: {target} holds something else than {archive.name} of {archive.family}: "
            f"found\n{draw_found(target)}\nMove it away, or point data.root at another folder, "
            f"and start again; {archive.name} is put there."
        )
    file = next((path for path in archive.files(root) if path.is_file()), None)
    if file is None:
        if archive.name == _NOT_GIVEN:
            raise DataError(_explain_cityscapes(archive, root))
        _LOG.info("Downloading %s.", archive.urls[0])
        file = archive.files(root)[0]
        try:
            download(archive.urls, file, None)
        except OSError as error:
            raise DataError(_explain(archive, root, f"The download failed: {error}.")) from error
        try:
            folder = _unpack(archive, file, target)
        except _NoRoomError:
            raise
        except DataError as error:
            file.unlink(missing_ok=True)
            raise DataError(_explain(archive, root, f"What came is of no use: {error}")) from error
        file.unlink(missing_ok=True)
        return folder
    return _unpack(archive, file, target)


def _unpack(archive: _Archive, file: Path, target: Path) -> Path:
    most_bytes = 10 * file.stat().st_size + (1 << 26)  # pictures hardly shrink in an archive
    try:
        with unpacked(file, target, most_bytes) as part:
            folder = part / archive.name
            if not _holds(archive, folder):
                inside = draw_found(part).replace(str(part), file.name)  # the part is gone soon
                raise DataError(
                    f"{file} does not hold {archive.name}: found\n{inside}\nIt is not the "
                    "publisher's archive; delete it and get that one."
                )
            folder.replace(target)
    except OSError as error:  # a full disk, or another process that was first
        raise _NoRoomError(
            f"{file} could not be unpacked into {target}: {error}. Make room, unpack it there by "
            "hand, or point data.root at a folder that can be written to."
        ) from error
    return target


def _holds(archive: _Archive, folder: Path) -> bool:
    try:
        return archive.is_in(folder)
    except DataError:  # it is half of a layout
        return False


def _archive(name: str) -> _Archive:
    one_of("data.archive", name, NAMES)
    return _Archive(*name.split("/"))


def _explain(archive: _Archive, root: Path, reason: str) -> str:
    tree = draw_tree(
        [(path, found(path)) for path in (*archive.folders(root)[:2], *archive.files(root))]
    )
    return (
        f"data.root: no {archive.name} of {archive.family} under {root}. Expected one of\n{tree}\n"
        f"{reason} Get\n  {archive.urls[0]}\nwith a machine that has internet, put it into "
        f"{archive.files(root)[0].parent} as it is, and start again; or point data.root or the "
        "environment's GANLAB_DATA at the folder that holds it."
    )


def _explain_cityscapes(archive: _Archive, root: Path) -> str:
    tree = draw_tree((path, found(path)) for path in archive.folders(root)[:2])
    return (
        f"data.root: no cityscapes under {root}. Expected one of\n{tree}\nIts licence does not "
        "let it be passed on, so that no server gives the pairs any more. Register at "
        "https://www.cityscapes-dataset.com, get gtFine_trainvaltest.zip and "
        "leftImg8bit_trainvaltest.zip, make photograph and colour label of 256×256 pixels of them "
        "with datasets/prepare_cityscapes_dataset.py of pytorch-CycleGAN-and-pix2pix, and put its "
        f"output folder at {archive.folders(root)[0]}. Pictures of your own go with data=paired or "
        "data=unpaired."
    )
