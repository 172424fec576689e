"""Modalities: normalising, shrinking, recognising and writing images and points."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganlab.applications.sample_files import write
from ganlab.data import Grid, PairedImages, Ring, Shapes, Synthetic, TensorDataModule
from ganlab.errors import ConfigError
from ganlab.modalities import IMAGE, MODALITIES, POINTS, PictureOptions, of_raw, of_shape
from ganlab.modalities.grid import sans, save_rows

SHAPES = {"image": (3, 5, 7), "points": (2,)}


@pytest.mark.parametrize("modality", MODALITIES, ids=lambda m: m.name)
def test_an_example_is_raw_and_of_its_shape(modality):
    shape = SHAPES[modality.name]
    raw = modality.example(shape, 4)
    assert raw.shape == (4, *shape)
    assert torch.equal(raw, modality.example(shape, 4))
    assert modality.is_raw(raw)
    assert of_raw(raw) is of_shape(shape) is modality
    assert [m for m in MODALITIES if m.fits(shape)] == [modality]
    assert [m for m in MODALITIES if m.is_raw(raw)] == [modality]


@pytest.mark.parametrize("modality", MODALITIES, ids=lambda m: m.name)
def test_denormalise_is_the_inverse_of_normalise(modality):
    raw = modality.example(SHAPES[modality.name], 8)
    normalised = modality.normalise(raw)
    assert normalised.dtype == torch.float32
    assert torch.equal(modality.denormalise(normalised), raw)
    torch.testing.assert_close(modality.rescale(normalised), raw.float(), rtol=0, atol=1e-4)


def test_images_are_in_minus_one_to_one():
    raw = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2)
    assert IMAGE.normalise(raw).flatten().tolist() == [-1.0, 1.0]
    assert IMAGE.denormalise(torch.full((1, 1, 1, 1), 3.0)).item() == 255
    floats = torch.rand(1, 1, 2, 2)
    assert IMAGE.normalise(floats) is floats  # normalised already


def test_large_images_are_averaged_before_they_are_compared():
    blocks = torch.arange(4, dtype=torch.uint8).view(1, 1, 2, 2)
    large = blocks.repeat_interleave(32, 2).repeat_interleave(32, 3)
    small = IMAGE.shrink(large)
    assert small.shape == (1, 1, 32, 32)
    assert small.dtype == torch.uint8
    assert small[0, 0, ::16, ::16].flatten().tolist() == [0, 1, 2, 3]
    assert IMAGE.shrink(blocks) is blocks
    assert POINTS.shrink(large) is large


@pytest.mark.parametrize(
    ("data", "modality"),
    [
        (Ring(), POINTS),
        (Grid(), POINTS),
        (Synthetic(), IMAGE),
        (Shapes(samples=2, test_samples=2), IMAGE),
    ],
    ids=lambda x: type(x).__name__,
)
def test_data_sets_have_the_modality_of_their_examples(data, modality):
    assert data.modality is modality
    assert all(modality.fits(shape) for shape in data.shapes.values())
    assert PairedImages.modality is IMAGE


def test_a_users_data_set_gets_its_modality_from_its_shape():
    class Mine(TensorDataModule):
        shape = (5,)

    assert Mine().modality is POINTS
    Mine.shape = (1, 4, 4)
    assert Mine().modality is IMAGE
    Mine.shape = (7, 3)
    with pytest.raises(ConfigError, match=r"example of shape \(7, 3\); needs images.*, or float"):
        _ = Mine().modality


@pytest.mark.parametrize(
    "examples", [torch.zeros(2, 3, dtype=torch.uint8), torch.rand(2, 1, 4, 4), torch.zeros(3)]
)
def test_tensors_that_are_no_raw_examples_are_refused(examples):
    with pytest.raises(ConfigError, match="received torch"):
        of_raw(examples)
    with pytest.raises(ConfigError, match=r"here: received torch\b.*needs images uint8"):
        IMAGE.check(examples, "here")
    with pytest.raises(ConfigError, match=r"ganlab\.modalities\.IMAGE\.denormalise"):
        IMAGE.check(examples, "here")
    with pytest.raises(ConfigError, match=r"^Wasserstein: received"):
        of_raw(examples, "Wasserstein")


def test_a_grid_has_as_many_columns_as_asked_for(tmp_path):
    IMAGE.draw(torch.zeros(6, 1, 56, 56), tmp_path / "x.png", PictureOptions(columns=3))
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (3 * 58 + 2, 2 * 58 + 2)


def test_samples_are_written_to_npz_or_to_a_folder(tmp_path):
    samples, latents = IMAGE.normalise(IMAGE.example((1, 4, 4), 12)), torch.rand(12, 3)
    labels = torch.arange(12) % 3
    write([samples[:1], samples[1:]], tmp_path / "x.npz", latents, labels, IMAGE)
    arrays = np.load(tmp_path / "x.npz")
    assert arrays["images"].shape == (12, 4, 4, 1)
    assert arrays["labels"].tolist() == labels.tolist()
    write([samples[:1], samples[1:]], tmp_path / "all", latents, labels, IMAGE)
    names = sorted(path.name for path in (tmp_path / "all").iterdir())
    assert names[:2] == ["00_0.png", "01_1.png"]
    with Image.open(tmp_path / "all" / "11_2.png") as picture:
        assert np.array_equal(np.asarray(picture), IMAGE.denormalise(samples)[11, 0].numpy())


@pytest.mark.parametrize(("d", "out"), [(2, "folder"), (3, "x.png"), (2, "x.jpg")])
def test_points_are_refused_for_folders_and_other_files(d, out, tmp_path):
    points = torch.rand(5, d)
    with pytest.raises(ConfigError, match=r"out: .*x\.npz"):
        write([points], tmp_path / out, points, None, POINTS)
    write([points], tmp_path / "x.npz", points, None, POINTS)
    assert np.load(tmp_path / "x.npz")["points"].shape == (5, d)
    assert POINTS.picture(points[0]) is None


def test_rows_of_large_images_are_reduced_and_their_texts_are_complete(tmp_path):
    """The lines that a note adds are together at least as long as the note."""
    rows = {"sample": torch.zeros(2, 3, 400, 800), "example": torch.zeros(2, 3, 400, 800)}
    sizes = []
    for texts in ({}, {"below": ("distance", ["1", "2"])}, {"note": "word " * 100}):
        save_rows(rows, tmp_path / "rows.png", most=200, **texts)
        with Image.open(tmp_path / "rows.png") as picture:
            sizes.append(picture.size)
    plain, below, note = sizes
    assert plain[1] == 2 * 102 + 2
    assert 2 * 202 < plain[0] < 2 * 202 + 100
    assert (below[0], below[1] - plain[1]) == (plain[0], 20)
    lines = (note[1] - plain[1]) / 20
    assert lines * plain[0] > sans(12).getlength("word " * 100)
