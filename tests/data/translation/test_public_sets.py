"""Public archives from file:// servers: downloaded, unpacked, checked, refused, explained."""

import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from PIL import Image

import ganlab.data.translation.public_sets as archives
from ganlab.data import PairedImages, UnpairedImages
from ganlab.data.archives.files import download
from ganlab.data.archives.unpacking import unpacked
from ganlab.data.translation.public_sets import NAMES, fetch_archive
from ganlab.errors import ConfigError, DataError


def picture(width, seed=0):
    buffer = io.BytesIO()
    array = np.random.default_rng(seed).integers(0, 256, (8, width, 3), dtype=np.uint8)
    Image.fromarray(array).save(buffer, format="PNG")
    return buffer.getvalue()


FACADES = {f"facades/{s}/{n}.png": picture(16, n) for s in ("train", "val") for n in range(3)}
HORSES = {
    f"horse2zebra/{s}/{n}.png": picture(8, n)
    for s in ("trainA", "trainB", "testA", "testB")
    for n in range(3)
}


def write_tar(path, files, *extra):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in extra:
            tar.addfile(member)


def write_zip(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)


@pytest.fixture
def server(tmp_path, monkeypatch):
    folder = tmp_path / "server"
    write_tar(folder / "pix2pix/datasets/facades.tar.gz", FACADES)
    write_zip(folder / "cyclegan/datasets/horse2zebra.zip", HORSES)
    monkeypatch.setattr(archives, "SERVERS", ((tmp_path / "down").as_uri(), folder.as_uri()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def files_of(root):
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def test_the_first_use_downloads_unpacks_and_deletes_the_archive(tmp_path, server):
    root = tmp_path / "sets"
    data = PairedImages(str(root), "pix2pix/facades", size=8, test_folder="val")
    data.prepare_data()
    assert files_of(root) == sorted(f"pix2pix/{name}" for name in FACADES), "no archive is left"
    assert data.training_rows["source"].shape == (3, 3, 9, 9)
    assert data.test["target"].shape == (3, 3, 8, 8)
    unpaired = UnpairedImages(str(root), "cyclegan/horse2zebra", size=8)
    assert len(unpaired.test["b"]) == 3
    (server / "pix2pix/datasets/facades.tar.gz").unlink()
    PairedImages(str(root), "pix2pix/facades").prepare_data()  # already unpacked: needs no server


@pytest.mark.parametrize("folder", ["pix2pix/facades", "facades", ""])
def test_an_unpacked_set_is_used(tmp_path, monkeypatch, folder):
    monkeypatch.setattr(archives, "SERVERS", ())
    root = tmp_path / "facades"
    for name, data in FACADES.items():
        path = root / folder / name.removeprefix("facades/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert len(PairedImages(str(root), "pix2pix/facades").files("train")["ab"]) == 3


@pytest.mark.parametrize("folder", ["pix2pix", "."])
def test_an_archive_that_a_person_downloaded_is_used_and_kept(tmp_path, monkeypatch, folder):
    monkeypatch.setattr(archives, "SERVERS", ())
    archive = tmp_path / folder / "facades.tar.gz"
    write_tar(archive, FACADES)
    assert fetch_archive("pix2pix/facades", tmp_path) == tmp_path / "pix2pix/facades"
    assert archive.exists()


def test_offline_the_message_says_what_to_get_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SERVERS", ((tmp_path / "down").as_uri(),))
    with pytest.raises(DataError) as caught:
        UnpairedImages(str(tmp_path / "sets"), "cyclegan/maps").prepare_data()
    text = str(caught.value)
    assert f"no maps of cyclegan under {tmp_path / 'sets'}" in text
    assert "down/cyclegan/datasets/maps.zip" in text
    assert f"put it into {tmp_path / 'sets/cyclegan'}" in text
    assert text.count("(missing)") == 4
    assert files_of(tmp_path) == []


def test_cityscapes_is_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "download", lambda *_: pytest.fail("nothing is downloaded"))
    for name in ("pix2pix/cityscapes", "cyclegan/cityscapes"):
        with pytest.raises(DataError, match=r"(?s)licence.*www\.cityscapes-dataset\.com"):
            fetch_archive(name, tmp_path)


@pytest.mark.parametrize("what", ["cut", "flipped", "web page", "other set", "empty set"])
def test_an_unusable_download_is_deleted_and_reported(tmp_path, server, what):
    path = server / "cyclegan/datasets/horse2zebra.zip"
    data = bytearray(path.read_bytes())
    if what == "cut":
        data = data[:-300]
    elif what == "flipped":
        data[60] ^= 255
    elif what == "web page":
        data = b"<html>log in</html>"
    path.write_bytes(data)
    if what == "other set":
        write_zip(path, FACADES)
    elif what == "empty set":
        write_zip(path, {"horse2zebra/readme.txt": b""})
    deleted = r"(?s)file was deleted, as it cannot be used.*zebra\.zip"
    with pytest.raises(DataError, match=deleted) as caught:
        fetch_archive("cyclegan/horse2zebra", tmp_path / "sets")
    assert "delete it" not in str(caught.value)
    assert files_of(tmp_path / "sets") == []


def test_half_a_set_is_drawn_as_it_lies_in_the_archive(tmp_path, server):
    """The message does not name the temporary folder, which is deleted when a user reads it."""
    half = {name: data for name, data in HORSES.items() if "B/" not in name}
    write_zip(server / "cyclegan/datasets/horse2zebra.zip", half)
    with pytest.raises(DataError, match=r"(?s)zip does not hold horse2zebra: found") as caught:
        fetch_archive("cyclegan/horse2zebra", tmp_path / "sets")
    assert "\n  horse2zebra.zip/horse2zebra/testA " in str(caught.value)
    assert ".part" not in str(caught.value)
    assert files_of(tmp_path / "sets") == []


@pytest.mark.parametrize("name", ["pix2pix/facades/mine/1.png", "pix2pix/facades"])
def test_other_files_in_the_sets_folder_are_named_before_anything_is_downloaded(
    tmp_path, server, monkeypatch, name
):
    monkeypatch.setattr(archives, "download", lambda *_: pytest.fail("nothing is downloaded"))
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(picture(8))
    with pytest.raises(DataError, match=r"(?s)pix2pix/facades must be missing or.*Move it away"):
        fetch_archive("pix2pix/facades", tmp_path)
    assert files_of(tmp_path / "pix2pix") == [name.removeprefix("pix2pix/")]


def test_an_empty_folder_of_the_set_is_filled(tmp_path, server):
    (tmp_path / "pix2pix/facades").mkdir(parents=True)
    assert fetch_archive("pix2pix/facades", tmp_path) == tmp_path / "pix2pix/facades"


def test_a_tar_gz_with_a_wrong_checksum_is_damaged(tmp_path):
    """The last bytes are gzip's checksum and length, which lie behind the last member."""
    archive = tmp_path / "facades.tar.gz"
    write_tar(archive, FACADES)
    data = bytearray(archive.read_bytes())
    data[-6] ^= 255
    archive.write_bytes(data)
    with pytest.raises(DataError, match="is damaged"):
        fetch_archive("pix2pix/facades", tmp_path)
    assert files_of(tmp_path) == ["facades.tar.gz"], "nothing is unpacked; a person's file stays"


@pytest.mark.parametrize("evil", ["../evil.png", "/evil.png", "facades/../../evil.png", "C:/e.png"])
@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_paths_that_leave_the_folder_are_refused(tmp_path, evil, write):
    archive = tmp_path / "root/facades.tar.gz"
    write(archive, {**FACADES, evil: b"evil"})
    with pytest.raises(DataError, match=f"was refused.*{evil}"):
        fetch_archive("pix2pix/facades", tmp_path / "root")
    assert files_of(tmp_path) == ["root/facades.tar.gz"]


def test_links_and_devices_are_refused(tmp_path):
    for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE)):
        member = tarfile.TarInfo("facades/train/x.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive = tmp_path / str(number) / "facades.tar.gz"
        write_tar(archive, FACADES, member)
        with pytest.raises(DataError, match="is a link or a device"):
            fetch_archive("pix2pix/facades", archive.parent)
    link = zipfile.ZipInfo("facades/train/x.png")
    link.external_attr = 0o120777 << 16
    archive = tmp_path / "zip" / "facades.tar.gz"
    write_zip(archive, {**FACADES, link: "/etc/passwd"})
    with pytest.raises(DataError, match="is a link or a device"):
        fetch_archive("pix2pix/facades", archive.parent)


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_contents_of_more_than_most_bytes_are_refused(tmp_path, write):
    archive = tmp_path / "bomb"
    write(archive, {"a": bytes(3000), "b": bytes(3000)})
    with pytest.raises(DataError, match="was refused: it holds more"):  # noqa: SIM117
        with unpacked(archive, tmp_path / "out", most_bytes=5000):
            pytest.fail("the archive was not refused")
    with unpacked(archive, tmp_path / "out", most_bytes=6000) as folder:
        assert files_of(folder) == ["a", "b"]
    assert files_of(tmp_path) == ["bomb"], "the folder is removed when the block ends"


def test_a_full_disk_keeps_the_archive(tmp_path, server, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganlab.data.archives.unpacking._write", full)
    with pytest.raises(DataError, match=r"could not be unpacked.*No space left"):
        fetch_archive("pix2pix/facades", tmp_path / "sets")
    assert files_of(tmp_path / "sets") == ["pix2pix/facades.tar.gz"]


def test_a_set_that_another_process_unpacks_meanwhile_is_used(tmp_path, monkeypatch):
    def fetch_too_late(archive, root):
        for name, data in FACADES.items():
            path = root / "pix2pix" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        raise DataError("the folder exists")

    monkeypatch.setattr(archives, "_fetch", fetch_too_late)
    assert fetch_archive("pix2pix/facades", tmp_path) == tmp_path / "pix2pix/facades"


def test_a_connection_that_ends_early_leaves_nothing(tmp_path):
    class ShortAnswer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 400)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), ShortAnswer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(OSError, match=r"400 of 1,000 bytes|IncompleteRead"):
            download([f"http://127.0.0.1:{server.server_port}/x"], tmp_path / "x", None)
        thread.join()
    assert files_of(tmp_path) == []


def test_unknown_names_of_public_sets_are_refused():
    assert {"pix2pix/facades", "cyclegan/horse2zebra", "cyclegan/monet2photo"} <= set(NAMES)
    with pytest.raises(ConfigError, match=r"data\.archive: received 'faces'.*pix2pix/facades"):
        PairedImages("data", "faces").fetch("train")
