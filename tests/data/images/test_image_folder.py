"""Folders of pictures in the supported layouts, and in layouts that are refused."""

import logging
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from ganlab.data import ImageFolder
from ganlab.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Set the cache folder to a temporary one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "my pictures"


def write(root, *names, size=(8, 8)):
    """Write pictures of one colour each, `colour(name)`."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, tuple(colour(name).to_bytes(3, "big"))).save(path)


def colour(name):
    """Return a colour of 24 bits that depends only on the name."""
    return zlib.crc32(name.encode()) >> 8


def colours_of(tensors):
    """Return the colours of a split's pictures, each as 24 bits."""
    images = tensors["example"]
    assert (images == images[:, :, :1, :1]).all()
    return [int.from_bytes(bytes(rgb), "big") for rgb in images[:, :, 0, 0].tolist()]


def make(root, **settings):
    return ImageFolder(root=str(root), **{"size": 8, "batch_size": 2, **settings})


NAMES = [f"{number:02}.png" for number in range(20)]


def test_a_plain_folder_is_split_by_a_rule(root):
    """A tenth is for tests; no file is in both splits; seeds and added files change no split."""
    write(root, *NAMES)
    data = make(root)
    train, test = colours_of(data.train), colours_of(data.test)
    assert sorted(train + test) == sorted(colour(name) for name in NAMES)
    assert len(test) == 2
    assert colours_of(make(root, seed=5).test) == test
    assert (data.provides, data.classes, data.shape) == (("example",), None, (3, 8, 8))
    write(root, "a.png", "b.png", "c.png", "d.png")
    assert set(colours_of(make(root).test)) - set(test) <= {colour(f"{x}.png") for x in "abcd"}
    assert len(colours_of(make(root, test_share=0.5).test)) == 12


def test_a_test_share_of_zero_gives_no_test_split(root):
    write(root, *NAMES)
    data = make(root, test_share=0)
    assert data.splits == ("train",)
    assert len(data.train["example"]) == 20
    with pytest.raises(DataError, match=r"no test split.*data\.test_share=0\.1"):
        _ = data.test


@pytest.mark.parametrize("test", ["test", "val", "Test"])
def test_folders_named_as_splits_are_the_splits(root, test, caplog):
    write(root / "train", *NAMES)
    write(root / test / "deep" / "down", "x.png")
    (root / "notes").mkdir()
    with caplog.at_level(logging.INFO):
        data = make(root)
        assert colours_of(data.train) == [colour(name) for name in NAMES]
        assert colours_of(data.test) == [colour("x.png")]
    assert f"20 pictures to train on in train/ and 1 to test in {test}/" in caplog.text


def test_test_folder_chooses_between_test_and_val(root, caplog):
    write(root / "train", *NAMES)
    write(root / "test", "t.png")
    write(root / "val", "v.png", "w.png")
    assert len(make(root).test["example"]) == 1
    with caplog.at_level(logging.INFO):
        assert len(make(root, test_folder="val").test["example"]) == 2
    assert "test/ is not used" in caplog.text
    for name in ("v.png", "w.png"):
        (root / "val" / name).unlink()
    (root / "val").rmdir()
    with pytest.raises(DataError, match=r"has only test\. Set data\.test_folder=test"):
        make(root, test_folder="val").setup("fit")


def test_train_alone_is_no_split_but_may_be_a_class(root):
    write(root, *(f"train/{name}" for name in NAMES))
    assert len(make(root).test["example"]) == 2, "a tenth, as of any folder"
    write(root, *(f"bus/{name}" for name in NAMES))
    data = make(root, classes=2)
    assert len(data.train["label"]) == 36
    assert data.class_names == ("bus", "train")


def test_splits_and_pictures_elsewhere_are_ambiguous(root):
    """A stray picture next to train/ and test/ must not mix test pictures into the training."""
    write(root, *(f"{kind}/{name}" for kind in ("train", "test", "bus") for name in NAMES[:3]))
    with pytest.raises(DataError, match=r"(?s)pictures elsewhere: in bus\.\n.*bus +\(3 pictures\)"):
        make(root).prepare_data()
    for path in (root / "bus").iterdir():
        path.unlink()
    write(root, "stray.png")
    with pytest.raises(DataError, match="pictures elsewhere: in no folder"):
        make(root).prepare_data()
    (root / "stray.png").unlink()
    assert len(make(root).test["example"]) == 3


