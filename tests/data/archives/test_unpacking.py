"""Unpacking archives: zips that cannot be read, and folders that killed processes leave."""

import zipfile

import pytest

from ganlab.data.archives.unpacking import unpacked
from ganlab.errors import DataError


def files_of(root):
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def overwrite(path, signature, offset, data):
    """Overwrite bytes at an offset in the first header that has a signature."""
    content = bytearray(path.read_bytes())
    first = content.index(signature) + offset
    content[first : first + len(data)] = data
    path.write_bytes(content)


@pytest.mark.parametrize(
    "what", ["compression", "version", "encryption", "name", "nameless", "lzma"]
)
def test_zips_that_cannot_be_read_are_named(tmp_path, what):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA if what == "lzma" else 0) as file:
        file.writestr("x.png", bytes(range(256)) * 8)
    local, central = b"PK\x03\x04", b"PK\x01\x02"
    if what == "compression":
        overwrite(archive, local, 8, b"\x63\0")
        overwrite(archive, central, 10, b"\x63\0")
    elif what == "version":
        overwrite(archive, central, 6, b"\xff\0")
    elif what == "encryption":
        overwrite(archive, central, 8, b"\x40\0")
    elif what == "name":
        overwrite(archive, central, 8, b"\0\x08")  # the flag for names in UTF-8
        overwrite(archive, central, 46, b"\xff")
    elif what == "nameless":
        overwrite(archive, central, 28, b"\0\0\0\0\x05\0")  # the name becomes a comment
    else:
        overwrite(archive, local, 39, b"\xff" * 5)  # the filter's settings
    with pytest.raises(DataError, match=r"a\.zip is damaged: it cannot be unpacked"):  # noqa: SIM117
        with unpacked(archive, tmp_path / "out", most_bytes=10_000):
            pytest.fail("the archive was not refused")
    assert files_of(tmp_path) == ["a.zip"]


def test_only_folders_that_killed_processes_left_are_removed(tmp_path):
    pytest.importorskip("fcntl")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("x", b"1")
    for name in (".out.killed.part", ".other.killed.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_bytes(b"half")
    with unpacked(tmp_path / "a.zip", tmp_path / "out", 100) as first:
        assert not (tmp_path / ".out.killed.part").exists()
        with unpacked(tmp_path / "a.zip", tmp_path / "out", 100) as second:
            assert files_of(first) == files_of(second) == ["x"]
    assert files_of(tmp_path) == [".other.killed.part/x", "a.zip"]
