"""CelebA's lists line by line, and the names in its zip."""

import zipfile

import pytest

from ganlab.data.readers.celeba_files import (
    check_names,
    read_attributes,
    read_identities,
    read_partition,
)
from ganlab.errors import DataError

NAMES = ["1.jpg", "2.jpg"]
READERS = {
    "list_eval_partition.txt": lambda folder: read_partition(folder, "train"),
    "list_attr_celeba.txt": lambda folder: read_attributes(folder, NAMES).tolist(),
    "identity_CelebA.txt": lambda folder: read_identities(folder, NAMES).tolist(),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "img_align_celeba").mkdir()
    for name in NAMES:
        (tmp_path / "img_align_celeba" / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("list_eval_partition.txt", "1.jpg 0\n2.jpg 2\n", ["1.jpg"]),
        ("list_attr_celeba.txt", "2\na b\n1.jpg 1 -1\n\n2.jpg  -1  1\n", [[1, 0], [0, 1]]),
        ("identity_CelebA.txt", "2.jpg 5\n1.jpg 123456789012\n", [123456789012, 5]),
    ],
)
def test_lists_are_read(folder, name, text, read):
    (folder / name).write_text(text)
    assert READERS[name](folder) == read


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list_eval_partition.txt", "1.jpg 0\n2.jpg 3\n", "line 2 has '3' where 0, 1 or 2 is"),
        ("list_eval_partition.txt", "1.jpg 0\n2.jpg -1\n", "line 2 has '-1' where 0, 1 or 2 is"),
        ("list_attr_celeba.txt", "2\na b\n1.jpg 1 0\n2.jpg 1 1\n", "line 3 has '0' where 1 or -1"),
        ("list_attr_celeba.txt", "2\na b\n1.jpg 1 1\n2.jpg 1 2\n", "line 4 has '2' where 1 or -1"),
        ("identity_CelebA.txt", "1.jpg 1\n2.jpg one\n", "line 2 has 'one' where a whole number"),
        ("identity_CelebA.txt", f"1.jpg 1\n2.jpg {10**30}\n", "line 2 has '1000"),
        ("list_eval_partition.txt", "1.jpg 0\n2.jpg 0\n1.jpg 2\n", r"line 3 lists 1\.jpg, as"),
        ("list_attr_celeba.txt", "2\na\n1.jpg 1\n1.jpg 1\n2.jpg 1\n", r"line 4 lists 1\.jpg, as"),
        ("identity_CelebA.txt", "1.jpg 1\n2.jpg 2\n2.jpg 3\n", r"line 3 lists 2\.jpg, as"),
    ],
)
def test_an_invalid_line_is_named(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=rf"{name} is damaged: {message}"):
        READERS[name](folder)


@pytest.mark.parametrize("what", ["version", "name", "cut"])
def test_a_zip_that_cannot_be_listed_is_damaged(tmp_path, what):
    archive = tmp_path / "img_align_celeba.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("img_align_celeba/000001.jpg", b"1")
    check_names(archive)
    data = bytearray(archive.read_bytes())
    central = data.index(b"PK\x01\x02")
    if what == "version":
        data[central + 6] = 255
    elif what == "name":
        data[central + 9] |= 8  # the flag for names in UTF-8
        data[central + 46] = 255
    else:
        data = data[:central]
    archive.write_bytes(data)
    with pytest.raises(DataError, match=r"img_align_celeba\.zip is damaged: it cannot be read"):
        check_names(archive)


def test_a_zip_of_other_names_is_refused(tmp_path):
    archive = tmp_path / "img_align_celeba.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("faces/000001.jpg", b"1")
    with pytest.raises(DataError, match=r"(?s)not the zip of the aligned pictures.*000001\.jpg"):
        check_names(archive)
