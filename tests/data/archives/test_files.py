"""MNIST and CIFAR-10 from tiny files: intact, damaged and malicious, and offline."""

import gzip
import hashlib
import io
import tarfile

import pytest
import torch

import ganlab.data.images.cifar10 as cifar10
import ganlab.data.images.mnist as mnist
from ganlab.data import CIFAR10, MNIST, FashionMNIST
from ganlab.data.archives.files import download
from ganlab.errors import ConfigError, DataError

PREFIX = {"train": "train", "test": "t10k"}


@pytest.fixture(autouse=True)
def refused(monkeypatch):
    """Make downloads fail as if offline; return the list of files whose download failed."""
    names = []

    def refuse(urls, target, md5):
        names.append(target.name)
        raise OSError("offline")

    monkeypatch.setattr(mnist, "download", refuse)
    monkeypatch.setattr(cifar10, "download", refuse)
    return names


def idx(entries):
    head = bytes([0, 0, 8, entries.ndim])
    head += b"".join(side.to_bytes(4, "big") for side in entries.shape)
    return head + bytes(entries.flatten().tolist())


def write_mnist(root, name="MNIST", pack=False, n=12):
    """Write random images with labels i mod 10; return the images and labels of each split."""
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    written = {}
    for number, (split, prefix) in enumerate(PREFIX.items()):
        generator = torch.Generator().manual_seed(number)
        images = torch.randint(0, 256, (n, 28, 28), generator=generator)
        label = torch.arange(n) % 10
        written[split] = (images, label)
        for kind, entries in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", label)):
            data = idx(entries)
            if pack:
                (folder / f"{prefix}-{kind}.gz").write_bytes(gzip.compress(data))
            else:
                (folder / f"{prefix}-{kind}").write_bytes(data)
    return written


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
@pytest.mark.parametrize("pack", [False, True])
def test_idx_files_are_read_as_written(tmp_path, kind, pack, refused):
    written = write_mnist(tmp_path, kind.__name__, pack)
    data = kind(root=str(tmp_path), batch_size=4)
    for split, (images, label) in written.items():
        assert torch.equal(data.split(split)["example"][:, 0].long(), images)
        assert torch.equal(data.split(split)["label"], label)
    assert not refused, "existing files are not downloaded"


def test_size_channels_and_limit_are_applied(tmp_path):
    write_mnist(tmp_path)
    data = MNIST(root=str(tmp_path), size=32, channels=3, limit=5)
    assert data.train["example"].shape == (5, 3, 32, 32) == (5, *data.shape)
    assert data.test["example"].shape == (12, 3, 32, 32), "only training images are limited"
    assert torch.equal(data.train["example"][:, 0], data.train["example"][:, 2])


def break_file(path, how):
    data = bytearray(path.read_bytes())
    if how == "truncated":
        data = data[:-100]
    elif how == "longer":
        data += b"x"
    elif how == "empty":
        data = b""
    elif how == "header cut":
        data = data[:7]
    elif how == "count tampered":
        data[4:8] = (11).to_bytes(4, "big")
    elif how == "huge count":
        data[4:8] = b"\xff" * 4
    elif how == "other kind":
        data[3] = 1
    elif how == "other size":
        data[8:16] = (14).to_bytes(4, "big") + (56).to_bytes(4, "big")
    path.write_bytes(data)


@pytest.mark.parametrize(
    "how",
    [
        "truncated",
        "longer",
        "empty",
        "header cut",
        "count tampered",
        "huge count",
        "other kind",
        "other size",
    ],
)
def test_a_damaged_idx_file_is_named(tmp_path, how):
    write_mnist(tmp_path)
    path = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    break_file(path, how)
    with pytest.raises(DataError) as caught:
        MNIST(root=str(tmp_path)).setup("fit")
    assert f"{path} is damaged" in str(caught.value)
    assert "Replace it with an intact copy, or delete it" in str(caught.value)


