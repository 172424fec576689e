"""A file of tensors from anyone calls nothing, and takes no more memory than its size tells."""

import codecs
import io
import pickle
import pickletools
import zipfile

import pytest
import torch
from torch import nn

from ganlab.torch_files import check_torch_file


def archive_of(content, path, **records):
    """Write a zip archive as torch.save does, with a pickle made by hand."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", content)
        for name, record in records.items():
            archive.writestr(f"a/data/{name}", record)


class Call:
    """An object whose pickle calls a function."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


@pytest.mark.parametrize("is_zip", [True, False])
def test_what_torch_writes_is_allowed(is_zip, tmp_path):
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    optimizer = torch.optim.Adam(network.parameters())
    content = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "parameter": nn.Parameter(torch.ones(3)),
        "tied": [torch.ones(4)] * 2,
        "others": (None, True, 1.5, "text", torch.ones(2, dtype=torch.bfloat16), torch.ones(0)),
    }
    path = tmp_path / "x.ckpt"
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    check_torch_file(path)


@pytest.mark.parametrize("is_zip", [True, False])
def test_no_function_is_called(is_zip, tmp_path):
    path, executed = tmp_path / "x.ckpt", tmp_path / "executed"
    torch.save([Call(executed.touch)], path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(pickle.UnpicklingError, match="it holds"):
        check_torch_file(path)
    assert not executed.exists()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ((bytearray, 10**12), r"it holds \w+\.bytearray"),
        ((codecs.encode, "x" * 100, "utf-8"), "it holds _codecs.encode"),
        ((torch.Tensor, 10**12), "it holds torch"),
        ((set, (1, 2)), r"it holds \w+\.set"),
    ],
)
def test_functions_that_copy_are_refused(call, words, tmp_path):
    archive_of(pickle.dumps(Call(*call), 2), tmp_path / "x.ckpt")
    with pytest.raises(pickle.UnpicklingError, match=words):
        check_torch_file(tmp_path / "x.ckpt")


def test_a_dict_is_not_copied(tmp_path):
    content = b"\x80\x02ccollections\nOrderedDict\n(](K\x01K\x02etR."
    pickletools.dis(content, io.StringIO())  # well formed
    archive_of(content, tmp_path / "x.ckpt")
    with pytest.raises(pickle.UnpicklingError, match="it copies what it holds"):
        check_torch_file(tmp_path / "x.ckpt")


def test_a_large_index_takes_no_memory(tmp_path):
    """The unpickler in C allocates an array up to the largest index."""
    archive_of(b"\x80\x02Nr\xff\xff\xff\x7f.", tmp_path / "x.ckpt")
    check_torch_file(tmp_path / "x.ckpt")


def tensor(key, count, shape):
    """Return the pickle of a tensor of float32 whose storage is the record `key`."""
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        + b"X\x01\x00\x00\x00" + key.encode() + b"X\x03\x00\x00\x00cpuJ"
        + count.to_bytes(4, "little") + b"tQK\x00J" + shape.to_bytes(4, "little")
        + b"\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "count", "shape", "words"),
    [
        ("A", 4, 4, "the storage A"),  # torch would find the record a
        ("a", 5, 5, "less than the 20 bytes of the storage a"),
        ("a", 4, 10**9, "more numbers than it has bytes"),
    ],
)
def test_tensors_have_the_size_of_their_records(key, count, shape, words, tmp_path):
    path = tmp_path / "x.ckpt"
    archive_of(tensor("a", 4, 4), path, a=bytes(16))
    check_torch_file(path)
    archive_of(tensor(key, count, shape), path, a=bytes(16))
    with pytest.raises(ValueError, match=words):
        check_torch_file(path)


def test_records_do_not_share_their_bytes(tmp_path):
    """Many entries of the archive's directory that name one record."""
    path = tmp_path / "x.ckpt"
    archive_of(tensor("a", 250, 250), path, a=bytes(1000))
    with zipfile.ZipFile(path, "a") as archive:
        entry = archive.getinfo("a/data/a")
        for number in range(100):
            copy = zipfile.ZipInfo(f"a/data/{number}")
            for name in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(copy, name, getattr(entry, name))
            archive.filelist.append(copy)
        archive._didModify = True
    with pytest.raises(ValueError, match="its records are larger than the file"):
        check_torch_file(path)