def test_classes_are_first_folders(root):
    write(root, *(f"{kind}/{name}" for kind in ("dog", "cat") for name in NAMES))
    write(root, "cat/persian/long hair/x.png")
    data = make(root, classes=2)
    assert (data.classes, data.provides) == (2, ("example", "label")), "before reading"
    for split in data.splits:
        want = {
            colour(f"{kind}/{name}"): k for k, kind in enumerate(("cat", "dog")) for name in NAMES
        }
        want[colour("cat/persian/long hair/x.png")] = 0
        tensors = data.split(split)
        assert tensors["label"].tolist() == [want[value] for value in colours_of(tensors)]
    assert data.class_names == ("cat", "dog")
    assert "label" not in make(root).train


def test_classes_within_splits(root):
    write(root, *(f"train/{kind}/{name}" for kind in ("dog", "cat") for name in NAMES))
    write(root, "val/dog/x.png")
    data = make(root, classes=2)
    assert data.train["label"].bincount().tolist() == [20, 20]
    assert data.test["label"].tolist() == [1]
    write(root, "val/zebra/x.png")
    with pytest.raises(DataError, match=r"val has classes that .*train lacks: zebra.*cat, dog"):
        make(root, classes=2).setup("fit")


@pytest.mark.parametrize("declared", [1, 3])
def test_a_wrong_number_of_classes_is_refused(root, declared):
    write(root, *(f"{kind}/{name}" for kind in ("dog", "cat") for name in NAMES))
    with pytest.raises(DataError, match=r"has 2 folders: cat, dog\. Set data\.classes=2"):
        make(root, classes=declared).setup("fit")
    write(root, "stray.png")
    with pytest.raises(DataError, match=r"(?s)lie in no folder of a class.*<class>/\*\.png"):
        make(root, classes=2).setup("fit")


def test_unusual_file_names_in_all_numbers_of_channels(root):
    names = ["ü bung/a b.png", "日本/ピ.JPG", "x'y/[1].webp", "dots.in.name/a.b.c.png", "ok/ .png"]
    write(root, *names)
    for channels in (1, 2, 3, 4):
        data = make(root, test_share=0, fit="none", channels=channels)
        assert data.train["example"].shape == (5, channels, 8, 8)


def test_names_that_differ_only_in_case_are_named(root):
    write(root, "a/Cat.png", "a/cat.png", "b.png")
    if len(list((root / "a").iterdir())) == 1:
        pytest.skip("this file system ignores case")
    with pytest.raises(DataError, match=r"differ only in case: a/Cat\.png and a/cat\.png"):
        make(root).setup("fit")


def test_crops_come_from_larger_pictures(root):
    """Every crop is a part of its picture or of its mirror image; scores use the whole picture."""
    root.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "a.png")
    data = make(root, load_size=12, flip=True, test_share=0, batch_size=1)
    data.setup("fit")
    assert data.training_rows["example"].shape == (1, 3, 12, 12)
    assert data.reference().shape == (1, 3, 8, 8) == (1, *data.shape)
    whole = torch.from_numpy(pixels).permute(2, 0, 1)
    parts = {
        bytes(picture[:, y : y + 8, x : x + 8].contiguous().numpy()): (y, x, mirrored)
        for mirrored, picture in ((False, whole), (True, whole.flip(-1)))
        for y in range(5)
        for x in range(5)
    }
    batches = iter(data.train_dataloader())
    sampled = {parts[bytes(next(batches)["example"][0].numpy())] for _ in range(300)}
    assert len(sampled) > 45, "of 50 positions and flips"


