"""Folders of images, written by the tests, as data sets in memory."""

import logging
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganlab.data.images.folder import FolderData, read_images
from ganlab.errors import DataError


def _pixels(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _write(folder, names, *shape):
    """Write random images under these names; return their pixels in the order of the names."""
    pixels = [_pixels(seed, *(shape or (6, 5, 3))) for seed, _ in enumerate(names)]
    for name, array in zip(names, pixels, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / name)
    return pixels


def _tensor(pixels):
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def test_pixels_come_back_in_the_order_of_names(tmp_path):
    names = ["a.png", "b.PNG", "c.bmp", "d.tif", "e.ppm"]
    pixels = _write(tmp_path, names)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._a.png").write_text("what a Mac leaves behind")
    content = read_images(tmp_path)
    assert torch.equal(content.images, _tensor(pixels))
    assert (content.labels, content.class_names) == (None, ())


def test_lossy_formats_are_read(tmp_path):
    flat = np.full((8, 8, 3), 120, dtype=np.uint8)
    for name in ("a.jpg", "b.jpeg", "c.webp"):
        Image.fromarray(flat).save(tmp_path / name)
    images = read_images(tmp_path).images
    assert images.shape == (3, 3, 8, 8)
    assert (images.int() - 120).abs().max() <= 3


def test_grey_images_have_one_channel_or_three_if_some_are_coloured(tmp_path):
    (grey,) = _write(tmp_path, ["b.png"], 6, 5)
    assert torch.equal(read_images(tmp_path).images, torch.from_numpy(grey)[None, None])
    (colour,) = _write(tmp_path, ["a.png"])
    images = read_images(tmp_path).images
    assert torch.equal(images[0], _tensor([colour])[0])
    assert torch.equal(images[1], torch.from_numpy(grey).expand(3, -1, -1))


def test_sixteen_bits_are_scaled(tmp_path):
    """257 k becomes grey level k exactly; values in between are rounded, and none is clipped."""
    values = np.array([[0, 128, 129, 257, 257 * 100, 65_535 - 129, 65_535]], dtype=np.uint16)
    for name in ("a.png", "b.tif"):
        Image.fromarray(values).save(tmp_path / name)
    images = read_images(tmp_path).images
    assert [image.flatten().tolist() for image in images] == 2 * [[0, 0, 1, 1, 100, 254, 255]]


def test_palettes_bits_and_transparency(tmp_path):
    colour = np.zeros((4, 4, 3), dtype=np.uint8)
    colour[:2] = (255, 0, 128)
    Image.fromarray(colour).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png")
    alpha = np.full((4, 4, 1), 7, dtype=np.uint8)
    Image.fromarray(np.concatenate([colour, alpha], 2)).save(tmp_path / "q.png")
    images = read_images(tmp_path).images
    assert torch.equal(images[0], _tensor([colour])[0])
    white = (colour.astype(float) * 7 + 255 * (255 - 7)) / 255
    assert (images[1] - _tensor([white])[0]).abs().max() <= 1, "composed onto white"
    bits = tmp_path / "bits"
    bits.mkdir()
    Image.fromarray(colour[..., 0]).convert("1").save(bits / "a.png")
    assert read_images(bits).images.flatten().tolist() == [255] * 8 + [0] * 8


def test_sub_folders_are_labels(tmp_path):
    pixels = _write(tmp_path, ["cat/1.png", "cat/deep/2.png", "dog/0.png"])
    content = read_images(tmp_path)
    assert content.class_names == ("cat", "dog")
    assert content.labels.tolist() == [0, 0, 1]
    assert torch.equal(content.images, _tensor(pixels))
    assert read_images(tmp_path / "cat").labels is None, "an image lies in no sub-folder"
    (tmp_path / "dog" / "0.png").unlink()
    assert read_images(tmp_path).labels is None, "one sub-folder is no class"


def test_corrupt_images_are_named_or_skipped(tmp_path, caplog):
    """Files truncated in the header and in the pixels, and a file that is no image."""
    pixels = _write(tmp_path, ["a.png", "b.png", "c.png"], 40, 40, 3)
    whole = (tmp_path / "b.png").read_bytes()
    for name, content in (("x.png", whole[:20]), ("y.png", whole[:2000]), ("z.jpg", b"no image")):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"(?s)3 of 6 images.*skip_corrupt=true") as error:
        read_images(tmp_path)
    assert all(name in str(error.value) for name in ("x.png", "y.png", "z.jpg"))
    assert "a.png" not in str(error.value)
    assert "z.jpg: no format that Pillow knows" in str(error.value)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(read_images(tmp_path, skip_corrupt=True).images, _tensor(pixels))
    assert "3 of 6 images" in caplog.text
    for name in "abc":
        (tmp_path / f"{name}.png").unlink()
    with pytest.raises(DataError, match="No image is left"):
        read_images(tmp_path, skip_corrupt=True)


