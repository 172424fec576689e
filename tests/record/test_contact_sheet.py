"""The contact sheet of a run's sample pictures."""

import torch
from PIL import Image

from ganlab.modalities.grid import save_grid
from ganlab.record.contact_sheet import save_contact_sheet


def test_the_first_row_of_each_grid_is_shown_and_wide_ones_are_reduced(tmp_path):
    for side, name in ((64, "000000000008"), (1024, "000000000016")):
        images = torch.full((6, 3, side, side), 255, dtype=torch.uint8)
        save_grid(images, tmp_path / "samples" / f"{name}.png", columns=3)
    save_contact_sheet(tmp_path)
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        small, large = 64 + 2, round((1024 + 2) * 2048 / (3 * 1026 + 2))
        assert sheet.size == (2048, small + large + 2 * 14)
        assert sheet.getpixel((30, 14 + 30)) == sheet.getpixel((300, 14 + small + 14 + 300))