def test_without_fitting_pictures_keep_their_pixels(root):
    """Training batches are random crops; scores use the middle."""
    root.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 10, 12, 3), dtype=np.uint8)
    for number, array in enumerate(pixels):
        Image.fromarray(array).save(root / f"{number}.png")
    data = make(root, fit="none", test_share=0)
    whole = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    assert torch.equal(data.train["example"], whole[:, :, 1:9, 2:10])
    assert torch.equal(data.training_rows["example"], whole)
    assert next(iter(data.train_dataloader()))["example"].shape == (2, 3, 8, 8)
    for stage in (lambda d: d.setup("fit"), lambda d: d.train):
        with pytest.raises(
            DataError, match=r"12×10 pixels.*crops of 16×16.*data\.size=10, or data\.fit=crop"
        ):
            stage(make(root, fit="none", size=16, test_share=0))


def test_a_limit_decodes_a_seeded_part(root):
    write(root, *NAMES)
    parts = [colours_of(make(root, limit=5, seed=seed).train) for seed in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]
    assert len(parts[0]) == 5
    assert len(make(root, limit=5).test["example"]) == 2, "the limit is on training images alone"
    with pytest.raises(DataError, match=r"data\.limit: received 19.*18 training images"):
        make(root, limit=19).setup("fit")


def test_skipped_files_leave_labels_where_they_belong(root):
    write(root, *(f"{kind}/{name}" for kind in ("dog", "cat") for name in NAMES))
    (root / "cat" / "03.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"(?s)1 of 40 images.*cat/03\.png.*data\.skip_corrupt"):
        make(root, classes=2, test_share=0).setup("fit")
    data = make(root, classes=2, test_share=0, skip_corrupt=True)
    assert data.train["label"].bincount().tolist() == [19, 20]
    assert colours_of(data.train)[19] == colour("dog/00.png")


def test_a_missing_folder(root):
    root.mkdir()
    with pytest.raises(DataError, match=r"no folder .*my picture\. Did you mean 'my pictures'"):
        make(root.with_name("my picture")).prepare_data()
    with pytest.raises(DataError, match=r"no folder .*x/y/z\. .*my pictures holds no folders\."):
        make(root / "x" / "y" / "z").prepare_data()
    (root / "file").write_text("")
    with pytest.raises(DataError, match=r"(?s)is a file, not a folder.*<class>"):
        make(root / "file").prepare_data()


def test_a_folder_without_pictures(root):
    """The message lists the expected layouts and the existing files."""
    root.mkdir()
    with pytest.raises(DataError, match=r"(?s)no pictures in .*Expected.*no other files"):
        make(root).prepare_data()
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "data.npy").write_bytes(b"")
    (root / "README").write_text("")
    with pytest.raises(DataError) as caught:
        make(root).prepare_data()
    message = str(caught.value)
    assert f"{root}/<class>/*.png" in message
    assert f"{root}/a" in message
    assert "2 other files (" in message
    assert "1 .npy" in message


@pytest.mark.parametrize("empty", ["train", "test"])
def test_an_empty_split(root, empty):
    write(root / {"train": "test", "test": "train"}[empty], *NAMES)
    (root / empty).mkdir()
    with pytest.raises(DataError, match=rf"(?s)a split .* is empty.*{empty} +\(0 pictures\)"):
        make(root).prepare_data()


def test_too_few_for_a_split(root):
    write(root, "a.png")
    with pytest.raises(DataError, match=r"holds 1 pictures, too few.*data\.test_share=0"):
        make(root).setup("fit")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"root": None}, "data.root: missing. Give the folder of your pictures: data.root=DIR."),
        ({"channels": 5}, "data.channels: received 5; allowed 1, 2, 3, 4"),
        ({"classes": 0}, "data.classes: received 0"),
        ({"load_size": 4}, "data.load_size: received 4; allowed a whole number from 8 to 2048"),
        ({"fit": "none", "load_size": 9}, "data.load_size: received 9, but data.fit=none"),
        ({"fit": "pad"}, "data.fit: received 'pad'; allowed crop, stretch, none"),
        ({"test_share": 1}, "data.test_share: received 1"),
        ({"test_folder": "dev"}, "data.test_folder: received 'dev'"),
        ({"background": "x"}, "data.background: received 'x'"),
        ({"max_pixels": -1}, "data.max_pixels: received -1"),
        ({"cache": "ram"}, "data.cache: received 'ram'"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ConfigError) as caught:
        ImageFolder(**{"root": "x", "size": 8, **settings})
    assert message in str(caught.value)
