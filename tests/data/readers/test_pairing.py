"""Pairs in two folders, where a file of one side is damaged and mended again."""

import numpy as np
import pytest
from PIL import Image

from ganlab.data import PairedImages
from ganlab.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Set the user's cache folder to a temporary folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    """Write three training pairs of 8×8 files: of grey 10, 11, 12 in A, and 20, 21, 22 in B."""
    for side, first in (("A", 10), ("B", 20)):
        folder = tmp_path / "set" / side / "train"
        folder.mkdir(parents=True)
        for number in range(3):
            picture = np.full((8, 8, 3), first + number, dtype=np.uint8)
            Image.fromarray(picture).save(folder / f"{number}.png")
    return tmp_path / "set"


def load(root, **options):
    data = PairedImages(str(root), size=8, load_size=8, test_share=0.0, **options)
    return {key: values[:, 0, 0, 0].tolist() for key, values in data.train.items()}


@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
@pytest.mark.parametrize("cache_kind", ["disk", "memory"])
def test_the_message_blames_the_damaged_file_and_not_its_partner(root, direction, cache_kind):
    damaged = root / "B/train/1.png"
    damaged.write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        load(root, direction=direction, cache=cache_kind)
    text = str(caught.value)
    if direction == "a_to_b":  # A is read first
        assert f"A/train/1.png: its partner {damaged} cannot be read: no format" in text
    else:
        assert "B/train/1.png: no format that Pillow knows" in text


@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
@pytest.mark.parametrize("fit", ["stretch", "none"])
def test_a_mended_pair_is_used_again(root, direction, fit):
    """No file of A changes, but whether a file of A is used depends on its partner in B."""
    path = root / "B/train/1.png"
    intact = path.read_bytes()
    a, b = ("source", "target") if direction == "a_to_b" else ("target", "source")
    for content, kept in ((intact[:20], [0, 2]), (intact, [0, 1, 2]), (b"", [0, 2])):
        path.write_bytes(content)
        rows = load(root, direction=direction, fit=fit, skip_corrupt=True)
        assert rows[a] == [10 + number for number in kept]
        assert rows[b] == [20 + number for number in kept]


def test_a_pair_whose_sizes_are_made_equal_is_used_again(root):
    path = root / "B/train/1.png"
    intact = path.read_bytes()
    Image.new("RGB", (9, 8)).save(path)
    assert load(root, skip_corrupt=True)["source"] == [10, 12]
    path.write_bytes(intact)
    assert load(root, skip_corrupt=True) == {"source": [10, 11, 12], "target": [20, 21, 22]}