@pytest.mark.parametrize("how", ["cut", "flipped", "not gzip"])
def test_a_damaged_packed_file_is_named(tmp_path, how):
    write_mnist(tmp_path, pack=True)
    path = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    data = bytearray(path.read_bytes())
    if how == "flipped":
        data[len(data) // 2] ^= 255
    path.write_bytes({"cut": data[:-50], "flipped": data, "not gzip": b"<html>"}[how])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is damaged"):
        MNIST(root=str(tmp_path)).setup("fit")


def test_labels_must_match_the_images(tmp_path):
    write_mnist(tmp_path)
    path = tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    path.write_bytes(idx(torch.arange(11) % 10))
    with pytest.raises(DataError, match="11 labels for 12 images"):
        MNIST(root=str(tmp_path)).setup("fit")
    path.write_bytes(idx(torch.arange(12)))
    with pytest.raises(DataError, match="a label 11, above 9"):
        MNIST(root=str(tmp_path)).setup("fit")


def test_files_with_the_published_number_of_images_must_have_the_published_contents(tmp_path):
    """10,000 other images are not MNIST; the contents of Fashion-MNIST are not checked."""
    for kind in (MNIST, FashionMNIST):
        folder = tmp_path / kind.__name__ / "raw"
        folder.mkdir(parents=True)
        pixels = (10_000).to_bytes(4, "big") + (28).to_bytes(4, "big") * 2 + bytes(7_840_000)
        (folder / "t10k-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + pixels)
        (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(torch.arange(10_000) % 10))
    with pytest.raises(DataError, match="its contents are not the published ones"):
        MNIST(root=str(tmp_path)).setup("test")
    assert len(FashionMNIST(root=str(tmp_path)).test["label"]) == 10_000


@pytest.mark.parametrize("allowed", [True, False])
def test_missing_files_are_listed(tmp_path, allowed, refused):
    write_mnist(tmp_path)
    folder = tmp_path / "MNIST" / "raw"
    (folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as caught:
        MNIST(root=str(tmp_path), download=allowed).setup("fit")
    lines = str(caught.value).split("\n")
    assert lines[0].startswith(f"data.root: no complete MNIST under {tmp_path}. Expected")
    assert [line.split() for line in lines[1:5]] == [
        [str(folder / "train-images-idx3-ubyte"), "(found)"],
        [str(folder / "train-labels-idx1-ubyte"), "(missing)"],
        [str(folder / "t10k-images-idx3-ubyte"), "(found)"],
        [str(folder / "t10k-labels-idx1-ubyte"), "(found)"],
    ]
    assert ("failed: offline" if allowed else "data.download is false") in lines[5]
    assert "GANLAB_DATA" in lines[5]
    assert refused == (["train-labels-idx1-ubyte.gz"] if allowed else [])


def test_a_download_with_a_wrong_checksum_tries_the_next_mirror(tmp_path):
    """file:// addresses serve as mirrors: a missing one, a wrong file, and the right file."""
    (tmp_path / "wrong").write_bytes(b"an error page")
    (tmp_path / "right").write_bytes(b"digits")
    md5 = hashlib.md5(b"digits").hexdigest()
    target = tmp_path / "out" / "file"
    urls = [(tmp_path / name).as_uri() for name in ("absent", "wrong", "right")]
    with pytest.raises(OSError, match=r"absent.*wrong checksum"):
        download(urls[:2], target, md5)
    assert list(target.parent.iterdir()) == []
    download(urls, target, md5)
    assert target.read_bytes() == b"digits"


RECORDS = 6
NAMES = [f"cifar-10-batches-bin/data_batch_{k}.bin" for k in range(1, 6)]
NAMES.append("cifar-10-batches-bin/test_batch.bin")


def cifar_files():
    """Map names to contents. Record i of file f: label (i + f) mod 10, red f, green i, blue row."""
    files = {}
    for f, name in enumerate(NAMES):
        rows = bytes(row for row in range(32) for _ in range(32))
        files[name] = b"".join(
            bytes([(i + f) % 10]) + bytes([f]) * 1024 + bytes([i]) * 1024 + rows
            for i in range(RECORDS)
        )
    return files


def write_tar(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.fixture
def accept(monkeypatch):
    """Make CIFAR-10 expect 6 records per file; return a function that makes it accept a tar."""
    monkeypatch.setattr(CIFAR10, "records", RECORDS)

    def expect(archive):
        digest = hashlib.md5(archive.read_bytes()).hexdigest()
        monkeypatch.setattr(CIFAR10, "archive_md5", digest)

    return expect


@pytest.mark.parametrize("packed", [False, True])
def test_cifar_is_read_as_written(tmp_path, accept, packed):
    if packed:
        archive = tmp_path / "cifar-10-binary.tar.gz"
        write_tar(archive, {"cifar-10-batches-bin/readme.html": b"hello", **cifar_files()})
        accept(archive)
    else:
        (tmp_path / "cifar-10-batches-bin").mkdir()
        for name, data in cifar_files().items():
            (tmp_path / name).write_bytes(data)
    data = CIFAR10(root=str(tmp_path), batch_size=4)
    assert data.train["example"].shape == (5 * RECORDS, 3, 32, 32)
    image = data.train["example"][2 * RECORDS + 3]
    assert (image[0] == 2).all()
    assert (image[1] == 3).all()
    assert torch.equal(image[2], torch.arange(32, dtype=torch.uint8)[:, None].expand(32, 32))
    assert data.train["label"][2 * RECORDS + 3] == 5
    assert (data.test["example"][:, 0] == 5).all()
    unpacked = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*") if p.is_file())
    assert [name for name in unpacked if not name.endswith("gz")] == sorted(NAMES)


@pytest.mark.parametrize("evil", ["../evil.bin", "/tmp/ganlab-evil.bin", "a/../../evil.bin"])
def test_an_archive_that_leaves_its_folder_is_refused(tmp_path, accept, evil):
    root = tmp_path / "root"
    root.mkdir()
    archive = root / "cifar-10-binary.tar.gz"
    write_tar(archive, {**cifar_files(), evil: b"evil"})
    accept(archive)
    with pytest.raises(DataError) as caught:
        CIFAR10(root=str(root)).setup("fit")
    assert f"{archive} was refused" in str(caught.value)
    assert evil in str(caught.value)
    assert list(tmp_path.rglob("*")) == [root, archive], "nothing is written"


def test_a_link_in_place_of_a_file_is_refused(tmp_path, accept):
    archive = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo(NAMES[0])
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    accept(archive)
    with pytest.raises(DataError, match="holds no file"):
        CIFAR10(root=str(tmp_path)).setup("fit")


def test_a_wrong_or_truncated_archive_is_refused(tmp_path, accept):
    archive = tmp_path / "cifar-10-binary.tar.gz"
    write_tar(archive, cifar_files())
    with pytest.raises(DataError, match="its MD5 is not the published"):
        CIFAR10(root=str(tmp_path)).setup("fit")
    archive.write_bytes(archive.read_bytes()[:-200])
    accept(archive)
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz is damaged"):
        CIFAR10(root=str(tmp_path)).setup("fit")


def test_a_damaged_cifar_file_is_named(tmp_path, accept):
    (tmp_path / "cifar-10-batches-bin").mkdir()
    for name, data in cifar_files().items():
        (tmp_path / name).write_bytes(data)
    path = tmp_path / NAMES[3]
    data = path.read_bytes()
    for damage in (data[:-3073], data[:-1], data + b"x", b"\x0a" + data[1:]):
        path.write_bytes(damage)
        with pytest.raises(DataError, match=r"data_batch_4\.bin is damaged"):
            CIFAR10(root=str(tmp_path)).setup("fit")


def test_pickled_cifar_is_not_read(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(DataError) as caught:
        CIFAR10(root=str(tmp_path)).setup("fit")
    message = str(caught.value)
    assert "cifar-10-batches-py is the Python version" in message
    assert "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz" in message
    assert message.count("(missing)") == 6
    assert "failed: offline" in message


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST, CIFAR10])
def test_bad_arguments_are_named(kind):
    with pytest.raises(ConfigError, match=r"data\.classes: received 7, but \w+ has 10 classes"):
        kind(classes=7)
    with pytest.raises(ConfigError, match=r"data\.channels: received 4"):
        kind(channels=4)
