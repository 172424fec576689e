"""`ganlab data check` reports exactly the problems that the loaders raise."""

import zlib

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from ganlab.config.compose import compose
from ganlab.core.build import make
from ganlab.errors import DataError
from ganlab.reports.data.check import check_data


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(root, *names, size=(8, 8)):
    """Write pictures of noise; each size is (width, height) in pixels."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(zlib.crc32(name.encode()))
        Image.fromarray(noise.integers(0, 256, (*size[::-1], 3), np.uint8)).save(path)


def numbered(folder, n):
    return [f"{folder}/{number:02}.png" for number in range(n)]


def loaded(command):
    """Return the data module that the printed command makes."""
    arguments = [word for word in command.split() if word.startswith("data")]
    return make(OmegaConf.to_container(compose(arguments).data, resolve=True))


def test_a_relative_folder_is_checked_as_an_absolute_one(tmp_path, monkeypatch):
    write(tmp_path / "mine", "A/1.png", "A/2.png", "A/3.png", "B/2.png", "B/3.png")
    write(tmp_path / "mine", "B/1.png", size=(9, 8))
    monkeypatch.chdir(tmp_path)
    absolute = check_data(tmp_path / "mine")
    assert len(absolute.wrong) == 1
    assert "1 pairs whose two pictures differ in size" in absolute.wrong[0]
    assert {title: len(files) for title, files in absolute.samples.items()} == {"A": 2, "B": 2}
    expected = (absolute.wrong, absolute.samples, absolute.root)
    for path in ("mine", "mine/../mine", "./mine/A/.."):
        found = check_data(type(tmp_path)(path))
        assert (found.wrong, found.samples, found.root) == expected


def test_celeba_is_recognised_from_relative_paths(tmp_path, monkeypatch):
    write(tmp_path / "celeba", *(f"img_align_celeba/{number}.jpg" for number in range(3)))
    (tmp_path / "celeba/list_eval_partition.txt").write_text("0.jpg 0\n1.jpg 0\n2.jpg 2\n")
    for place, path in (("celeba", "."), ("celeba/img_align_celeba", ".."), (".", "celeba")):
        monkeypatch.chdir(tmp_path / place)
        found = check_data(type(tmp_path)(path))
        assert (found.kind, found.wrong) == ("celeba", [])
        assert found.command.endswith(f"data.root={tmp_path}")


@pytest.mark.parametrize("classes", [(), ("cat", "dog")])
def test_the_command_fits_a_small_folder(tmp_path, classes):
    """22 of 24 pictures are for training, fewer than a default batch of data=folder."""
    folders = [f"mine/{name}" for name in classes] or ["mine"]
    for folder in folders:
        write(tmp_path, *numbered(folder, 24 // len(folders)))
    found = check_data(tmp_path / "mine")
    assert found.wrong == []
    assert found.counts == {"pictures to train on": 22, "pictures to test with": 2}
    assert "a fixed rule takes a tenth of the files" in found.notes[-1]
    data = loaded(found.command)
    data.setup("fit")
    assert data.batch_size == 16
    assert data.classes == (len(classes) or None)
    assert len(data.train["example"]) == 22


def test_the_command_keeps_the_batch_size_for_a_larger_folder(tmp_path):
    write(tmp_path, *numbered("train", 64), *numbered("test", 3))
    found = check_data(tmp_path)
    assert found.counts == {"pictures to train on": 64, "pictures to test with": 3}
    assert "batch_size" not in found.command
    assert not any("fixed rule" in note for note in found.notes)
    loaded(found.command).setup("fit")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["Cat.png", "cat.png", "x.png"], "differ only in case: Cat.png and cat.png"),
        (["train/1.png", "test/2.png", "bus/3.png"], "pictures elsewhere: in bus"),
        (["training/1.png", "test/2.png"], "holds test/ without train/"),
        (["train/cat/1.png", "train/dog/2.png", "test/bus/3.png"], "test has classes that"),
        (["1.png"], "holds 1 pictures, too few"),
    ],
)
def test_what_the_loader_refuses_is_reported_as_wrong(tmp_path, names, words):
    write(tmp_path / "mine", *names)
    if len({name.lower() for name in names}) < len(names) > len([*(tmp_path / "mine").iterdir()]):
        pytest.skip("this file system ignores case")
    found = check_data(tmp_path / "mine")
    assert len(found.wrong) == 1, found.wrong
    assert words in found.wrong[0]
    assert not any("differ only in case" in note for note in found.notes), "once is enough"
    with pytest.raises(DataError, match=words):
        loaded(found.command).setup("fit")


def test_unused_pictures_beside_the_sides_are_noted(tmp_path):
    write(tmp_path, *(f"{side}/{name}" for side in "AB" for name in ("train/1.png", "test/2.png")))
    write(tmp_path, "A/3.png", "A/4.png", "5.png", "B/notes/6.png")
    found = check_data(tmp_path)
    assert found.wrong == []
    assert (
        "Not used: 1 pictures in the folder itself, 2 pictures in A/ itself, B/notes/."
        in found.notes
    )