def test_an_error_names_at_most_ten_corrupt_images(tmp_path):
    _write(tmp_path, ["good.png"])
    for number in range(25):
        (tmp_path / f"bad{number:02}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"(?s)25 of 26 images.*bad09\.png.*and 15 more") as error:
        read_images(tmp_path)
    assert "bad10" not in str(error.value)


def test_unequal_sizes_are_counted(tmp_path):
    _write(tmp_path, ["a.png", "b.png"], 4, 6, 3)
    _write(tmp_path, ["c.png"], 8, 8, 3)
    with pytest.raises(DataError, match=r"(?s)2 sizes.*6×4: 2, such as a\.png\n  8×8: 1.*c\.png"):
        read_images(tmp_path)


def test_a_missing_folder_and_a_folder_without_images_are_refused(tmp_path):
    with pytest.raises(DataError, match="it does not exist"):
        read_images(tmp_path / "nowhere")
    file = tmp_path / "notes.txt"
    file.write_text("")
    with pytest.raises(DataError, match="it is a file"):
        read_images(file)
    with pytest.raises(DataError, match=r"holds no images, but 1 other files.*\.png"):
        read_images(tmp_path)


def test_a_folder_may_hold_a_single_image(tmp_path):
    _write(tmp_path, ["a.png"])
    assert len(read_images(tmp_path).images) == 1


def test_a_folder_is_a_data_set(tmp_path):
    pixels = _write(tmp_path, ["cat/1.png", "cat/2.png", "dog/0.png"])
    data = FolderData(tmp_path, batch_size=2)
    assert (data.shape, data.classes, data.provides) == ((3, 6, 5), 2, ("example", "label"))
    for split in data.splits:
        assert torch.equal(data.split(split)["example"], _tensor(pixels))
        assert data.content_hash(split) == FolderData(tmp_path).content_hash("train")
    assert data.reference("test", 2).shape == (2, 3, 6, 5)
    with pytest.raises(DataError, match="Set it to 1 to 3"):
        data.reference("train", 4)
    plain = FolderData(tmp_path / "cat")
    assert (plain.classes, plain.provides, list(plain.train)) == (None, ("example",), ["example"])
    data.setup("fit")
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert batch["example"].shape == (2, 3, 6, 5)
    assert batch["example"].dtype == torch.float32


@pytest.mark.parametrize("is_full", [False, True])
def test_pixels_lie_in_a_file_without_a_name_if_there_is_room(tmp_path, monkeypatch, is_full):
    def full(*_):
        raise OSError(28, "No space left on device")

    folder, temporary = tmp_path / "images", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    if is_full:
        monkeypatch.setattr(os, "posix_fallocate", full)
    pixels = np.random.RandomState(0).randint(0, 256, (8, 9, 3)).astype(np.uint8)
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "x.png")
    images = read_images(folder).images
    assert np.array_equal(images[0].permute(1, 2, 0), pixels)
    mapped = str(temporary) in Path("/proc/self/maps").read_text()
    assert mapped is not is_full
    assert list(temporary.iterdir()) == []
