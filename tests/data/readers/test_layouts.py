"""Which layout a folder has, what is not used, and how many folders are searched."""

import logging

import pytest
from PIL import Image

from ganlab.data import ImageFolder, PairedImages, UnpairedImages
from ganlab.data.readers import folder_walk, layouts
from ganlab.data.readers.folder_walk import draw_found, walk_folders
from ganlab.data.readers.layouts import find_layout, sets_below, unknown_layout
from ganlab.data.readers.pictures import list_pictures
from ganlab.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def write(root, *names, size=(16, 8)):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(path)


def spread(forms, *names):
    return [form.format(name) for form in forms for name in names]


SMALL = {"size": 8, "cache": "memory", "test_share": 0}


@pytest.mark.parametrize("kind", [PairedImages, UnpairedImages])
@pytest.mark.parametrize(
    "forms", [("train{0}", "test{0}"), ("{0}/train", "{0}/val"), ("train/{0}", "val/{0}"), ("{0}",)]
)
def test_splits_are_the_same_before_and_after_loading(tmp_path, kind, forms):
    """With test_share=0, only the folders decide the splits."""
    write(tmp_path, *(f"{folder}/{n}.png" for folder in spread(forms, "A", "B") for n in range(3)))
    data = kind(str(tmp_path), **SMALL)
    splits = ("train", "test")[: len(forms)]
    assert data.splits == splits
    data.setup("fit")
    assert data.splits == splits
    assert data.domain(data.keys[0]).splits == splits
    for split in data.splits:
        assert len(data.split(split)[data.keys[0]]) == 3
    if splits == ("train",):
        with pytest.raises(DataError, match="no test split"):
            _ = data.test
        data = kind(str(tmp_path), **{**SMALL, "test_share": 0.4})
        assert data.splits == ("train", "test")
        assert len(data.test[data.keys[0]]) == 1


@pytest.mark.parametrize("kind", [PairedImages, UnpairedImages, ImageFolder])
def test_splits_do_not_raise_where_files_are_missing(tmp_path, kind):
    (tmp_path / "half/trainA").mkdir(parents=True)
    for name in ("nowhere", "half"):
        root = str(tmp_path / name)
        assert kind(root, size=8).splits == ("train", "test")
        data = kind(root, size=8, test_share=0)
        assert data.splits == ("train",)
        with pytest.raises(DataError):
            data.setup("fit")


def test_splits_of_a_public_set_are_known_before_its_download(tmp_path):
    data = PairedImages(str(tmp_path), archive="pix2pix/facades", test_share=0)
    assert data.splits == ("train", "test")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("test", ["test", "Val"])
def test_splits_of_a_folder_of_pictures(tmp_path, test):
    write(tmp_path, *(f"{folder}/{n}.png" for folder in ("train", test) for n in range(3)))
    data = ImageFolder(str(tmp_path), **SMALL)
    assert data.splits == ("train", "test")
    assert len(data.test["example"]) == 3


@pytest.mark.parametrize("kind", ["paired", "unpaired"])
@pytest.mark.parametrize(("present", "missing"), [("A", "B"), ("B", "A")])
def test_a_split_that_lacks_one_side_is_refused(tmp_path, kind, present, missing):
    write(tmp_path, "train/A/1.png", "train/B/1.png", f"test/{present}/1.png")
    with pytest.raises(DataError) as caught:
        find_layout(tmp_path, kind)
    assert f"{tmp_path / 'test' / present} has no counterpart" in str(caught.value)
    assert f"{tmp_path / 'test' / missing}" in str(caught.value)
    (tmp_path / "test" / missing).mkdir()
    assert find_layout(tmp_path, kind).folders.keys() == {"train", "test"}


def test_a_class_named_a_is_no_side(tmp_path):
    write(tmp_path, "train/a/1.png", "test/a/1.png")
    assert find_layout(tmp_path, "unpaired") is None


@pytest.mark.parametrize(
    ("used", "outside", "unused"),
    [
        (
            ["A/train/1.png", "B/train/1.png"],
            ["A/2.png", "B/x/3.png"],
            "1 pictures in A/ itself, B/x/",
        ),
        (["train/A/1.png", "train/B/1.png"], ["train/2.png"], "1 pictures in train/ itself"),
        (
            ["trainA/1.png", "trainB/1.png"],
            ["2.png", "x/3.png"],
            "1 pictures in the folder itself, x/",
        ),
        (["A/1.png", "B/x/1.png"], ["2.png"], "1 pictures in the folder itself"),
    ],
)
def test_pictures_outside_the_sides_are_named(tmp_path, caplog, used, outside, unused):
    write(tmp_path, *used)
    data = UnpairedImages(str(tmp_path), size=8)
    assert data.layout.unused == ()
    write(tmp_path, *outside)
    with caplog.at_level(logging.INFO, logger="ganlab"):
        data = UnpairedImages(str(tmp_path), size=8)
        assert ", ".join(data.layout.unused) == unused
    assert f"; {unused} not used" in caplog.text


def test_sets_below_a_folder_are_found(tmp_path):
    """Sets of any layout, upper folders first, none inside another; classes are no sets."""
    write(tmp_path, "x/y/one/train/1.png", "x/two/A/train/1.png", "x/two/B/train/1.png")
    write(tmp_path, "z/trainA/1.png", "z/trainB/1.png", "cat/1.png", "dog/1.png")
    assert sets_below(tmp_path, "paired", "unpaired") == [
        tmp_path / "z",
        tmp_path / "x/two",
        tmp_path / "x/y/one",
    ]
    text = str(unknown_layout(tmp_path, "unpaired"))
    assert f"Did you mean data.root={tmp_path}/z or data.root={tmp_path}/x/two?" in text


def test_folders_of_classes_are_not_proposed_as_roots(tmp_path):
    write(tmp_path, "cat/1.png", "dog/1.png", size=(8, 8))
    with pytest.raises(DataError) as caught:
        PairedImages(str(tmp_path)).setup("fit")
    assert "Did you mean" not in str(caught.value)


def test_walk_folders_counts_what_list_pictures_lists(tmp_path):
    """Both treat links, hidden folders and endings alike, and do not follow a link upwards."""
    write(tmp_path / "other", "x.png")
    root = tmp_path / "root"
    write(root, "1.PNG", "a/2.jpg", "a/.hidden/3.png", "__MACOSX/4.png", ".5.png", "a/b/6.webp")
    (root / "a/notes.txt").write_text("")
    (root / "link").symlink_to(tmp_path / "other")
    (root / "a/b/up").symlink_to(root)
    listed = [path.parent for path in list_pictures(root)]
    counts = {folder: n for folder, n in walk_folders(root) if n}
    assert counts == {folder: listed.count(folder) for folder in listed}


def test_a_message_reads_a_limited_number_of_folders(tmp_path, monkeypatch):
    for n in range(40):
        write(tmp_path, f"{n:02}/deep/1.png")
    read = []
    monkeypatch.setattr(folder_walk, "MAX_FOLDERS", 20)
    monkeypatch.setattr(folder_walk, "pictures_in", lambda folder: read.append(folder) or [1])
    text = draw_found(tmp_path)
    assert len(read) == 20
    assert "… and at least 10 more folders" in text


def test_sets_are_searched_in_a_limited_number_of_folders(tmp_path, monkeypatch):
    write(tmp_path, "a/1.png", "b/1.png", "c/train/1.png")
    assert sets_below(tmp_path, "paired") == [tmp_path / "c"]
    monkeypatch.setattr(layouts, "MAX_FOLDERS", 3)
    assert sets_below(tmp_path, "paired") == []
