"""The contact sheet of a run's sample pictures."""

import pytest
import torch
from PIL import Image, ImageStat

from ganlab.modalities.grid import save_grid
from ganlab.record.contact_sheet import save_contact_sheet


def draw(folder, greys, side=28, n=9, columns=3):
    """Draw a picture of each grey, a sample picture for every 100 examples."""
    for index, grey in enumerate(greys):
        images = torch.full((n, 1, side, side), grey, dtype=torch.uint8)
        save_grid(images, folder / "samples" / f"{index * 100:012d}.png", columns=columns)
    save_contact_sheet(folder)
    with Image.open(folder / "contact_sheet.png") as sheet:
        return sheet.convert("L")


def greys_of(sheet):
    """Return the greys of at least 2,000 pixels, without the white between the pictures."""
    counts = sheet.histogram()
    return [grey for grey in range(1, 250) if counts[grey] >= 2000]


def test_the_first_the_last_and_few_between_are_shown(tmp_path):
    sheet = draw(tmp_path, greys := range(10, 240, 2))
    shown = greys_of(sheet)
    assert len(shown) == 12
    assert (shown[0], shown[-1]) == (greys[0], greys[-1])
    assert sheet.height < 1200


@pytest.mark.parametrize(
    ("side", "n", "columns"), [(28, 1, 1), (28, 64, 8), (256, 16, 8), (1500, 1, 1), (40, 50, 50)]
)
@pytest.mark.parametrize("moments", [1, 5, 12])
def test_a_sheet_of_any_pictures_has_a_sensible_size(tmp_path, side, n, columns, moments):
    greys = [20 * (index + 1) for index in range(moments)]
    sheet = draw(tmp_path, greys, side, n, columns)
    assert sheet.width <= 2048 + 13 * 12
    assert sheet.height <= 1536 + 13 * 32
    assert [grey for grey in greys_of(sheet) if grey in greys] == greys


def test_only_the_first_row_of_a_grid_is_shown(tmp_path):
    images = torch.cat([torch.full((1, 1, 28, 28), grey, dtype=torch.uint8) for grey in (30, 60)])
    save_grid(images, tmp_path / "samples" / "000000000000.png", columns=1)
    save_contact_sheet(tmp_path)
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        assert greys_of(sheet.convert("L")) == [30]


def test_plots_are_wrapped_into_columns(tmp_path):
    (tmp_path / "samples").mkdir()
    for index in range(12):
        Image.new("RGB", (450, 450)).save(tmp_path / "samples" / f"{index}.png")
    save_contact_sheet(tmp_path)
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        assert sheet.size == (12 + 4 * 462, 12 + 3 * 482)
        for column in range(4):
            text = sheet.convert("L").crop((462 * column, 0, 462 * (column + 1), 30))
            assert ImageStat.Stat(text).extrema[0][0] < 100  # each has a label above


def test_damaged_pictures_are_left_out(tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "000000000000.png").write_bytes(b"no picture")
    save_contact_sheet(tmp_path)
    assert not (tmp_path / "contact_sheet.png").exists()
    sheet = draw(tmp_path, [30, 60])
    (tmp_path / "samples" / "000000000000.png").write_bytes(b"no picture")
    save_contact_sheet(tmp_path)
    with Image.open(tmp_path / "contact_sheet.png") as left:
        assert greys_of(left.convert("L")) == [60]
    assert greys_of(sheet) == [30, 60]
