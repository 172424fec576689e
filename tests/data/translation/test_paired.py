"""Pairs in every layout: order, crops and channels, and errors for files that form no pairs."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image

from ganlab.data import PairedImages
from ganlab.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def temporary_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def pixels(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def sides(number, size=8):
    """Return A and B of a pair: noise, and the negative of the noise."""
    a = pixels(number, size, size, 3)
    return a, 255 - a


def side_by_side(folder, names, first=0):
    for number, name in enumerate(names, first):
        write(folder / name, np.concatenate(sides(number), axis=1))


def two_folders(a_folder, b_folder, names, first=0):
    for number, name in enumerate(names, first):
        for folder, array in zip((a_folder, b_folder), sides(number), strict=True):
            write(folder / name, array)


def stacked(numbers, side):
    return torch.from_numpy(np.stack([sides(n)[side] for n in numbers])).permute(0, 3, 1, 2)


NAMES = ["a b.png", "é.png", "c.PNG", "d.bmp"]  # sorted: a b, c, d, é


def make(root, layout):
    if layout == "side by side":
        side_by_side(root / "train", NAMES)
        side_by_side(root / "val", ["x.png", "y.png"], 10)
    elif layout == "train/A":
        two_folders(root / "train/A", root / "train/B", NAMES)
        two_folders(root / "val/A", root / "val/B", ["x.png", "y.png"], 10)
    elif layout == "trainA":
        two_folders(root / "trainA", root / "trainB", NAMES)
        two_folders(root / "valA", root / "valB", ["x.png", "y.png"], 10)
    else:
        two_folders(root / "A/train", root / "B/train", NAMES)
        two_folders(root / "A/val", root / "B/val", ["x.png", "y.png"], 10)


def exact(root, **options):
    """Return a data set of unchanged 8×8 files, so that pixels can be compared."""
    return PairedImages(str(root), size=8, load_size=8, fit="none", cache="memory", **options)


@pytest.mark.parametrize("layout", ["side by side", "train/A", "trainA", "A/train"])
@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_every_layout_gives_the_same_pairs(tmp_path, layout, direction):
    make(tmp_path / "ü r", layout)
    data = exact(tmp_path / "ü r", direction=direction)
    order = [0, 2, 3, 1]  # of NAMES when sorted
    source, target = (0, 1) if direction == "a_to_b" else (1, 0)
    for split, numbers in (("train", order), ("test", [10, 11])):
        rows = data.split(split)
        assert torch.equal(rows["source"], stacked(numbers, source))
        assert torch.equal(rows["target"], stacked(numbers, target))
    assert data.shapes == {"source": (3, 8, 8), "target": (3, 8, 8)}
    assert data.shape == (3, 8, 8)
    assert data.provides == ("source", "target")
    assert data.has_pairs


def test_the_layout_is_logged(tmp_path, caplog):
    make(tmp_path, "side by side")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "x.txt").write_text("")
    with caplog.at_level(logging.INFO, logger="ganlab"):
        exact(tmp_path).setup("fit")
    assert "A left of B, in train/, val/; notes/ not used" in caplog.text


@pytest.mark.parametrize("flat", ["side by side", "A and B"])
def test_without_splits_a_fixed_rule_splits(tmp_path, flat):
    names = [f"{n:02}.png" for n in range(20)]
    if flat == "side by side":
        side_by_side(tmp_path, names)
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes/x.txt").write_text("no picture")
    else:
        two_folders(tmp_path / "A", tmp_path / "B", names)
    data, other = exact(tmp_path, seed=1), exact(tmp_path, seed=2)
    assert torch.equal(data.test["source"], other.test["source"]), "whatever the run's seed"
    for rows, n in ((data.train, 18), (data.test, 2)):
        assert len(rows["source"]) == n
        assert torch.equal(rows["source"], 255 - rows["target"]), "pairs stay together"
    sources = torch.cat([data.train["source"], data.test["source"]]).flatten(1)
    assert len(sources.unique(dim=0)) == 20
    assert len(exact(tmp_path, test_share=0.0).train["source"]) == 20
    with pytest.raises(DataError, match=r"data\.test_share is 0"):
        _ = exact(tmp_path, test_share=0.0).test


def test_test_folder_chooses_the_folder_of_the_test_split(tmp_path):
    for number, name in enumerate(("train", "val", "test")):
        side_by_side(tmp_path / name, ["x.png"], number)
    for folder, number in ((None, 2), ("test", 2), ("val", 1)):
        data = exact(tmp_path, test_folder=folder)
        assert torch.equal(data.test["source"], stacked([number], 0))
    make(tmp_path / "other", "side by side")
    with pytest.raises(DataError, match=r"data\.test_folder: received test.*only val"):
        _ = exact(tmp_path / "other", test_folder="test").test


def test_names_that_end_in_their_side_are_pairs(tmp_path):
    for n in range(3):
        a, b = sides(n)
        write(tmp_path / "trainA" / f"{n}_A.png", a)
        write(tmp_path / "trainB" / f"{n}_B.bmp", b)
    rows = exact(tmp_path, test_share=0.0).train
    assert torch.equal(rows["target"], stacked(range(3), 1))


def test_names_match_in_both_unicode_forms_of_an_accent(tmp_path):
    """macOS writes é as e and an accent, other systems as one letter."""
    for n, (a, b) in enumerate([("\u00e9", "e\u0301"), ("x", "x")]):
        for side, name, array in zip("AB", (a, b), sides(n), strict=True):
            write(tmp_path / side / f"{name}.png", array)
    rows = exact(tmp_path, test_share=0.0).train
    assert torch.equal(rows["source"], 255 - rows["target"])


def test_both_sides_are_cropped_and_mirrored_alike(tmp_path):
    """The negative of a crop is the crop of the negative."""
    side_by_side(tmp_path / "train", [f"{n}.png" for n in range(6)])
    data = PairedImages(str(tmp_path), size=5, load_size=8, batch_size=5, test_share=0.0, seed=3)
    assert data.training_rows["source"].shape == (6, 3, 8, 8)
    assert data.train["source"].shape == (6, 3, 5, 5)
    dataloader = iter(data.train_dataloader())
    batches = [next(dataloader) for _ in range(4)]
    for batch in batches:
        assert batch["source"].shape == (5, 3, 5, 5)
        assert torch.equal(batch["source"], 255 - batch["target"])
    again = iter(data.train_dataloader())
    assert all(torch.equal(next(again)["source"], batch["source"]) for batch in batches)


def test_halves_do_not_bleed_into_each_other(tmp_path):
    """Halves of white and black stay white and black up to the seam when they are resized."""
    white, black = np.full((64, 64, 3), 255, np.uint8), np.zeros((64, 64, 3), np.uint8)
    for n in range(2):
        write(tmp_path / "train" / f"{n}.png", np.concatenate([white, black], axis=1))
    rows = PairedImages(str(tmp_path), size=16, test_share=0.0).training_rows
    assert (rows["source"] == 255).all()
    assert (rows["target"] == 0).all()


def test_each_side_has_its_own_channels(tmp_path):
    for n in range(2):
        write(tmp_path / "A" / f"{n}.png", pixels(n, 8, 8))
        write(tmp_path / "B" / f"{n}.png", pixels(n + 5, 8, 8, 4))
    data = exact(tmp_path, source_channels=1, channels=4, test_share=0.0)
    assert data.shapes == {"source": (1, 8, 8), "target": (4, 8, 8)}
    assert torch.equal(data.train["source"][1, 0], torch.from_numpy(pixels(1, 8, 8)))
    assert torch.equal(
        data.train["target"][1], torch.from_numpy(pixels(6, 8, 8, 4)).permute(2, 0, 1)
    )
    swapped = exact(tmp_path, source_channels=4, channels=1, direction="b_to_a", test_share=0.0)
    assert swapped.shapes == {"source": (4, 8, 8), "target": (1, 8, 8)}
    assert torch.equal(swapped.train["source"], data.train["target"])


def test_a_side_is_a_set_of_images(tmp_path):
    make(tmp_path, "side by side")
    data = exact(tmp_path)
    side = data.domain("target")
    assert (side.shape, side.classes, side.provides) == ((3, 8, 8), None, ("example",))
    assert torch.equal(side.reference("test"), data.test["target"])
    assert side.reference("train", 2).shape == (2, 3, 8, 8)
    assert side.content_hash("test") != data.domain("source").content_hash("test")
    assert side.title.endswith("(target)")
    with pytest.raises(ConfigError, match="source, target"):
        data.domain("example")


def message_of(function):
    with pytest.raises(DataError) as caught:
        function()
    return str(caught.value)


def test_files_without_a_partner_are_named_and_counted(tmp_path):
    two_folders(tmp_path / "A/train", tmp_path / "B/train", ["1.png", "2.png"])
    write(tmp_path / "A/train/3.png", pixels(0, 8, 8))
    write(tmp_path / "A/train/Ä.png", pixels(0, 8, 8))
    write(tmp_path / "B/train/ä.png", pixels(0, 8, 8))
    text = message_of(lambda: exact(tmp_path).train)
    assert "A/train (4 pictures)" in text
    assert "B/train (3)" in text
    assert "2 in " in text
    assert "3.png, Ä.png (there is ä.png: the case differs)" in text
    assert str(tmp_path / "A/train/x.png") in text


def test_a_file_without_a_partner_is_named_with_its_folder_and_suffix(tmp_path):
    for name in ("1", "deep/2", "deep/x"):
        write(tmp_path / f"A/{name}_A.png", pixels(0, 8, 8))
    for name in ("1", "deep/2", "deep/X"):
        write(tmp_path / f"B/{name}_B.png", pixels(0, 8, 8))
    text = message_of(lambda: exact(tmp_path).train)
    assert "deep/x_A.png (there is deep/X_B.png: the case differs)" in text


def test_names_that_are_equal_or_differ_only_in_case_are_refused(tmp_path):
    two_folders(tmp_path / "A", tmp_path / "B", ["1.png", "2.png"])
    write(tmp_path / "A/2.bmp", pixels(0, 8, 8))
    assert "two files of the name 2: 2.bmp and 2.png" in message_of(lambda: exact(tmp_path).train)
    (tmp_path / "A/2.bmp").unlink()
    for side in "AB":
        write(tmp_path / side / "É.png", pixels(0, 8, 8))
        write(tmp_path / side / "é.png", pixels(0, 8, 8))
    assert "differ only in case: É.png and é.png" in message_of(lambda: exact(tmp_path).train)


@pytest.mark.parametrize("cache", ["disk", "memory"])
def test_sides_of_unequal_size_and_odd_widths_are_named(tmp_path, cache):
    options = {"size": 8, "cache": cache, "test_share": 0.0}
    two_folders(tmp_path / "x/A", tmp_path / "x/B", ["1.png", "2.png"])
    write(tmp_path / "x/B/2.png", pixels(0, 8, 9, 3))
    text = message_of(lambda: PairedImages(str(tmp_path / "x"), **options).train)
    assert "A/2.png: is 8×8" in text
    assert "B/2.png is 9×8" in text
    side_by_side(tmp_path / "y/train", ["1.png", "2.png", "3.png"])
    write(tmp_path / "y/train/2.png", pixels(0, 8, 17, 3))
    text = message_of(lambda: PairedImages(str(tmp_path / "y"), **options).training_rows)
    assert "train/2.png: its width of 17 is odd" in text


@pytest.mark.parametrize("layout", ["side by side", "A/train"])
def test_a_corrupt_file_is_named_and_its_pair_left_out(tmp_path, layout):
    make(tmp_path, layout)
    bad = tmp_path / ("train/c.PNG" if layout == "side by side" else "B/train/c.PNG")
    bad.write_bytes(b"no picture")
    text = message_of(lambda: exact(tmp_path).train)
    assert "c.PNG" in text
    assert "data.skip_corrupt=true" in text
    rows = PairedImages(str(tmp_path), size=8, load_size=8, cache="memory", skip_corrupt=True).train
    assert torch.equal(rows["source"], stacked([0, 3, 1], 0))
    assert torch.equal(rows["target"], stacked([0, 3, 1], 1))


def test_a_folder_without_pairs_is_described(tmp_path):
    assert "it does not exist" in message_of(lambda: exact(tmp_path / "nowhere").train)
    make(tmp_path / "sets" / "mine", "side by side")
    text = message_of(lambda: exact(tmp_path / "sets").train)
    assert f"{tmp_path / 'sets/{A,B}/*.png'}" in text
    assert f"{tmp_path / 'sets/mine/train'}" in text
    assert "(4 pictures)" in text
    assert f"Did you mean data.root={tmp_path / 'sets/mine'}?" in text
    side_by_side(tmp_path / "deep/train/cats", ["1.png"])
    assert "pictures in it lie in sub-folders (cats)" in message_of(
        lambda: exact(tmp_path / "deep").train
    )
    side_by_side(tmp_path / "both", ["1.png"])
    side_by_side(tmp_path / "both/more", ["2.png"])
    assert "is not a folder of pairs" in message_of(lambda: exact(tmp_path / "both").train)
    make(tmp_path / "empty", "side by side")
    for path in (tmp_path / "empty/val").iterdir():
        path.unlink()
    assert "val holds no pictures: empty" in message_of(lambda: exact(tmp_path / "empty").test)
    (tmp_path / "half/trainA").mkdir(parents=True)
    assert "has no counterpart" in message_of(lambda: exact(tmp_path / "half").train)
    two_folders(tmp_path / "odd/A/train", tmp_path / "odd/B/train", ["1.png"])
    (tmp_path / "odd/A/val").mkdir()
    text = message_of(lambda: exact(tmp_path / "odd").train)
    assert "different splits" in text
    assert text.count("(missing)") == 1


def test_arguments_are_checked_and_named(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.root: missing.*data\.root=DIR"):
        PairedImages()
    for wrong in (
        {"direction": "both"},
        {"source_channels": 5},
        {"load_size": 100},
        {"test_share": 1.0},
        {"fit": "none", "load_size": 300},
        {"archive": "pix2pix/horse2zebra"},
    ):
        key = [*wrong][-1]
        with pytest.raises(ConfigError, match=rf"data\.{key}: received"):
            PairedImages(str(tmp_path), **wrong).fetch("train")
    assert PairedImages(str(tmp_path)).load_size == 286
