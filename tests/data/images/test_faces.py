"""Drawn faces: their files have CelebA's layout, and their pixels agree with the lists."""

import csv
import threading

import pytest
import torch
from PIL import Image

from ganlab.data import CartoonFaces, CelebA, write_faces
from ganlab.data.images.face_drawing import (
    ATTRIBUTES,
    COLOURS,
    FIXED,
    draw_faces,
    imagine_faces,
)
from ganlab.data.images.faces import OFFICIAL, official
from ganlab.errors import ConfigError, DataError

SIZE, COUNT = 96, 60


def faces(n=COUNT, seed=0):
    return imagine_faces(n, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("faces") / "celeba"
    write_faces(path, COUNT, SIZE)
    return path


@pytest.fixture(scope="module")
def rows(folder):
    """The rows of attributes.csv."""
    with (folder / "attributes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def colour_at(folder, row, u, v):
    """Return the file's colour at (u, v), in half pictures right of and below the face's middle."""
    x = u * float(row["width"]) + float(row["x"])
    y = v + float(row["y"])
    with Image.open(folder / "img_align_celeba" / row["file"]) as picture:
        return picture.getpixel(tuple(int((position + 1) / 2 * SIZE) for position in (x, y)))


def near(colour, expected, most=40):
    return sum(abs(a - b) for a, b in zip(colour, expected, strict=True)) <= most


def colour_of(row, name):
    """The RGB colour that a row of attributes.csv names."""
    return COLOURS[name][ATTRIBUTES[name].index(row[name])]


def test_there_are_more_than_100000_faces():
    """Poses are not counted. Hair is bald, or has one of 2 kinds, 2 lengths, and bangs or none."""
    others = 1
    for name, words in ATTRIBUTES.items():
        if name not in ("hair", "length", "bangs"):
            others *= len(words)
    assert others * (1 + 2 * 2 * 2) > 100_000


def test_a_picture_shows_what_its_row_says(folder, rows):
    """Each attribute is checked at a point that no other attribute can cover."""
    for row in rows:
        assert near(colour_at(folder, row, -0.9, -0.9), colour_of(row, "background"))
        assert near(colour_at(folder, row, 0.0, 0.88), colour_of(row, "shirt"))
        assert near(colour_at(folder, row, 0.0, 0.14), colour_of(row, "skin")), row["file"]
        hair, bald = colour_of(row, "hair_colour"), row["hair"] == "bald"
        assert near(colour_at(folder, row, 0.0, -0.58), hair) != bald
        assert near(colour_at(folder, row, 0.0, -0.26), hair) == (row["bangs"] == "yes")
        assert near(colour_at(folder, row, 0.56, 0.6), hair) == (row["length"] == "long")
        glasses = near(colour_at(folder, row, 0.2, 0.2075), FIXED["frame"])
        assert glasses == (row["glasses"] == "yes")
        cheek = near(colour_at(folder, row, -0.34, 0.34), FIXED["cheeks"])
        assert cheek == (row["rosy_cheeks"] == "yes")
        earring = near(colour_at(folder, row, 0.56, 0.26), FIXED["gold"])
        assert earring == (row["earrings"] == "yes")
        inside = near(colour_at(folder, row, 0.0, 0.56), FIXED["mouth"])
        assert inside == (row["mouth_open"] == "yes")


def test_every_attribute_changes_the_picture():
    """Changing an attribute changes the pictures of the changed faces, and no others."""
    given = faces(12)
    given["hair"] = given["hair"].clamp(min=1)
    before = draw_faces(given, 48)
    for name, words in ATTRIBUTES.items():
        other = {key: values.clone() for key, values in given.items()}
        other[name][::2] = (other[name][::2] + 1) % len(words)
        changed = (draw_faces(other, 48) != before).flatten(1).any(1)
        assert changed[::2].all(), name
        assert not changed[1::2].any(), name


def test_the_official_attributes_are_those_of_the_rows(folder, rows):
    data = CelebA(root=str(folder.parent), size=32, crop=None, cache="memory")
    names = data.attribute_names
    assert names == tuple(OFFICIAL.split())
    assert len(names) == 40
    table = {}
    for line in (folder / "list_attr_celeba.txt").read_text().splitlines()[2:]:
        name, *values = line.split()
        table[name] = dict(zip(names, (value == "1" for value in values), strict=True))
    for row in rows:
        marks = table[row["file"]]
        assert marks["Bald"] == (row["hair"] == "bald")
        assert marks["Wavy_Hair"] == (row["hair"] == "wavy")
        assert marks["Black_Hair"] == (row["hair"] != "bald" and row["hair_colour"] == "black")
        assert marks["Mustache"] == (row["beard"] in ("mustache", "both"))
        assert marks["No_Beard"] == (row["beard"] == "none")
        assert marks["Eyeglasses"] == (row["glasses"] == "yes")
        assert marks["Smiling"] == (row["smiling"] == "yes")
        assert marks["Pale_Skin"] == (row["skin"] == "pale")
    drawn = official(faces())
    never = [name for name in names if name not in drawn]
    assert len(never) == 40 - len(drawn)
    assert not any(marks[name] for marks in table.values() for name in never)


def test_celeba_reads_the_files_of_drawn_faces(folder):
    data = CelebA(root=str(folder.parent), size=SIZE, crop=None, attribute="Smiling", classes=2)
    drawn = draw_faces(faces(seed=0x6661636573), SIZE)
    people = faces(seed=0x6661636573)["person"]
    test = torch.isin(people, data.test["identity"])
    assert data.test["example"].shape[1:] == (3, SIZE, SIZE)
    assert (data.test["example"].float() - drawn[test].float()).abs().mean() < 3  # JPEG's loss
    assert set(data.train) == {"example", "attributes", "label", "identity"}


@pytest.mark.parametrize("count", [20, 600])
def test_no_person_is_in_two_parts(tmp_path, count):
    """Of 10 people 8 are for training, 1 for validation, 1 for tests; small sets fill all parts."""
    write_faces(tmp_path / "celeba", count, 32)
    options = {"root": str(tmp_path), "size": 32, "crop": None, "cache": "memory"}
    data = CelebA(**options)
    parts = [data.train, CelebA(**options, test_split="val").test, data.test]
    people = [set(part["identity"].tolist()) for part in parts]
    assert sum(len(part["identity"]) for part in parts) == count
    assert sum(map(len, people)) == len(set.union(*people))
    assert min(map(len, people)) > 0
    if count == 600:
        total = sum(map(len, people))
        assert [len(part) for part in people] == pytest.approx(
            [0.8 * total, 0.1 * total, 0.1 * total], abs=2
        )


def test_pictures_of_a_person_share_the_persons_attributes():
    given = faces(200)
    for name in ("hair", "hair_colour", "skin", "eyes", "beard"):
        for person in given["person"].unique():
            assert len(given[name][given["person"] == person].unique()) == 1


def test_faces_are_a_function_of_the_seed():
    assert torch.equal(draw_faces(faces(6), 32), draw_faces(faces(6), 32))
    assert not torch.equal(draw_faces(faces(6), 32), draw_faces(faces(6, seed=1), 32))


def test_drawing_in_parts_changes_nothing(monkeypatch):
    whole = draw_faces(faces(5), 32)
    monkeypatch.setattr("ganlab.data.images.face_drawing._AT_ONCE", 2 * 128**2)
    assert torch.equal(draw_faces(faces(5), 32), whole)


@pytest.mark.parametrize("size", [32, 256])
def test_the_faces_are_drawn_once(tmp_path, size):
    options = {"root": str(tmp_path), "size": size, "samples": 20, "batch_size": 4}
    data = CartoonFaces(**options, cache="memory")
    assert data.train["example"].shape[1:] == (3, size, size)
    stamp = (data.folder / "attributes.csv").stat().st_mtime_ns
    again = CartoonFaces(**options, seed=1, cache="memory")
    assert again.content_hash("test") == data.content_hash("test")
    assert (again.folder / "attributes.csv").stat().st_mtime_ns == stamp


def test_several_runs_may_draw_at_once(tmp_path):
    folder, errors = tmp_path / "celeba", []

    def draw():
        try:
            write_faces(folder, 20, 32)
        except Exception as error:  # an exception in a thread would not fail the test
            errors.append(error)

    threads = [threading.Thread(target=draw) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) < 3
    for error in errors:  # another thread was done before this one began
        assert isinstance(error, DataError)
        assert "already" in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["celeba"]
    assert len(list((folder / "img_align_celeba").iterdir())) == 20


def test_the_files_of_a_killed_drawing_are_removed(tmp_path):
    pytest.importorskip("fcntl")
    (tmp_path / ".celeba.killed.part" / "img_align_celeba").mkdir(parents=True)
    write_faces(tmp_path / "celeba", 20, 32)
    assert [path.name for path in tmp_path.iterdir()] == ["celeba"]


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("ganlab.data.images.faces._write_pictures", fail)
    with pytest.raises(DataError, match="disk full"):
        write_faces(tmp_path / "celeba", 20, 32)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="already"):
        write_faces(tmp_path / "mine", 20, 32)


@pytest.mark.parametrize("options", [{"size": 16}, {"size": 512}, {"samples": 19}])
def test_values_that_are_not_allowed_are_named(options):
    with pytest.raises(ConfigError, match=f"data.{next(iter(options))}"):
        CartoonFaces(**options)
