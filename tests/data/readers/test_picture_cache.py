"""The disk cache of pictures: its keys, damaged entries, and several processes that use it."""

import json
import logging
import multiprocessing
import time

import numpy as np
import pytest
import torch
from PIL import Image

import ganlab.data.readers.picture_cache as picture_cache
from ganlab.data.readers.decoding import CorruptImageError, Decoder
from ganlab.data.readers.pictures import list_pictures, load_pictures
from ganlab.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Set the user's cache folder to a temporary folder, and return the pictures' folder in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ganlab" / "pictures"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "pictures"


def write(folder, n=4, height=12, width=10, ending="png"):
    """Write random pictures 0.png, 1.png, …; return their pixels, uint8 (n, 3, height, width)."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (n, height, width, 3), dtype=np.uint8)
    for number, array in enumerate(pixels):
        Image.fromarray(array).save(folder / f"{number}.{ending}")
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def load(folder, **changes):
    arguments = {"size": None, "fit": "none", "decoder": Decoder(), "title": "tests"}
    return load_pictures(list_pictures(folder), root=folder, **{**arguments, **changes})


def entries(cache):
    return [path.parent for path in cache.glob("*/manifest.json")]


def test_a_second_load_decodes_nothing(folder, monkeypatch):
    write(folder)
    first = load(folder, size=8, fit="crop")
    monkeypatch.setattr(Decoder, "picture", None)
    monkeypatch.setattr(picture_cache, "_hash", None)
    assert torch.equal(load(folder, size=8, fit="crop").images, first.images)


def test_changed_files_are_decoded_again_and_moved_files_are_not(folder, cache, monkeypatch):
    pixels = write(folder)
    load(folder)
    moved = folder.rename(folder.with_name("elsewhere"))
    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "picture", None)
        assert torch.equal(load(moved).images, pixels)
    assert len(entries(cache)) == 1
    Image.fromarray(np.zeros((12, 10, 3), dtype=np.uint8)).save(moved / "2.png")
    changed = load(moved).images
    assert (changed[2] == 0).all()
    assert torch.equal(changed[3], pixels[3])


def test_each_setting_has_its_own_entry(folder, cache):
    write(folder)
    shapes = {
        tuple(load(folder, size=size, fit=fit, decoder=decoder).images.shape)
        for size, fit, decoder in [
            (8, "crop", Decoder()),
            (8, "stretch", Decoder()),
            (8, "crop", Decoder(1)),
            (8, "crop", Decoder(3, "black")),
            ((6, 8), "crop", Decoder()),
        ]
    }
    assert shapes == {(4, 3, 8, 8), (4, 1, 8, 8), (4, 3, 6, 8)}
    assert len(entries(cache)) == 5


def test_max_pixels_applies_to_cached_pictures_too(folder):
    write(folder)
    load(folder, size=8, fit="crop")
    with pytest.raises(DataError, match=r"(?s)4 of 4 .*more than max_pixels=100 allows"):
        load(folder, size=8, fit="crop", decoder=Decoder(max_pixels=100))


def test_only_the_files_that_an_entry_lacks_are_retried(folder, cache):
    """A file may fail for a reason outside of it, and is used as soon as it does not fail."""

    class RefusingDecoder(Decoder):
        refused, read = ("1.png", "2.png"), 0

        def picture(self, path):
            self.read += 1
            if path.name in self.refused:
                raise CorruptImageError(path, "not today")
            return super().picture(path)

    pixels, decoder = write(folder), RefusingDecoder()
    options = {"size": (12, 10), "fit": "crop", "decoder": decoder, "skip_corrupt": True}
    for kept, refused, read in [
        ([0, 3], ("1.png", "2.png"), 4),
        ([0, 3], ("1.png", "2.png"), 2),
        ([0, 2, 3], ("1.png",), 6),  # the two lacking files are retried, then all four are read
        ([0, 1, 2, 3], (), 5),
        ([0, 1, 2, 3], ("0.png",), 0),
    ]:
        decoder.refused, decoder.read = refused, 0
        assert torch.equal(load(folder, **options).images, pixels[kept])
        assert decoder.read == read
    assert len(entries(cache)) == 1


def test_writing_to_the_images_does_not_change_the_cache(folder):
    pixels = write(folder)
    load(folder).images.zero_()
    assert torch.equal(load(folder).images, pixels)


@pytest.mark.parametrize(
    "damage",
    ["version", "cut", "no manifest", "nonsense", "broken", "linked pixels", "linked entry"],
)
def test_a_damaged_entry_is_rebuilt_with_one_warning(folder, cache, caplog, damage, tmp_path):
    pixels = write(folder)
    load(folder)
    (entry,) = entries(cache)
    manifest = entry / "manifest.json"
    if damage == "version":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": 0}))
    elif damage == "cut":
        (entry / "images.bin").write_bytes((entry / "images.bin").read_bytes()[:-1])
    elif damage == "broken":
        content = json.loads(manifest.read_text()) | {"broken": {"99": ""}}
        manifest.write_text(json.dumps(content))
    elif damage.startswith("linked"):
        linked = entry if damage == "linked entry" else entry / "images.bin"
        linked.rename(tmp_path / "theirs")
        linked.symlink_to(tmp_path / "theirs")
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text("[1, 2")
    for _ in range(2):
        with caplog.at_level(logging.WARNING):
            assert torch.equal(load(folder).images, pixels)
    assert len(caplog.records) == 1
    assert "is damaged, of another version or of another user, and is rebuilt" in caplog.text


@pytest.mark.parametrize("trouble", ["no folder", "no room", "full"])
def test_memory_is_used_if_the_disk_cannot_be_used(folder, cache, caplog, monkeypatch, trouble):
    pixels = write(folder)
    if trouble == "no folder":  # a file blocks it, as permissions would not stop root
        cache.parent.mkdir(parents=True)
        cache.write_text("")
    elif trouble == "no room":
        usage = type("Usage", (), {"free": 10})
        monkeypatch.setattr(picture_cache.shutil, "disk_usage", lambda path: usage)
    else:

        def fsync(handle):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(picture_cache.os, "fsync", fsync)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(load(folder).images, pixels)
    assert len(caplog.records) == 1
    assert "data.cache=memory" in caplog.text
    assert not list(cache.glob("*.part"))


class SlowDecoder(Decoder):
    """A decoder that sleeps for each picture, and counts the pictures."""

    decoded = 0

    def picture(self, path):
        self.decoded += 1
        time.sleep(0.03)
        return super().picture(path)


def load_slowly(folder, answers=None):
    """Return how many pictures were decoded, and the pixels."""
    decoder = SlowDecoder()
    images = load(folder, size=8, fit="crop", decoder=decoder).images
    answer = decoder.decoded, images.flatten().tolist()
    if answers is not None:
        answers.put(answer)
    return answer


def fork(*arguments):
    """Start a process that loads slowly; a fork saves the seconds that importing torch takes."""
    pytest.importorskip("fcntl")
    process = multiprocessing.get_context("fork").Process(target=load_slowly, args=arguments)
    process.start()
    return process


def test_two_processes_build_once(folder, cache):
    write(folder, n=30)
    answers = multiprocessing.get_context("fork").Queue()
    process = fork(folder, answers)
    parent, child = load_slowly(folder), answers.get(timeout=60)
    process.join()
    assert sorted([parent[0], child[0]]) == [0, 30]
    assert parent[1] == child[1]
    assert len(entries(cache)) == 1


def test_a_killed_build_is_cleaned_up_and_repeated(folder, cache):
    """The next build removes what the killed build left, and the next load builds again."""
    write(folder, n=40)
    other = write(folder.with_name("others"))
    process = fork(folder)
    deadline = time.monotonic() + 30
    while not list(cache.glob("*.part/images.bin")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert torch.equal(load(folder.with_name("others")).images, other)
    assert list(cache.glob("*.part")), "the folder of a living process is not removed"
    process.kill()
    process.join()
    assert list(cache.glob("*.part"))
    assert len(entries(cache)) == 1
    write(folder.with_name("others"), n=5)
    load(folder.with_name("others"))
    assert not list(cache.glob("*.part"))
    assert len(load(folder, size=8, fit="crop").images) == 40


def test_headers_are_not_read_again_for_a_cached_entry(folder, monkeypatch):
    """With size=None the files' common size is found only when the entry is built."""
    pixels = write(folder)
    load(folder)
    monkeypatch.setattr(Decoder, "head", None)
    assert torch.equal(load(folder).images, pixels)
