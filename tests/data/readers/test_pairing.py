"""Pairs in two folders of which one side is damaged, and mended again."""

import numpy as np
import pytest
from PIL import Image

from ganlab.data import PairedImages
from ganlab.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A user's cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    """Three pairs of 8×8 to train on: a colour each, 10 to 12 in A, 20 to 22 in B."""
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
@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_a_damaged_file_is_said_to_be_it_and_not_its_partner(root, direction, kind):
    damaged = root / "B/train/1.png"
    damaged.write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        load(root, direction=direction, cache=kind)
    text = str(caught.value)
    if direction == "a_to_b":  # A is read first
        assert f"A/train/1.png: its partner {damaged} cannot be read: no format" in text
    else:
        assert "B/train/1.png: no format that Pillow knows" in text


@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
@pytest.mark.parametrize("fit", ["stretch", "none"])
def test_a_pair_that_is_mended_is_used_again(root, direction, fit):
    """Nothing of A changes, and yet the files of A that may be used do."""
    place = root / "B/train/1.png"
    sound = place.read_bytes()
    a, b = ("source", "target") if direction == "a_to_b" else ("target", "source")
    for content, kept in ((sound[:20], [0, 2]), (sound, [0, 1, 2]), (b"", [0, 2])):
        place.write_bytes(content)
        rows = load(root, direction=direction, fit=fit, skip_corrupt=True)
        assert rows[a] == [10 + number for number in kept]
        assert rows[b] == [20 + number for number in kept]


def test_a_partner_of_another_size_that_is_mended(root):
    place = root / "B/train/1.png"
    sound = place.read_bytes()
    Image.new("RGB", (9, 8)).save(place)
    assert load(root, skip_corrupt=True)["source"] == [10, 12]
    place.write_bytes(sound)
    assert load(root, skip_corrupt=True) == {"source": [10, 11, 12], "target": [20, 21, 22]}
