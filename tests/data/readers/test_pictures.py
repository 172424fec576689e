"""Loading picture files at one size."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganlab.data.readers.decoding import Decoder
from ganlab.data.readers.pictures import list_pictures, load_pictures
from ganlab.errors import ConfigError, DataError


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


@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_pixels_are_loaded_in_the_order_of_files(folder, kind):
    pixels = write(folder)
    for _ in range(2):
        pictures = load(folder, cache=kind)
        assert torch.equal(pictures.images, pixels)
        assert pictures.paths == [folder / f"{number}.png" for number in range(4)]


def test_crop_keeps_the_middle_and_stretch_everything(folder):
    """The left third of a 90×30 picture is red, the middle third green, the right third blue."""
    folder.mkdir()
    colours = np.kron(np.eye(3, dtype=np.uint8)[None], np.ones((30, 30, 1), dtype=np.uint8)) * 255
    Image.fromarray(colours).save(folder / "a.png")
    green = torch.tensor([0.0, 255, 0])[:, None, None]
    crop = load(folder, size=10, fit="crop").images[0].float()
    assert (crop[:, :, 2:-2] - green).abs().max() <= 1, "near its edges, the filter mixes colours"
    cut_first = load(folder, size=10, fit="crop", crop=30).images[0].float()
    assert (cut_first - green).abs().max() <= 1, "the filter cannot see what `crop` removed"
    stretched = load(folder, size=9, fit="stretch").images[0].float()
    for third in range(3):
        want = torch.zeros(3)
        want[third] = 255
        assert (stretched[:, :, 3 * third + 1] - want[:, None]).abs().max() <= 1


def test_cropping_without_scaling_copies(folder):
    """This holds for an odd margin too: pixels are not shifted by half a pixel."""
    pixels = write(folder, height=12, width=13)
    assert torch.equal(load(folder, size=12, fit="crop").images, pixels[:, :, :, :12])
    assert torch.equal(load(folder, size=10, fit="crop", crop=10).images, pixels[:, :, 1:11, 1:11])


def test_scaling_keeps_the_mean_and_is_antialiased(folder):
    pixels = write(folder, height=64, width=64)
    small = load(folder, size=16, fit="stretch").images.float()
    assert (small.mean() - pixels.float().mean()).abs() < 1
    assert small.std() < 0.5 * pixels.float().std()


def test_unequal_sizes_are_listed_with_the_setting_that_helps(folder):
    write(folder)
    write(folder / "more", n=2, height=20, width=20)
    with pytest.raises(DataError, match=r"(?s)2 sizes.*10×12: 4, .*20×20: 2, .*data\.fit=crop"):
        load(folder)
    write(folder / "more", n=2)
    with pytest.raises(DataError, match=r"are asked for.*\n.*change their aspect ratio\.$"):
        load(folder, size=16)
    write(folder.with_name("squares"), height=20, width=20)
    with pytest.raises(DataError, match=r"data\.fit=stretch.* data\.size=20\."):
        load(folder.with_name("squares"), size=16)
    with pytest.raises(DataError, match=r"10×12 pixels \(width×height\), but 16×16 are asked for"):
        load(folder, size=16)


@pytest.mark.parametrize("kind", ["disk", "memory"])
@pytest.mark.parametrize("fit", ["crop", "none"])
def test_corrupt_files_are_named_or_skipped(folder, cache, caplog, kind, fit):
    pixels = write(folder)
    data = (folder / "0.png").read_bytes()
    (folder / "1.png").write_bytes(data[:-60])
    (folder / "3.png").write_bytes(b"")
    arguments = {"cache": kind, "size": (12, 10), "fit": fit}
    for _ in range(2):
        with pytest.raises(DataError, match=r"(?s)2 of 4|1 of 4.*data\.skip_corrupt=true") as error:
            load(folder, **arguments)
        assert "3.png: " in str(error.value)
    assert not entries(cache)
    for _ in range(2):
        with caplog.at_level(logging.WARNING):
            caplog.clear()
            pictures = load(folder, **arguments, skip_corrupt=True)
        assert torch.equal(pictures.images, pixels[[0, 2]])
        assert [path.name for path in pictures.paths] == ["0.png", "2.png"]
        assert "1.png: " in caplog.text
        assert "3.png: no format that Pillow knows" in caplog.text
    with pytest.raises(DataError, match=r"2 of 4|1 of 4"):
        load(folder, **arguments)
    for name in "02":
        (folder / f"{name}.png").unlink()
    with pytest.raises(DataError, match="No image is left"):
        load(folder, **arguments, skip_corrupt=True)


def test_pictures_are_listed_through_links_and_without_hidden_ones(folder, tmp_path):
    write(folder / "class b", n=1)
    write(folder / ".hidden", n=1)
    write(folder / "__MACOSX", n=1)
    write(tmp_path / "outside", n=1)
    (folder / "c").symlink_to(tmp_path / "outside")
    (folder / "class b" / "up").symlink_to(folder)
    (folder / "class b" / "é.JPG").write_bytes(b"")
    found = [path.relative_to(folder) for path in list_pictures(folder)]
    assert found == [Path("c/0.png"), Path("class b/0.png"), Path("class b/é.JPG")]


def test_a_folder_that_is_linked_twice_counts_twice(folder, tmp_path):
    """A link is not followed only if it leads to a folder that the link lies in."""
    write(folder / "a", n=2)
    (folder / "b").symlink_to(folder / "a")
    (folder / "a" / "deep").mkdir()
    (folder / "a" / "deep" / "up").symlink_to(folder / "a")
    found = [path.relative_to(folder).as_posix() for path in list_pictures(folder)]
    assert found == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]


def test_bad_arguments_are_named(folder):
    write(folder)
    with pytest.raises(ConfigError, match=r"data\.fit: received 'pad'; allowed crop"):
        load(folder, fit="pad")
    with pytest.raises(ConfigError, match=r"data\.cache: received 'gpu'; allowed disk"):
        load(folder, cache="gpu")
    with pytest.raises(DataError, match="no pictures"):
        load(folder / "nowhere")
