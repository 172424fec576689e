"""Two unpaired sets: their layouts, independent orders, and test files that are pairs."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganlab.data import UnpairedImages
from ganlab.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def temporary_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def write(folder, values, name="{:03}.png"):
    """Write 8×8 pictures, each of one value that identifies the picture in a batch."""
    folder.mkdir(parents=True)
    for value in values:
        Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(folder / name.format(value))


def values(images):
    assert (images == images[:, :1, :1, :1]).all()
    return images[:, 0, 0, 0].tolist()


def exact(root, **options):
    return UnpairedImages(str(root), **{"size": 8, "load_size": 8, "cache": "memory"} | options)


def make(root, layout):
    form = {"trainA": "{0}{1}", "A/train": "{1}/{0}", "train/A": "{0}/{1}"}[layout]
    for split, side, numbers in (
        ("train", "A", range(5)),
        ("train", "B", range(100, 112)),
        ("test", "A", range(50, 53)),
        ("test", "B", range(150, 152)),
    ):
        write(root / form.format(split, side), numbers)


@pytest.mark.parametrize("layout", ["trainA", "A/train", "train/A"])
@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_every_layout_gives_the_same_sets(tmp_path, layout, direction):
    make(tmp_path, layout)
    data = exact(tmp_path, direction=direction)
    a, b = ("a", "b") if direction == "a_to_b" else ("b", "a")
    assert values(data.train[a]) == [*range(5)]
    assert values(data.train[b]) == [*range(100, 112)]
    assert values(data.test[a]) == [50, 51, 52]
    assert values(data.test[b]) == [150, 151]
    assert data.provides == ("a", "b")
    assert data.shapes == {"a": (3, 8, 8), "b": (3, 8, 8)}
    assert (data.shape, data.classes, data.has_pairs) == ((3, 8, 8), None, False)


def test_side_by_side_files_next_to_the_sides_are_not_used(tmp_path):
    """CycleGAN's maps have train/ with pairs next to trainA/ and trainB/."""
    make(tmp_path, "trainA")
    write(tmp_path / "train", [200])
    data = exact(tmp_path)
    assert values(data.train["a"]) == [*range(5)]
    assert data.layout.unused == ("train/",)


def test_each_side_has_its_own_order_in_each_epoch(tmp_path):
    make(tmp_path, "trainA")
    data = exact(tmp_path, seed=4)
    assert data.batches_per_epoch == 12

    def values_from(start):
        data.start_batch = start
        dataloader = iter(data.train_dataloader())
        batches = [next(dataloader) for _ in range(36 - start)]
        return torch.tensor([[batch[key].flatten()[0] for key in "ab"] for batch in batches])

    epochs = values_from(0).view(3, 12, 2)
    for epoch in epochs:
        assert sorted(epoch[:, 1].tolist()) == [*range(100, 112)], "the larger side appears once"
        counts = epoch[:, 0].bincount(minlength=5)
        assert counts.min() >= 2, "the smaller side repeats as a whole"
        assert counts.max() <= 3
    assert (epochs[0] != epochs[1]).any(dim=0).all(), "the second epoch has another order"
    partners = {tuple(pair) for epoch in epochs for pair in epoch.tolist()}
    assert len(partners) > 12, "other epochs bring other partners"
    assert torch.equal(values_from(20), epochs.view(36, 2)[20:]), "a resumed run sees the same"


def test_each_side_is_cropped_and_mirrored_independently(tmp_path):
    """All pixels differ, so the first pixel reveals a crop's position and mirroring."""
    ramp = np.stack([np.arange(64, dtype=np.uint8).reshape(8, 8)] * 3, axis=2)
    for side in ("trainA", "trainB"):
        (tmp_path / side).mkdir()
        for n in range(2):
            Image.fromarray(ramp).save(tmp_path / side / f"{n}.png")
    data = exact(tmp_path, size=5, test_share=0.0)
    dataloader = iter(data.train_dataloader())
    batches = [next(dataloader) for _ in range(20)]
    corners = [[batch[key][0, 0, 0, 0].item() for key in "ab"] for batch in batches]
    assert len({a for a, _ in corners}) > 4
    assert sum(a != b for a, b in corners) > 10
    assert data.train["a"].shape[-1] == 5


def test_reference_rows_of_sides_of_unequal_length(tmp_path):
    make(tmp_path, "trainA")
    data = exact(tmp_path)
    rows = data.reference_rows("train", 4)
    assert set(values(rows["a"])) <= set(range(5))
    assert set(values(rows["b"])) <= set(range(100, 112))
    assert values(data.domain("b").reference("test")) == [150, 151]
    with pytest.raises(DataError, match="Set it to 1 to 5"):
        data.reference_rows("train", 6)


def test_without_splits_a_fixed_rule_splits(tmp_path):
    write(tmp_path / "A", range(20))
    write(tmp_path / "B", range(100, 130))
    data = exact(tmp_path, seed=8)
    assert [len(rows) for rows in data.test.values()] == [2, 3]
    for key, numbers in (("a", range(20)), ("b", range(100, 130))):
        assert sorted(values(data.train[key]) + values(data.test[key])) == [*numbers]
    assert values(data.test["b"]) == values(exact(tmp_path, seed=9).test["b"])


@pytest.mark.parametrize("splits", [True, False])
def test_pairs_of_test_files_are_matched_and_checked(tmp_path, splits):
    if splits:
        write(tmp_path / "trainA", range(5))
        write(tmp_path / "trainB", range(100, 107))
    names = ("testA", "testB") if splits else ("A", "B")
    write(tmp_path / names[0], range(20), "{:03}_A.png")
    write(tmp_path / names[1], range(20), "{:03}_B.bmp")
    data = exact(tmp_path, has_pairs=True)
    assert data.has_pairs
    assert values(data.test["a"]) == values(data.test["b"])
    rows = data.reference_rows("test", 2)
    assert values(rows["a"]) == values(rows["b"])
    if splits:
        (tmp_path / "testA/003_A.png").write_bytes(b"no picture")
        rows = exact(tmp_path, has_pairs=True, skip_corrupt=True).test
        assert values(rows["a"]) == values(rows["b"]) == [n for n in range(20) if n != 3]
        assert len(exact(tmp_path, skip_corrupt=True).test["b"]) == 20
        with pytest.raises(DataError, match=r"003_A\.png: no format"):
            _ = exact(tmp_path).test
        Image.new("RGB", (8, 8)).save(tmp_path / "testA/003_A.png")
    (tmp_path / names[0] / "007_A.png").unlink()
    with pytest.raises(DataError, match="do not form pairs"):
        _ = exact(tmp_path, has_pairs=True).test
    assert len(exact(tmp_path).test["a"]) == (19 if splits else 2)


def test_a_folder_without_unpaired_sets_is_described(tmp_path):
    write(tmp_path / "train", range(4))
    with pytest.raises(
        DataError, match=r"(?s)\{trainA,trainB,testA,testB\}.*data=paired data\.root="
    ):
        _ = exact(tmp_path).train
    write(tmp_path / "x/trainA", range(4))
    with pytest.raises(DataError, match=r"(?s)no counterpart.*trainB +\(missing\)"):
        _ = exact(tmp_path / "x").train
    with pytest.raises(ConfigError, match=r"data\.root: missing.*unpaired"):
        UnpairedImages()
